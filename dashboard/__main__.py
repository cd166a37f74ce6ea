"""The command line: `python -m dashboard [COMMAND]`; without a command it serves the pages."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dashboard.detector import (
    DEVICES,
    RULES,
    Finished,
    Model,
    NeedleError,
    ScanSettings,
    ScanStore,
    Scene,
    StoreError,
    fetch,
    ingest,
    scan,
    write_results,
)

ROOT = Path(__file__).resolve().parents[1]
BAD_INPUT, STOPPED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 on bad input with one line on standard error."""
    options = parser().parse_args(arguments)
    try:
        options.command(options)
    except NeedleError as error:
        print(f"needle: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("needle: stopped; the same command goes on where it was", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has enough
    return 0


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = OneLineParser(prog="python -m dashboard", description=__doc__)
    top.set_defaults(command=serve, port=8501, address="localhost")
    top.add_argument("--port", type=int, help="of the pages (default 8501)")
    top.add_argument("--address", help="who may open them: localhost (default), or 0.0.0.0 for all")
    commands = top.add_subparsers(metavar="COMMAND")
    defaults = ScanSettings()

    scans = commands.add_parser("scan", help="scan a picture and write what was found")
    scans.add_argument("scene", help="a PNG, JPEG, TIFF or JPEG 2000 picture")
    scans.add_argument("--out", required=True, type=Path, metavar="DIR")
    scans.add_argument("--model", default=defaults.model, help="a name in exported/, or a file")
    scans.add_argument("--sigma", type=float, default=defaults.sigma, help="threshold (default 3)")
    scans.add_argument("--rule", choices=RULES, default=defaults.rule, help="what sigma is")
    scans.add_argument("--top", type=int, help="the strongest so many, whatever their sigma")
    scans.add_argument("--stride", type=int, help="distance of tiles in px (default: the model's)")
    scans.add_argument("--device", choices=DEVICES, default=defaults.device)
    scans.set_defaults(command=run_scan)

    info = commands.add_parser("info", help="what a picture is, as JSON")
    info.add_argument("scene")
    info.set_defaults(command=run_info)

    fetches = commands.add_parser("fetch", help="a HiRISE product from its public archive")
    fetches.add_argument("observation", metavar="OBSERVATION_ID", help="as ESP_028401_1755")
    fetches.add_argument("--out", type=Path, metavar="DIR", help="default: in Needle's own folder")
    fetches.add_argument("--archive", metavar="URL", help="of another copy of the archive")
    fetches.set_defaults(command=run_fetch)
    return top


class OneLineParser(argparse.ArgumentParser):
    """A parser whose complaints take one line."""

    def error(self, message: str) -> Any:
        """Leave with one line on standard error."""
        self.exit(BAD_INPUT, f"needle: {message}; see {self.prog} --help\n")


def serve(options: argparse.Namespace) -> None:
    """Open the dashboard; the process becomes Streamlit's."""
    from streamlit.runtime.pages_manager import PagesManager

    # `pages` beside the app is a package of ours. Streamlit takes it for a folder of scripts until
    # the app has run once, so that the first visitor of /review would see a bare script.
    PagesManager.uses_pages_directory = False
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)  # where Streamlit looks for .streamlit/config.toml
    from dashboard import server

    server.serve(options.port, options.address)


def run_scan(options: argparse.Namespace) -> None:
    """`scan`: ingest, score what is not scored yet, write the results."""
    names = ("model", "stride", "device", "sigma", "top", "rule")
    settings = ScanSettings(**{name: getattr(options, name) for name in names})
    _check_folder(options.out)
    began = time.monotonic()
    with progress("Reading", 100, " %") as bar:
        scene = ingest(options.scene, on_progress=lambda part: _advance(bar, round(100 * part)))
    ingested = time.monotonic()
    model = Model.load(settings.model, settings.device)
    store = ScanStore.for_scan(scene, model, settings.stride)
    kept = store.done
    with progress("Scanning", store.total, f" {store.unit}s") as bar:
        _advance(bar, kept)
        for step in scan(store, scene, model):
            _advance(bar, step.done)
    facts = {
        "seconds": {"ingest": round(ingested - began, 3)},
        "tiles_kept_from_before": kept,
        "device_note": model.fallback_reason,
        "peak_memory_mb": peak_memory_mb(),
    }
    finished = Finished(store, scene, store.scores(), settings, facts)
    write_results(options.out, finished)
    found, device = len(finished.detections), model.device_label
    flags = f"{len(finished.flagged)} flagged {store.unit}s"
    print(f"{scene.name}: {found} detections, {flags} ({device})")
    print(options.out / "detections.csv")


def run_info(options: argparse.Namespace) -> None:
    """`info`: the facts of a picture, as JSON on standard output."""
    with progress("Reading", 100, " %") as bar:
        scene = ingest(options.scene, on_progress=lambda part: _advance(bar, round(100 * part)))
    print(json.dumps(facts_of(scene), indent=1))


def run_fetch(options: argparse.Namespace) -> None:
    """`fetch`: the product on disk; a broken download goes on. Its path on standard output."""
    with progress(options.observation, 0, "B", unit_scale=True) as bar:

        def arriving(there: int, total: int) -> None:
            bar.total = total
            _advance(bar, there)

        found = fetch(
            options.observation, options.out, archive=options.archive, on_progress=arriving
        )
    print(found)


def facts_of(scene: Scene) -> dict[str, Any]:
    """What `info` says of a scene."""
    middle = scene.lonlat(scene.width / 2, scene.height / 2)
    return scene.facts() | {
        "crs": scene.crs_name,
        "metres_per_pixel": scene.pixel_size,
        "centre_lonlat": middle,
    }


def peak_memory_mb() -> float | None:
    """The most memory this process has held, in MB; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)


def progress(title: str, total: int, unit: str, **how: Any) -> Any:
    """A bar on standard error where that is a terminal; silent elsewhere."""
    from tqdm import tqdm

    return tqdm(total=total, desc=title, unit=unit, disable=None, leave=False, **how)


def _advance(bar: Any, done: int) -> None:
    bar.update(done - bar.n)


def _check_folder(folder: Path) -> None:
    """Says before hours of scanning that the results could not be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be made ({error.strerror}); give another --out"
        ) from error
    if not os.access(folder, os.W_OK):
        raise StoreError(f"{folder}: may not be written to; give another --out")


if __name__ == "__main__":
    sys.exit(main())
