"""Many scenes, one folder each: in processes of this machine, or on a Dask cluster."""

from __future__ import annotations

import csv
import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from itertools import count
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from dashboard.detector import (
    DeviceError,
    NeedleError,
    OptionError,
    ScanSettings,
    StoreError,
    check_folder,
    harmless,
    run,
    whole_file,
)

EXECUTORS = ("local", "dask")
SUMMARY = "summary.csv"
STOPPED = "stopped before it was done; the same command goes on"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one scene."""

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
    end, also where it is stopped, `summary.csv` holds all outcomes, in the order of the scenes.

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
    outcomes = {str(folder): Outcome(scene, str(folder), error=STOPPED) for scene, folder in jobs}
    try:
        for outcome in ended:
            outcomes[outcome.folder] = outcome
            yield outcome
    finally:
        _write(out, summary(list(outcomes.values())))


def _write(out: Path, text: str) -> None:
    """The summary in one step.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        with whole_file(out / SUMMARY) as file:
            file.write(text.encode(errors="replace"))
    except OSError as error:
        raise StoreError(
            f"{out / SUMMARY}: cannot be written ({error.strerror}); make room"
        ) from error


def folders(scenes: Sequence[str], out: Path) -> list[Path]:
    """A folder for each scene, named after it; numbered where names meet, each another.

    Names that differ only in capitals meet: some file systems take them for one.
    """
    stems = [Path(scene).stem or "scene" for scene in scenes]
    names = {stem.casefold() for stem in stems}  # that scenes have without a number
    taken: set[str] = set()
    found = []
    for stem in stems:
        numbered = (f"{stem}-{number}" for number in count(2))
        free = (name for name in numbered if name.casefold() not in names | taken)
        name = next(free) if stem.casefold() in taken else stem
        taken.add(name.casefold())
        found.append((out / name).absolute())
    return found


def scan_one(scene: str, folder: str, settings: ScanSettings) -> Outcome:
    """The outcome of one scene, scanned into its folder; runs in a worker."""
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
        with ProcessPoolExecutor(1, get_context("spawn"), _end_with_parent) as pool:
            yield _outcome(
                pool.submit(scan_one, scene, str(folder), settings).result, scene, folder
            )


def _end_with_parent() -> None:
    """Has this process end with the one that began it, which can be killed before it says so."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="needle-parent", daemon=True).start()


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
            client.submit(scan_one, scene, str(folder), settings, pure=False): (scene, folder)
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
