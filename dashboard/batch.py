"""Many scenes, one folder each: in processes of this machine, or on a Dask cluster."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dashboard.detector import (
    DeviceError,
    NeedleError,
    OptionError,
    ScanSettings,
    check_folder,
    harmless,
    run,
)

EXECUTORS = ("local", "dask")
SUMMARY = "summary.csv"


@dataclass(frozen=True)
class Outcome:
    """What became of one scene."""

    scene: str
    folder: str
    detections: int | None = None
    seconds: float | None = None  # of scoring
    device: str = ""
    error: str = ""


def batch(
    scenes: Sequence[str],
    out: Path,
    settings: ScanSettings,
    executor: str = "local",
    scheduler: str | None = None,
) -> Iterator[Outcome]:
    """Scans each scene into a folder of its own; what became of each, as it ends.

    A scene that fails stops no other. A scene that was scanned before is not scored again. At the
    end `summary.csv` holds all outcomes, in the order of the scenes.

    Args:
        executor: `local`, one scene at a time in a process of its own, which uses every core; or
            `dask`, a scene a worker at a time, the folders shared between the machines.
        scheduler: the address of a Dask scheduler; a cluster on this machine otherwise.

    Raises:
        OptionError: no such executor, Dask is not installed, or a scheduler without it.
        StoreError: the folder cannot be written.
    """
    if executor not in EXECUTORS:
        raise OptionError(f"no executor {executor!r}; there are {', '.join(EXECUTORS)}")
    if scheduler and executor != "dask":
        raise OptionError("a scheduler needs --executor dask")
    check_folder(out)
    jobs = list(zip(scenes, folders(scenes, out), strict=True))
    # Paths must mean the same wherever the work is done.
    settings = replace(settings, model=_absolute(settings.model, ".onnx"))
    ended = _by_dask(jobs, settings, scheduler) if executor == "dask" else _here(jobs, settings)
    outcomes: dict[str, Outcome] = {}
    for outcome in ended:
        outcomes[outcome.folder] = outcome
        yield outcome
    ordered = [outcomes[str(folder)] for _, folder in jobs if str(folder) in outcomes]
    part = out / f".{SUMMARY}.{os.getpid()}"
    part.write_text(summary(ordered), encoding="utf-8")
    part.replace(out / SUMMARY)


def folders(scenes: Sequence[str], out: Path) -> list[Path]:
    """A folder for each scene, named after it; numbered where names meet."""
    taken: dict[str, int] = {}
    found = []
    for scene in scenes:
        stem = Path(scene).stem or "scene"
        taken[stem] = taken.get(stem, 0) + 1
        found.append((out / (stem if taken[stem] == 1 else f"{stem}-{taken[stem]}")).absolute())
    return found


def one(scene: str, folder: str, settings: ScanSettings) -> Outcome:
    """What became of one scene, scanned into its folder; runs in a worker."""
    try:
        finished = run(Path(scene).absolute() if _local(scene) else scene, Path(folder), settings)
    except NeedleError as error:
        return Outcome(scene, folder, error=str(error))
    except Exception as error:  # a fault of ours in one scene leaves the others their turn
        return Outcome(scene, folder, error=f"something went wrong in Needle: {error!r}")
    store = finished.store
    found = len(finished.detections)
    return Outcome(scene, folder, found, round(store.seconds, 1), store.device_label)


def summary(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as CSV, a line a scene."""
    memory = io.StringIO()
    names = [field.name for field in fields(Outcome)]
    writer = csv.DictWriter(memory, names, lineterminator="\n")
    writer.writeheader()
    for outcome in outcomes:
        texts = {key: harmless(getattr(outcome, key)) for key in ("scene", "folder", "error")}
        writer.writerow(asdict(outcome) | texts)
    return memory.getvalue()


Jobs = list[tuple[str, Path]]


def _here(jobs: Jobs, settings: ScanSettings) -> Iterator[Outcome]:
    """One after the other: a scan uses every core, and two at once would only share them.

    Each has a process of its own, so that one that dies takes no other with it.
    """
    for scene, folder in jobs:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            yield _outcome(pool.submit(one, scene, str(folder), settings).result, scene, folder)


def _by_dask(jobs: Jobs, settings: ScanSettings, scheduler: str | None) -> Iterator[Outcome]:
    try:
        from dask.distributed import Client
        from dask.distributed import as_completed as completed
    except ImportError as error:
        raise OptionError(
            "Dask is not installed; install it with: python -m pip install 'distributed>=2024.1'"
        ) from error
    try:
        client = Client(scheduler, timeout="10s") if scheduler else Client(threads_per_worker=1)
    except (OSError, ValueError) as error:
        raise DeviceError(f"{scheduler}: no Dask scheduler answers ({error})") from error
    with client:
        known = {
            client.submit(one, scene, str(folder), settings, pure=False): (scene, folder)
            for scene, folder in jobs
        }
        for future in completed(list(known)):
            yield _outcome(future.result, *known[future])


def _outcome(result: Callable[[], Any], scene: str, folder: Path) -> Outcome:
    try:
        found = result()
    except Exception as error:  # the worker died: killed, or out of memory
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Outcome(scene, str(folder), error=f"its process ended: {why}")
    assert isinstance(found, Outcome)
    return found


def _local(scene: str) -> bool:
    return "://" not in scene and not scene.startswith("/vsi")


def _absolute(name: str, suffix: str) -> str:
    return str(Path(name).absolute()) if name.endswith(suffix) else name
