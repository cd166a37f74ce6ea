"""A scan on disk: what is scanned, how far it is, and the scores.

A scan is a folder of two files: `scan.json` says what is scanned and how far it is, `scores.npy`
holds one float32 a position of the grid, NaN where there is no score (yet). While a scan is under
way whose scores stand out from the surprise around them, `surprise.npy` holds that. What a judge
says of places is in `places.npy`, which is made when all scores are known.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dashboard.detector.areas.area_of_interest import Region
from dashboard.detector.errors import NoGround, OptionError, StoreError
from dashboard.detector.models.judge import Judge
from dashboard.detector.models.model import Model
from dashboard.detector.scanning import peaks, place_table
from dashboard.detector.scanning.place_table import PlaceTable
from dashboard.detector.scanning.score_map import ScoreMap
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.system.arrays_on_disk import write_array
from dashboard.detector.system.home import needle_home
from dashboard.detector.system.locks import alone
from dashboard.detector.system.whole_file import whole_file
from dashboard.detector.tiling import Grid

# Positions along a side of the square that a network for areas looks at at a time. `guarded` sees
# its margin at reduced resolution alone; of larger squares the processor's cache does not hold what
# it makes.
SIDE = 192
VERSION = 2  # of the stored files
LOOKING = 0.55  # of the time that scoring takes, for looking at places: what progress reckons with
COMPARING = 0.05  # of that, for comparing all places when the last has been looked at
SURPRISE = "surprise.npy"

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class ScanRecord:
    """The record of a scan, as `scan.json` holds it."""

    version: int
    scene: str  # as the user knows the file
    scene_path: str  # the ingested file
    scene_sha256: str  # of the source file
    model: str
    model_path: str
    model_sha256: str
    width: int  # px of the scene
    height: int
    tile: int  # px
    window: int  # px
    stride: int  # px
    batch: int  # tiles, or positions along a side of an area
    area: bool  # scored area by area, not tile by tile
    created: str  # ISO 8601, UTC
    done: int = 0  # tiles, row by row
    seconds: float = 0.0  # of scoring, over all sittings
    provider: str = ""  # of ONNX Runtime, as it really ran last
    device: str = ""
    region: str | None = None  # the area of interest as GeoJSON in pixels; None: the whole scene
    around: int = 0  # positions: side of the square of surprise that scores stand out from; 0: none
    judge_path: str = ""  # of the network that looks at single places; "": none does
    judge_sha256: str = ""
    described: int = 0  # numbers by which it describes a place
    table: int = 0  # version of the table of places; 0: there is to be none
    places: int | None = None  # in that table; None: not yet known
    looked: int = 0  # places that have been looked at, in the table's order

    @classmethod
    def of(
        cls, scene: Scene, model: Model, stride: int, region: Region | None = None
    ) -> ScanRecord:
        """The record of a scan yet to begin.

        Raises:
            OptionError: the stride has no sensible meaning.
            NoGround: the scene is smaller than a tile.
        """
        record = cls(
            version=VERSION,
            scene=scene.name,
            scene_path=str(scene.path),
            scene_sha256=scene.sha256,
            model=model.name,
            model_path=str(model.path),
            model_sha256=model.sha256,
            width=scene.width,
            height=scene.height,
            tile=model.card.tile,
            window=model.card.score_window,
            stride=stride,
            batch=SIDE if model.card.area else model.batch,
            area=model.card.area,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            region=region.text if region else None,
            around=model.card.around,
            **_judged_by(model.judge),
        )
        if stride > record.tile:
            raise OptionError(
                f"the stride is {stride} px; beyond the tile of {record.tile} px ground is missed"
            )
        try:
            len(record.grid)
        except NoGround as error:
            raise NoGround(f"{scene.name}: {error}") from error
        return record

    @classmethod
    def from_json(cls, text: str) -> ScanRecord:
        """The record that `scan.json` holds, less what earlier versions said of other models."""
        said, known = json.loads(text), {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in said.items() if name in known})

    @property
    def grid(self) -> Grid:
        return Grid(self.width, self.height, self.tile, self.stride)

    @property
    def file(self) -> str:
        """The model file that was asked for: what to scan with to go on."""
        return self.judge_path or self.model_path

    @property
    def lag(self) -> int:
        """Positions, both ways together, by which surprise reaches beyond the scores."""
        return 2 * (self.around // 2)


class ScanStore:
    """One scan on disk."""

    def __init__(self, folder: Path, record: ScanRecord) -> None:
        self.folder, self.record = folder, record

    @classmethod
    def for_scan(
        cls,
        scene: Scene,
        model: Model,
        stride: int | None = None,
        home: Path | None = None,
        region: Region | None = None,
    ) -> ScanStore:
        """The stored scan of this scene, model, stride and region; a new one where there is none.

        Args:
            stride: distance of tiles in px; the model card's own otherwise.
            region: the area of interest; the whole scene otherwise.
            home: the folder of Needle's own files; `needle_home()` otherwise.

        Raises:
            OptionError: the stride has no sensible meaning.
            NoGround: the scene is smaller than a tile.
            StoreError: the folder cannot be written.
        """
        stride = model.card.stride if stride is None else stride
        record = ScanRecord.of(scene, model, stride, region)
        folder = (home or needle_home()) / "scans" / _key(record)
        try:
            stored = cls.open(folder)
        except StoreError:
            stored = cls._opened_or_created(folder, record)
        # The same pixels may since be known by another name, or have been ingested elsewhere.
        stored.record = replace(stored.record, scene=scene.name, scene_path=str(scene.path))
        return stored

    @classmethod
    def open(cls, folder: Path) -> ScanStore:
        """The scan stored in a folder.

        Raises:
            StoreError: there is none, or it is damaged.
        """
        try:
            record = ScanRecord.from_json((folder / "scan.json").read_text("utf-8"))
            store = cls(folder, record)
            if record.around and not store.scored:
                store.surprise()
            store.places()
            versions = record.version, record.table or PlaceTable.version
            known = versions == (VERSION, PlaceTable.version)
            if known and store.values().shape == _shape(record):
                return store
        except (OSError, ValueError, TypeError) as error:
            raise StoreError(f"{folder.name}: no stored scan that can be read") from error
        raise StoreError(f"{folder.name}: stored by another version of Needle; scan again")

    @classmethod
    def _opened_or_created(cls, folder: Path, record: ScanRecord) -> ScanStore:
        """The stored scan, which another process may make at this moment; else a new one."""
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with alone(lock_path(folder)):
                try:
                    return cls.open(folder)
                except StoreError:
                    return cls._create(folder, record)
        except OSError as error:
            raise _unwritable(folder.parent, error) from error

    @classmethod
    def _create(cls, folder: Path, record: ScanRecord) -> ScanStore:
        try:
            shutil.rmtree(folder, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as work:
                new = Path(work) / "scan"
                new.mkdir()
                write_array(new / "scores.npy", _shape(record), np.float32, np.nan)
                if record.around:
                    rows, cols = _shape(record)
                    shape = rows + record.lag, cols + record.lag
                    write_array(new / SURPRISE, shape, np.float32, np.nan)
                store = cls(new, record)
                store.write_record()
                new.rename(folder)
        except OSError as error:
            raise _unwritable(folder.parent, error) from error
        store.folder = folder
        return store

    def reload(self) -> None:
        """Takes over how far the scan is on disk, where another process may have gone on with it.

        Raises:
            StoreError: it is there no more.
        """
        try:
            found = ScanStore.open(self.folder).record
        except StoreError:  # at the moment when the other tidied up; it is at its next stage now
            found = ScanStore.open(self.folder).record
        known = self.record.scene, self.record.scene_path
        self.record = replace(found, scene=known[0], scene_path=known[1])

    @property
    def key(self) -> str:
        return self.folder.name

    @property
    def scene_name(self) -> str:
        return self.record.scene

    @property
    def model_name(self) -> str:
        return self.record.model

    @property
    def device_label(self) -> str:
        """The device that the scan last ran on; empty before it began."""
        return self.record.device

    @property
    def stride(self) -> int:
        return self.record.stride

    @property
    def unit(self) -> str:
        """The word for a unit of progress: position, or tile."""
        return "position" if self.record.area else "tile"

    @property
    def created(self) -> str:
        return self.record.created

    @property
    def seconds(self) -> float:
        """Seconds of scoring, over all sittings."""
        return self.record.seconds

    @property
    def done(self) -> int:
        """How much of `total` has been worked out."""
        record, looking = self.record, self._looking
        if record.looked != record.places:
            looking = round((1 - COMPARING) * looking * record.looked / (record.places or 1))
        return record.done + looking

    @property
    def total(self) -> int:
        """Positions to score; and what it takes to look at places, in as many positions."""
        return len(self.record.grid) + self._looking

    @property
    def _looking(self) -> int:
        return round(LOOKING * len(self.record.grid)) if self.record.judge_sha256 else 0

    @property
    def scored(self) -> bool:
        """True where every position has its score."""
        return self.record.done == len(self.record.grid)

    @property
    def finished(self) -> bool:
        return self.done == self.total

    def scene(self) -> Scene:
        """The scene that was scanned.

        Raises:
            DamagedScene: its ingested file is gone; the picture must be ingested again.
        """
        return Scene.open(self.record.scene_path, self.record.scene)

    def scores(self) -> ScoreMap:
        """The scores there are, NaN elsewhere, as they stand now.

        A finished scan's stay on disk and are mapped into memory.
        """
        values = self.values()
        known = np.asarray(values) if self.scored else np.array(values)
        places = self.places() if self.finished else None
        return ScoreMap(known, self.record.grid, self.record.window, places)

    def scores_so_far(self) -> ScoreMap:
        """The scores there are, mapped into memory: those of a scan under way still change."""
        return ScoreMap(self.values(), self.record.grid, self.record.window)

    def values(self, mode: Literal["r", "r+"] = "r") -> Scores:
        """The stored array `[rows, cols]`, mapped into memory; `r+` writes through."""
        return np.load(self.folder / "scores.npy", mmap_mode=mode)  # type: ignore[no-any-return]

    def places(self, mode: Literal["r", "r+"] = "r") -> PlaceTable | None:
        """The places to look at and what is said of them; None where there are none (yet)."""
        if self.record.places is None:
            return None
        return PlaceTable.open(self.folder / place_table.FILE, mode)

    def choose_places(self) -> None:
        """Writes the table of places to look at, once every position has its score."""
        scores = ScoreMap(self.values(), self.record.grid, self.record.window)
        path = self.folder / place_table.FILE
        part = path.with_name(f"{os.getpid()}-{path.name}")
        try:
            count = PlaceTable.write(part, peaks.places(scores), self.record.described)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        self.record = replace(self.record, places=count)
        self.write_record()

    def surprise(self) -> Scores:
        """Surprise of a scan under way, `[rows + lag, cols + lag]`, mapped for writing."""
        return np.load(self.folder / SURPRISE, mmap_mode="r+")  # type: ignore[no-any-return]

    def forget_surprise(self) -> None:
        """Removes the surprise, of which every score has been made."""
        (self.folder / SURPRISE).unlink(missing_ok=True)

    def write_record(self) -> None:
        """Put the record on disk, in one step."""
        text = json.dumps(asdict(self.record), indent=1, allow_nan=False)
        with whole_file(self.folder / "scan.json") as file:
            file.write(f"{text}\n".encode())


def list_scans(home: Path | None = None) -> list[ScanStore]:
    """The stored scans, newest first; what cannot be read is left out."""
    found = []
    for folder in ((home or needle_home()) / "scans").glob("[!.]*"):
        try:
            found.append(ScanStore.open(folder))
        except StoreError:
            continue
    return sorted(found, key=lambda store: (store.created, store.key), reverse=True)


def _key(record: ScanRecord) -> str:
    """A name for what decides the scores: the pixels as ingested, the network, the stride."""
    ingested = Path(record.scene_path).name
    parts: tuple[object, ...] = (record.version, record.scene_sha256, ingested, record.model_sha256)
    parts += (record.stride,)  # not the batch: a scan goes on with that which it began with
    if record.judge_sha256:
        parts += (record.judge_sha256, record.table)
    if record.region:
        parts += (record.region,)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


def lock_path(folder: Path) -> Path:
    """The lock that is held by who makes, goes on with or removes the scan in a folder."""
    return folder.with_name(f".{folder.name}.lock")


def _unwritable(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{folder}: cannot be written ({error.strerror}); make room or set NEEDLE_HOME"
    )


def _judged_by(judge: Judge | None) -> dict[str, Any]:
    """The fields of a record about the judge; none without a judge."""
    if judge is None:
        return {}
    return {
        "judge_path": str(judge.path),
        "judge_sha256": judge.sha256,
        "described": judge.length,
        "table": PlaceTable.version,
    }


def _shape(record: ScanRecord) -> tuple[int, int]:
    return record.grid.rows, record.grid.cols
