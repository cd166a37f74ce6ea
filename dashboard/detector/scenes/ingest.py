"""A picture file read once, along its native blocks, into a tiled GeoTIFF that reads fast.

By what the file holds, so that a picture is ingested once whatever its name; the file takes its
final name when it is complete. A child process decodes it (`decoder_process.py`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from dashboard.detector.errors import DamagedScene, UnknownFormat, unwritable
from dashboard.detector.files.detached_label import beside, label_beside, pixels_of
from dashboard.detector.files.formats import GDAL_OPTIONS, LABEL, identify, local_file
from dashboard.detector.files.picture import NONE, given_nodata
from dashboard.detector.files.world_files import WorldFile, world_file
from dashboard.detector.georeference.labels import meant_crs
from dashboard.detector.scenes.decoder_process import Order, Progress, decode, prepare
from dashboard.detector.scenes.scene import TAG, Scene
from dashboard.detector.scenes.survey import survey_file
from dashboard.detector.system.cache import cache_limit, keep_within
from dashboard.detector.system.home import needle_home
from dashboard.detector.system.locks import alone

VERSION = 6  # of what an ingested file holds; another number makes every scene be ingested again
UPLOADS = "uploads"  # the folder of Needle's own in which uploads lie
STALE_SECONDS = 24 * 3600.0  # a working folder this old was left by a crash
LARGE = 1 << 26  # bytes of a file whose checksum is kept; no such file is rewritten within a tick


def ingest(
    path: str | Path,
    home: Path | None = None,
    *,
    name: str | None = None,
    nodata: str | None = None,
    on_progress: Progress | None = None,
) -> Scene:
    """The scene of a picture file, from the cache where its content was ingested before.

    Args:
        path: a local picture of one of the `FORMATS`, or the label of one.
        home: the folder of Needle's own files; `needle_home()` otherwise.
        name: what the user calls the file; its own name otherwise.
        nodata: what the user says it is, a DN or `none`; what the file and its DN tell otherwise.
        on_progress: called with the part that is done, 0 to 1.

    Raises:
        SceneError: the picture is absent, of no supported format, damaged, too large or empty.
        StoreError: there is no room, or no leave, to write the ingested file.
    """
    source = local_file(path)
    name = _written(name or source.name)
    report = on_progress or (lambda _: None)
    source, pixels = _label_and_pixels(source, name, home)
    if source.stat().st_size >= LARGE:
        prepare()  # while the checksum takes its time
    digest = _sha256(source)
    if pixels:
        digest = hashlib.sha256(f"{digest} {_sha256(pixels)}".encode()).hexdigest()
    folder = (home or needle_home()) / "scenes"
    world = None if _uploaded(source, home) or pixels else world_file(source)
    target = folder / f"{digest[:16]}-v{VERSION}{_variant(nodata, world)}.tif"
    scene = _cached(target, name)
    if scene is None:
        limit = cache_limit()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with alone(folder / f".{digest[:16]}.lock", lambda: report(0.0)):
                scene = _cached(target, name)
                if scene is None:
                    order = Order("", "", name, digest, nodata)
                    scene = _ingested((source, pixels), target, order, report, world)
                    keep_within(folder, limit, "[!.]*", target)
        except OSError as error:
            raise unwritable(folder, error) from error
    report(1.0)
    return scene


def _ingested(
    files: tuple[Path, Path | None],
    target: Path,
    order: Order,
    report: Progress,
    world: WorldFile | None = None,
) -> Scene:
    """The scene of a picture that nobody else reads at the time."""
    folder, prefix = target.parent, f".ingest-{order.digest[:16]}-"
    for left in folder.glob(f"{prefix}*"):  # by a crash, for the work on this picture is ours
        shutil.rmtree(left, ignore_errors=True)
    _sweep(folder)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as work:
        order = replace(order, source=str(_laid_out(*files, Path(work))), work=work)
        final = decode(order, report)
        if world:
            _place(final, world)
        with suppress(OSError):  # it is made again where there is none
            survey_file(final).replace(survey_file(target))
        final.replace(target)
    return Scene.open(target, order.name)


def _variant(nodata: str | None, world: WorldFile | None) -> str:
    """A suffix for the name of an ingested file: its nodata and georeference, where given."""
    said = "" if nodata is None else f"-nodata{given_nodata(nodata)}".replace("None", NONE)
    if world:
        said += f"-at{hashlib.sha256(repr(world).encode()).hexdigest()[:8]}"
    return said


def _place(ingested: Path, world: WorldFile) -> None:
    """Writes into an ingested file where files beside its picture place it; its own label wins."""
    with rasterio.Env(**GDAL_OPTIONS), rasterio.open(ingested, "r+", driver="GTiff") as out:
        facts = json.loads(out.tags()[TAG])
        facts |= _placed(facts, world)
        out.update_tags(**{TAG: json.dumps(facts, allow_nan=False)})


def _placed(facts: dict[str, Any], world: WorldFile) -> dict[str, Any]:
    """The facts of a picture that change by the world file beside it."""
    own, notes = facts["transform"], [*facts["notes"], *world.notes]
    place = {"transform": own or world.transform, "crs": facts["crs"]}
    if own and world.transform and not np.allclose(own, world.transform, rtol=1e-9):
        notes.append(f"{world.names} beside it does not place it: it says itself where it lies")
    elif not own and world.transform:
        notes.append(f"placed by {world.names} beside it")
    elif world.crs and not own:
        notes.append(f"{world.names} beside it says nothing without a world file")
    elif world.crs and not facts["crs"]:
        notes.append(f"its CRS is that of {world.names} beside it")
    if world.crs and place["transform"] and not place["crs"]:
        place["crs"], note = meant_crs(world.crs)
        notes += [note] if note else []
    return place | {"notes": notes}


def _uploaded(source: Path, home: Path | None) -> bool:
    """True for an upload, which lies among those of others: what is beside it is not its own."""
    return source.parent == (home or needle_home()) / UPLOADS


def _label_and_pixels(source: Path, name: str, home: Path | None) -> tuple[Path, Path | None]:
    """A label and the file of its pixels, whichever is given; a picture in one file, and None.

    An upload lies among those of others, whose files its label must not name.
    """
    uploaded = _uploaded(source, home)
    try:
        known = identify(source, name)
    except UnknownFormat:
        label = None if uploaded else label_beside(source)
        if label is None or pixels_of(label, label.name) is None:
            raise
        return _label_and_pixels(label, name, home)
    if known.driver != "PDS" or uploaded:
        return source, None
    named = pixels_of(source, name)
    return source, beside(source, named, name) if named is not None else None


def _laid_out(source: Path, pixels: Path | None, work: Path) -> Path:
    """The picture as GDAL takes it: under a name that is text, a label beside its pixels alone."""
    if pixels:
        named = pixels_of(source, source.name)
        assert named is not None
        (work / named).symlink_to(pixels)
        shutil.copyfile(source, work / LABEL)
        return work / LABEL
    if _written(str(source)) == str(source):
        return source
    link = work / "source"
    link.symlink_to(source)
    return link


def _written(name: str) -> str:
    """A name that can be written in any file: bytes that are no text become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _cached(target: Path, name: str) -> Scene | None:
    """The scene ingested before; None where there is none, or another hand has spoilt it."""
    if not target.exists():
        return None
    try:
        return Scene.open(target, name)
    except DamagedScene:
        return None


def _sha256(path: Path) -> str:
    try:
        seen = path.stat()
        if seen.st_size >= LARGE:
            return _known_sha256(path, seen.st_size, seen.st_mtime_ns, seen.st_ino)
        return _sha256_of(path)
    except OSError as error:
        raise DamagedScene(f"{path.name}: cannot be read ({error.strerror})") from error


@lru_cache(maxsize=256)
def _known_sha256(path: Path, *_as_it_was: int) -> str:
    """The checksum of a file that has been read before and has not been touched since."""
    return _sha256_of(path)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sweep(folder: Path) -> None:
    """Removes what a crash left behind long ago."""
    for left in folder.glob(".ingest-*"):
        try:
            old = time.time() - left.stat().st_mtime > STALE_SECONDS
        except FileNotFoundError:
            continue
        if old:
            shutil.rmtree(left, ignore_errors=True)
