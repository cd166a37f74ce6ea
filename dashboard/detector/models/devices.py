"""Which device a network runs on, found by trying it."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import platform
from dataclasses import dataclass
from functools import lru_cache

import onnxruntime as ort

from dashboard.detector.errors import DeviceError, OptionError

DEVICES = ("auto", "cpu", "cuda")
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
BESIDE = 2  # sessions that share the processors in a scan
FATAL = 4  # ONNX Runtime's severity: what a provider says of its own failure is told by us


@dataclass(frozen=True)
class Device:
    """The device that a session really runs on."""

    provider: str  # ONNX Runtime's name
    label: str  # for people: "CPU, 2 threads"
    note: str | None = None  # why it is not the device hoped for


def threads() -> int:
    """The processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@lru_cache(maxsize=1)
def gpu_names() -> tuple[str, ...]:
    """The NVIDIA GPUs' names as their driver gives them, those of `CUDA_VISIBLE_DEVICES` alone."""
    library = "nvcuda.dll" if platform.system() == "Windows" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return ()
    count, name, found = ctypes.c_int(), ctypes.create_string_buffer(128), []
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return ()
    for number in range(count.value):
        failed = driver.cuDeviceGetName(name, len(name), number)
        found.append("NVIDIA GPU" if failed else name.value.decode(errors="replace"))
    return tuple(found)


def options(sessions: int = 1) -> ort.SessionOptions:
    """Session options: threads for a part of the processors, little memory, and silence."""
    made = ort.SessionOptions()
    made.intra_op_num_threads = -(-threads() // sessions)
    # Patterns are plans of memory for one shape of input; in the default order more waits to be
    # used. An area of `guarded` takes a third less memory so, and no longer.
    made.enable_mem_pattern = False
    made.execution_order = ort.ExecutionOrder.PRIORITY_BASED
    made.log_severity_level = FATAL
    return made


def shrinking(provider: str) -> ort.RunOptions | None:
    """Options of a run after which the session hands back what it does not need; none on a GPU."""
    if provider != CPU:
        return None
    made = ort.RunOptions()
    made.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return made


Started = tuple[ort.InferenceSession, list[ort.InferenceSession], Device]


def start(graph: bytes, device: str) -> Started:
    """A session on the device asked for, and those that share a scan; none where that is the same.

    On the CPU where `auto` finds no working GPU. One session a GPU shares a scan, or two on a CPU:
    while one does what a single thread must do alone, the other has the processors.

    Raises:
        OptionError: no such device is known.
        DeviceError: `cuda` was asked for and does not work; the message says why.
    """
    if device not in DEVICES:
        raise OptionError(f"no device {device!r}; there are {', '.join(DEVICES)}")
    trouble = None
    if device != "cpu":
        trouble = _cuda_trouble()
        if trouble is None:
            try:
                return _cuda_sessions(graph)
            except Exception as error:  # a provider fails in many ways; each means the CPU
                trouble = f"the GPU did not start: {_first_line(error)}"
        if device == "cuda":
            raise DeviceError(f"{trouble}; choose --device cpu or auto")
    session = ort.InferenceSession(graph, options(), providers=[CPU])
    count = threads()
    sharing = [
        ort.InferenceSession(graph, options(BESIDE), providers=[CPU])
        for _ in range(BESIDE if count > 1 else 0)
    ]
    label = f"CPU, {count} thread{'s' if count != 1 else ''}"
    note = trouble if gpu_names() else None  # no GPU is nothing to explain
    return session, sharing, Device(CPU, label, note)


def _cuda_trouble() -> str | None:
    if not gpu_names():
        return "no NVIDIA GPU was found"
    if CUDA not in ort.get_available_providers():
        return "a GPU is there, but onnxruntime-gpu is not installed in place of onnxruntime"
    return None


def _cuda_sessions(graph: bytes) -> Started:
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it could not load
        ort.preload_dlls()
    names = gpu_names()
    label = f"GPU: {names[0]}" if len(names) == 1 else f"{len(names)} GPUs: {', '.join(names)}"
    sessions = [_cuda_session(graph, number) for number in range(len(names))]
    return sessions[0], sessions if len(sessions) > 1 else [], Device(CUDA, label)


def _cuda_session(graph: bytes, number: int) -> ort.InferenceSession:
    providers = [(CUDA, {"device_id": number}), CPU]
    session = ort.InferenceSession(graph, options(), providers=providers, enable_fallback=0)
    if session.get_providers()[0] != CUDA:
        raise DeviceError("ONNX Runtime could not load its CUDA provider")
    return session


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
