"""A scan: every position scored, then a look or two at each place; stored as it goes, resumable."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import rasterio

from dashboard.detector.areas.area_of_interest import Region
from dashboard.detector.errors import NoGround, StoreError
from dashboard.detector.files.formats import GDAL_OPTIONS
from dashboard.detector.models.judge import Judge
from dashboard.detector.models.model import Model
from dashboard.detector.scanning.judging import judge_places
from dashboard.detector.scanning.pieces import VALID, Pieces, Reading, infer, minus_local_mean, read
from dashboard.detector.scanning.store import LOOKING, ScanRecord, ScanStore, Scores, lock_path
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.system.locks import PAUSE, Lock
from dashboard.detector.system.prefetch import map_in_order, prefetch

READ_AHEAD = 2  # pieces that wait for the network; each takes some 20 MB
RECENT = 30.0  # seconds over which a scan's rate is measured
SETTLE_SECONDS = 1.0  # between two writes of a scan's progress
TRIAL_SECONDS = 1.5  # of an estimate, besides the first piece, which warms up
TRIAL_PIECES = 64  # at most


@dataclass(frozen=True)
class Progress:
    """How far a scan is."""

    done: int  # tiles
    total: int
    rate: float  # tiles a second, of late; 0 until two batches came

    @property
    def fraction(self) -> float:
        return self.done / self.total

    @property
    def left(self) -> float | None:
        """Seconds left; None while the rate is not known."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None


def scan(store: ScanStore, scene: Scene, model: Model) -> Iterator[Progress]:
    """Score what is left of a scan, piece by piece, then look at the places that are left.

    A caller that stops asking stops the scan. While another process works on it, its progress is
    given, and what it leaves is gone on with.

    Raises:
        StoreError: the store cannot be written, or belongs to another scene or model.
        NoGround: no tile of the finished scan could be scored.
    """
    record = store.record
    theirs = scene.sha256, model.sha256, model.judge.sha256 if model.judge else ""
    if (record.scene_sha256, record.model_sha256, record.judge_sha256) != theirs:
        raise StoreError(f"{store.key}: the scan of another scene or model; start a new one")
    while (lock := _lock(store)) is None:
        store.reload()
        yield Progress(store.done, store.total, 0.0)
        time.sleep(PAUSE)
    with lock:
        store.reload()
        yield from _scan(store, scene, model)


def _lock(store: ScanStore) -> Lock | None:
    try:
        return Lock.take(lock_path(store.folder))
    except OSError as error:
        raise _unwritable(store, error) from error


def _scan(store: ScanStore, scene: Scene, model: Model) -> Iterator[Progress]:
    """Scores and looks at what is left of a scan on which nobody else works."""
    record = store.record
    sitting = _Sitting(store)
    yield from _score(sitting, scene, model)
    store.forget_surprise()
    if not store.scores().scored:
        where = " in the area of interest" if record.region else ""
        raise NoGround(
            f"{scene.name}: no tile of {record.tile} px{where} holds {VALID:.0%} ground; "
            f"give a larger or a fuller {'area' if record.region else 'picture'}"
        )
    if model.judge:
        yield from _judge_places(sitting, scene, model.judge)


class _Sitting:
    """One uninterrupted stretch of a scan: its progress, written from time to time."""

    def __init__(self, store: ScanStore) -> None:
        self.store, self._before = store, store.record.seconds
        self._began = self._settled = time.monotonic()
        self._came: deque[tuple[float, int]] = deque()  # when batches came, and what was done then

    def progress(self, **changes: Any) -> Progress:
        """Puts changes into the record of the scan, in memory; how far it is."""
        now, store = time.monotonic(), self.store
        seconds = self._before + now - self._began
        store.record = replace(store.record, seconds=seconds, **changes)
        return Progress(store.done, store.total, self._rate(now))

    def _rate(self, now: float) -> float:
        """Tiles a second over the last `RECENT` seconds.

        The first batch, which starts the network, does not count; nor does what lies long ago:
        ground takes longer than nodata.
        """
        came = self._came
        came.append((now, self.store.done))
        while len(came) > 2 and now - came[1][0] >= RECENT:
            came.popleft()
        (first, before), (last, after) = came[0], came[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def due(self) -> bool:
        """True where the progress should be written."""
        now = time.monotonic()
        if now - self._settled <= SETTLE_SECONDS:
            return False
        self._settled = now
        return True


def _score(sitting: _Sitting, scene: Scene, model: Model) -> Iterator[Progress]:
    """Scores the positions that are left, piece by piece."""
    store = sitting.store
    if store.scored:
        return
    record = store.record
    values = store.values("r+")
    surprise = store.surprise() if record.around else None
    runs_on = {"provider": model.provider, "device": model.device_label}
    try:
        with prefetch(_readings(record, scene, model.card.sees), READ_AHEAD) as readings:
            for reading, found in score_pieces(readings, scene, model):
                _keep(values, surprise, reading, found, record.around)
                done = store.record.done + reading.piece.count
                progress = sitting.progress(done=done, **runs_on)
                if sitting.due():
                    _settle(store, values, surprise)
                    values = store.values("r+")  # lest what was written stay in memory
                    surprise = store.surprise() if record.around else None
                yield progress
    finally:
        _settle(store, values, surprise)


def _judge_places(sitting: _Sitting, scene: Scene, judge: Judge) -> Iterator[Progress]:
    """Looks at the places that are left, batch by batch; chooses them where that is to be done."""
    store = sitting.store
    if store.record.places is None:
        try:
            store.choose_places()
        except OSError as error:
            raise _unwritable(store, error) from error
    table = store.places("r+")
    assert table is not None
    try:
        for found in judge_places(table, store.record.looked, scene, judge, store.record.grid):
            last = table.put(found.first, *found.judgement)
            yield sitting.progress(looked=last)
            if sitting.due():
                _settle(store, table)
    finally:
        _settle(store, table)


def _readings(record: ScanRecord, scene: Scene, margin: int) -> Generator[Reading, None, None]:
    """The pieces left to score, in their order, each read when the network will soon want it."""
    with rasterio.Env(**GDAL_OPTIONS):
        for piece in Pieces(record).after(record.done):
            yield read(record, piece, scene, margin)


def _keep(
    values: Scores, surprise: Scores | None, reading: Reading, found: Scores, around: int
) -> None:
    """Puts the scores of a piece among all, given what the network said of it."""
    piece = reading.piece
    if surprise is not None:
        surprise[piece.fresh] = found
        found = minus_local_mean(surprise[piece.window], around)
    scores = np.full((piece.rows, piece.cols), np.nan, np.float32)
    scores[reading.chosen] = found if found.ndim == 1 else found[reading.chosen]
    values[piece.part] = scores


def score_pieces(
    readings: Iterable[Reading], scene: Scene, model: Model
) -> Iterator[tuple[Reading, Scores]]:
    """Readings with what the network says, in their order; each session takes its share."""
    free: queue.SimpleQueue[Model] = queue.SimpleQueue()
    for shard in model.shards:
        free.put(shard)

    def work(reading: Reading) -> tuple[Reading, Scores]:
        shard = free.get()
        try:
            return reading, infer(reading, scene, shard)
        finally:
            free.put(shard)

    if not model.parallel_sessions:
        return map(work, readings)
    return map_in_order(work, readings, free.qsize())


def estimate(
    scene: Scene, model: Model, stride: int | None = None, region: Region | None = None
) -> float:
    """Seconds that scanning the scene would take here, from a short trial on its own tiles.

    The trial takes about two seconds; it times reading and network together on batches from all
    over the area, after one to warm up. Tiles without ground cost as little in it as in the scan.
    """
    record = ScanRecord.of(scene, model, model.card.stride if stride is None else stride, region)
    pieces = Pieces(record)
    there = pieces.touched()
    if not there:
        return 0.0
    chosen = np.random.default_rng(0).permutation(there)[:TRIAL_PIECES].tolist()
    tried = [pieces[number] for number in (chosen[0], *chosen)]
    readings = (read(record, piece, scene, model.card.sees) for piece in tried)
    done, began = 0, time.monotonic()
    for turn, (reading, _) in enumerate(score_pieces(readings, scene, model)):
        done += reading.piece.count
        if turn == 0:
            done, began = 0, time.monotonic()
        elif time.monotonic() - began > TRIAL_SECONDS:
            break
    total = sum(pieces[number].count for number in there) * (1 + LOOKING * bool(model.judge))
    return (time.monotonic() - began) / done * total


def _settle(store: ScanStore, *written: Any) -> None:
    """Puts what was written on disk, then says how far it reaches, in this order."""
    try:
        for array in written:
            if array is not None:
                array.flush()
        store.write_record()
    except OSError as error:
        raise _unwritable(store, error) from error


def _unwritable(store: ScanStore, error: OSError) -> StoreError:
    return StoreError(
        f"{store.folder}: the scores cannot be written ({error.strerror}); make room and resume"
    )
