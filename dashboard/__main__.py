"""The command line: `python -m dashboard [COMMAND]`; without a command it serves the pages."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from dashboard.background.learning import Lesson, Step, learn
from dashboard.batch import EXECUTORS, SUMMARY, batch
from dashboard.detector import (
    DEVICES,
    RULES,
    Coverage,
    Finished,
    Model,
    NeedleError,
    Region,
    ScanSettings,
    ScanStore,
    Scene,
    SceneError,
    false_alarms,
    fetch,
    holdings,
    ingest,
    list_scans,
    needle_home,
    prune,
    run,
)

ROOT = Path(__file__).resolve().parents[1]
BAD_INPUT, STOPPED = 2, 130
NODATA_HELP = "the DN that is no ground, or none where all are (default: as the file tells)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 on bad input with one line on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # no name may be one that a terminal cannot print
            stream.reconfigure(errors="replace")
    options = parser().parse_args(_join_area(sys.argv[1:] if arguments is None else arguments))
    try:
        options.command(options)
    except NeedleError as error:
        print(one_line(f"needle: {error}"), file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("needle: stopped; the same command goes on where it was", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has enough
    return 0


def one_line(text: str) -> str:
    """The text without what breaks a line or steers a terminal: names of files hold anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _join_area(arguments: Sequence[str]) -> list[str]:
    """The arguments with an area that begins with a minus joined to its option."""
    found = list(arguments)
    for place in range(len(found) - 1, 0, -1):
        if found[place - 1] == "--area" and re.match(r"-[\d.]", found[place]):
            found[place - 1 : place + 1] = [f"--area={found[place]}"]
    return found


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = OneLineParser(prog="python -m dashboard", description=__doc__)
    top.set_defaults(command=serve, port=8501, address="localhost")
    top.add_argument("--port", type=int, help="of the pages (default 8501)")
    top.add_argument("--address", help="who may open them: localhost (default), or 0.0.0.0 for all")
    commands = top.add_subparsers(metavar="COMMAND")

    scans = commands.add_parser("scan", help="scan a picture and write what was found")
    scans.add_argument("scene", help="a PNG, JPEG, TIFF, JPEG 2000, PDS3 or ISIS picture")
    _scan_options(scans)
    scans.add_argument(
        "--learn",
        action="store_true",
        help="let a copy of the model learn the scene's own ground first, for some minutes; kept "
        "for the next time",
    )
    scans.set_defaults(command=run_scan)

    many = commands.add_parser("batch", help="scan many pictures, a folder of results each")
    many.add_argument("scenes", nargs="+", metavar="SCENE")
    _scan_options(many)
    many.add_argument("--executor", choices=EXECUTORS, default=EXECUTORS[0])
    many.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster")
    many.set_defaults(command=run_batch)

    info = commands.add_parser("info", help="what a picture is, as JSON")
    info.add_argument("scene")
    info.add_argument("--nodata", metavar="DN|none", help=NODATA_HELP)
    info.set_defaults(command=run_info)

    homes = commands.add_parser("home", help="what Needle keeps on this machine, and what may go")
    homes.add_argument(
        "--prune", action="store_true", help="remove what nobody has used for 30 days; no verdicts"
    )
    homes.set_defaults(command=run_home)

    fetches = commands.add_parser("fetch", help="a HiRISE product from its public archive")
    fetches.add_argument("observation", metavar="OBSERVATION_ID", help="as ESP_028401_1755")
    fetches.add_argument("--out", type=Path, metavar="DIR", help="default: in Needle's own folder")
    fetches.add_argument("--archive", metavar="URL", help="of another copy of the archive")
    fetches.set_defaults(command=run_fetch)
    return top


def _scan_options(command: argparse.ArgumentParser) -> None:
    """The options that decide a scan."""
    defaults = ScanSettings()
    command.add_argument("--out", required=True, type=_folder, metavar="DIR")
    command.add_argument("--model", default=defaults.model, help="a name in exported/, or a file")
    threshold = command.add_mutually_exclusive_group()
    threshold.add_argument(
        "--sigma", type=float, default=defaults.sigma, help="threshold (default 3)"
    )
    threshold.add_argument(
        "--false-alarms",
        type=float,
        metavar="N",
        help="instead: the threshold at which to expect so many in a scene",
    )
    command.add_argument("--rule", choices=RULES, default=defaults.rule, help="what sigma is")
    command.add_argument("--top", type=int, help="the strongest so many, whatever their sigma")
    command.add_argument(
        "--hide-artefacts",
        dest="artefacts",
        action="store_false",
        help="leave out what the camera or the file may have made",
    )
    command.add_argument(
        "--stride", type=int, help="distance of tiles in px (default: the model's)"
    )
    command.add_argument(
        "--area",
        metavar="FILE|X0,Y0,X1,Y1",
        help="of interest: polygons in GeoJSON or GeoPackage, or a box in pixels",
    )
    command.add_argument("--nodata", metavar="DN|none", help=NODATA_HELP)
    command.add_argument("--device", choices=DEVICES, default=defaults.device)


def _folder(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("give the name of a folder; . is the current one")
    return Path(text)


def _settings(options: argparse.Namespace) -> ScanSettings:
    known = vars(options)
    return ScanSettings(**{option.name: known[option.name] for option in fields(ScanSettings)})


class OneLineParser(argparse.ArgumentParser):
    """A parser whose complaints take one line."""

    def error(self, message: str) -> Any:
        """Leave with one line on standard error."""
        self.exit(BAD_INPUT, one_line(f"needle: {message}; see {self.prog} --help") + "\n")


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
    settings = _settings(options)
    if options.learn:
        settings = replace(settings, model=str(_learn_scene(options.scene, settings)))
    with progress("Reading", 100, " %") as reading, progress("Scanning", 0, "") as scanning:

        def scored(store: ScanStore) -> None:
            reading.close()
            scanning.total, scanning.unit = store.total, f" {store.unit}s"
            _advance(scanning, store.done)

        finished = run(
            options.scene,
            options.out,
            settings,
            lambda part: _advance(reading, round(100 * part)),
            scored,
        )
    print(one_line(f"{finished.scene.name}: {_summary(finished)}"))
    print(options.out / "detections.csv")


def _summary(finished: Finished) -> str:
    """A line of results: detections, threshold, false alarms to expect, device."""
    found, store, sigma = len(finished.detections), finished.store, finished.settings.sigma
    beyond = f"{len(finished.flagged)} {store.unit}s beyond {sigma:.3g} sigma"
    doubted = " (not to be relied on)" if finished.doubts else ""
    expected = f"expect {false_alarms(finished.expected)}{doubted}"
    return f"{found} detections, {beyond}; {expected} ({store.device_label})"


def _learn_scene(picture: str, settings: ScanSettings) -> Path:
    """The model that has learned a picture's ground: now, where it has not before."""
    with progress("Reading", 100, " %") as reading, progress("Learning", 100, " %") as bar:
        scene = ingest(
            picture,
            nodata=settings.nodata,
            on_progress=lambda part: _advance(reading, round(100 * part)),
        )
        reading.close()
        model = Model.load(settings.model, settings.device)

        def told(step: Step | None) -> None:
            _advance(bar, round(100 * step.part) if step else 0)

        return learn(Lesson(scene, model), told)


def run_batch(options: argparse.Namespace) -> None:
    """`batch`: each scene into a folder of its own; one line a scene, and a summary."""
    ended = batch(
        options.scenes, options.out, _settings(options), options.executor, options.scheduler
    )
    failed = 0
    with progress("Scenes", len(options.scenes), " scenes") as bar:
        for outcome in ended:
            failed += bool(outcome.error)
            bar.update()
            bar.clear()
            print(one_line(outcome.error or f"{outcome.scene}: {outcome.detections} detections"))
    print(options.out / SUMMARY)
    if failed:
        raise SceneError(f"{failed} of {len(options.scenes)} scenes failed; {SUMMARY} says why")


def run_info(options: argparse.Namespace) -> None:
    """`info`: the facts of a picture, as JSON on standard output."""
    with progress("Reading", 100, " %") as bar:
        scene = ingest(
            options.scene,
            nodata=options.nodata,
            on_progress=lambda part: _advance(bar, round(100 * part)),
        )
    print(json.dumps(facts_of(scene), indent=1, allow_nan=False))


def run_home(options: argparse.Namespace) -> None:
    """`home`: a line a folder of Needle's home; with `--prune` what went, first."""
    if options.prune:
        print(f"{prune() / 1e6:,.0f} MB removed")
    print(needle_home())
    for held in holdings():
        line = f"{held.kind.name:8} {held.entries:6,} {held.size / 1e6:10,.0f} MB"
        line += f", {held.prunable / 1e6:,.0f} MB may go: {held.kind.what}, "
        print(line + f"had again {held.kind.again}")
    print("verdicts are kept in verdicts.sqlite and never removed")


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
    """The lines of `info` about a scene."""
    middle = scene.lonlat(scene.width / 2, scene.height / 2)
    return scene.facts() | {
        "crs": scene.crs_name,
        "metres_per_pixel": scene.pixel_size,
        "centre_lonlat": middle,
        "scans": [_scan_facts(store, scene) for store in _scans_of(scene)],
    }


def _scans_of(scene: Scene) -> list[ScanStore]:
    """The stored scans of a scene, newest first."""
    return [store for store in list_scans() if store.record.scene_sha256 == scene.sha256]


def _scan_facts(store: ScanStore, scene: Scene) -> dict[str, Any]:
    """How much of the ground a scan has scored."""
    region = store.record.region
    coverage = Coverage(scene, store.scores(), Region(region) if region else None)
    scanned = {"model": store.model_name, "stride": store.stride, "created": store.created}
    return scanned | {"finished": store.finished} | coverage.record()


def progress(title: str, total: int, unit: str, **how: Any) -> Any:
    """A bar on standard error where that is a terminal; silent elsewhere."""
    from tqdm import tqdm

    return tqdm(total=total, desc=title, unit=unit, disable=None, leave=False, **how)


def _advance(bar: Any, done: int) -> None:
    bar.update(done - bar.n)


if __name__ == "__main__":
    sys.exit(main())
