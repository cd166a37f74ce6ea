"""A critic's last layer fitted to a scene: what it learns, and that the graph does just that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from scipy import ndimage

from dashboard.background.learning import begun, curves, separation
from dashboard.detector import (
    Box,
    Model,
    ModelError,
    NoGround,
    OptionError,
    ScanStore,
    StoreError,
    ingest,
    read_card,
    scan,
)
from dashboard.detector.models.card import LAST
from dashboard.detector.scanning.pieces import Piece
from tests.detector import rasters
from training import synthetic_anomalies
from training.model_files import graph_of, model_file
from training.scene_adaptation import features as looking
from training.scene_adaptation import last_layer, logistic_layer
from training.scene_adaptation.adapt import adapt
from training.scene_adaptation.features import PLAIN, Eye, Run, put, recipe
from training.scene_adaptation.graph_surgery import RIM, TOP
from training.scene_adaptation.last_layer import parity
from training.scene_adaptation.logistic_layer import (
    HOLDS,
    Bend,
    Hold,
    Layer,
    Places,
    fitted,
    rescored,
)
from training.synthetic_anomalies.things import CONTRASTS

HELD, BENT = HOLDS["critic"], HOLDS["second-look"]
DEMO = Path(__file__).resolve().parents[3] / "dashboard" / "demo" / "landing-site.jp2"
CROP = Box(1504, 1536, 2144, 2176)
CRITIC = model_file("critic")


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the demo scene."""
    dn = np.asarray(ingest(DEMO).read(CROP).dn).astype(np.uint16)
    return rasters.write(tmp_path_factory.mktemp("crop") / "crop.tif", dn)


@pytest.fixture(scope="module")
def learned(picture: Path) -> Path:
    """The shipped critic after it has learned that part, its run beside it."""
    target = picture.parent / "learned.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looking, "PASSES", 2)
        patch.setattr(logistic_layer, "FEWEST", 5)
        adapt(picture, "critic", target)
    return target


def drawn(count: int, level: float, moved: float, seed: int) -> Places:
    """Places whose third of four features says what the score does not."""
    rng = np.random.default_rng(seed)
    features = rng.normal(5, 2, (count, 4))
    features[:, 2] += moved
    return Places(rng.normal(level, 1, count).astype(np.float32), features.astype(np.float32))


def test_a_layer_finds_what_tells_things_from_ground() -> None:
    ground, things = drawn(3_000, 0.0, 0.0, seed=0), drawn(400, 2.0, 4.0, seed=1)
    layer = fitted(ground, things, HELD)
    assert np.abs(layer.weight).argmax() == 2
    assert layer.weight[2] > 0
    other = drawn(400, 2.0, 4.0, seed=2)
    strongest = ground.part(np.argsort(-ground.score)[: logistic_layer.STRONGEST])
    before = np.mean(other.score[:, None] > strongest.score)
    after = np.mean(layer.after(other)[:, None] > layer.after(strongest))
    assert after > before + 0.05


def test_the_scores_of_ground_keep_their_mean_and_spread() -> None:
    ground, things = drawn(1_000, 3.0, 0.0, seed=0), drawn(400, 5.0, 4.0, seed=1)
    layer = fitted(ground, things, HELD)
    after = layer.after(ground)
    assert after.mean() == pytest.approx(ground.score.mean(), abs=1e-3)
    assert after.std() == pytest.approx(ground.score.std(), rel=1e-3)
    assert np.mean(layer.change(ground) < layer.least) == pytest.approx(
        logistic_layer.LEAST, abs=0.01
    )


def test_behind_a_second_look_they_keep_their_distribution() -> None:
    ground, things = drawn(1_000, 3.0, 0.0, seed=0), drawn(400, 5.0, 4.0, seed=1)
    ground = ground._replace(score=np.exp(ground.score / 2))  # with a heavy tail
    loose = Hold(HELD.ridge, bends=True)
    before, pressed, after = (
        np.sort(scores)[-100:]
        for scores in (
            ground.score,
            fitted(ground, things, HELD).after(ground),
            fitted(ground, things, loose).after(ground),
        )
    )
    assert BENT.bends
    assert np.abs(pressed / before - 1).max() > 0.1
    np.testing.assert_allclose(after, before, rtol=0.05)


def test_a_bend_changes_no_rank() -> None:
    rng = np.random.default_rng(0)
    before, after = (rng.normal(*of, 300).astype(np.float32) for of in ((0, 3), (5, 1)))
    before[:150] = 2.0  # as flat and as steep as can be
    after[100:250] = 5.0
    bend = Bend.back(before, after)
    line = np.linspace(-20, 40, 5_000, dtype=np.float32)
    assert np.all(np.diff(bend.of(line)) > 0)
    far = np.array([-1_000, after.min(), after.max(), 1_000], np.float32)
    low, least, most, high = bend.of(far)
    assert least == pytest.approx(before.min(), abs=1e-3)
    assert least - low == pytest.approx(after.min() + 1_000, rel=1e-3)
    assert high - most == pytest.approx(1_000 - after.max(), rel=1e-3)
    for straight in (Bend.back(before, before), Bend.none()):
        np.testing.assert_allclose(straight.of(line), line, atol=1e-3)


def test_one_object_among_the_ground_is_hardly_learned_as_ground() -> None:
    ground, things = drawn(1_500, 0.0, 0.0, seed=0), drawn(400, 2.0, 4.0, seed=1)
    thing = drawn(1, 3.0, 4.0, seed=3)
    with_it = Places.of([ground.part(np.arange(1_499)), thing])
    changes = [float(fitted(one, things, HELD).change(thing)[0]) for one in (ground, with_it)]
    assert changes[1] == pytest.approx(changes[0], rel=0.1)


def test_the_more_a_layer_is_held_the_less_it_changes() -> None:
    ground, things = drawn(1_500, 0.0, 0.0, seed=0), drawn(400, 2.0, 4.0, seed=1)
    kinds = "critic", "second-look"
    loose, held = (fitted(ground, things, HOLDS[kind]) for kind in kinds)
    assert np.abs(held.weight).sum() < 0.95 * np.abs(loose.weight).sum()


def test_things_that_no_ground_scores_less_than_teach_nothing() -> None:
    ground, things = drawn(1_000, 3.0, 0.0, seed=0), drawn(400, 5.0, 4.0, seed=1)
    weak = drawn(400, -50.0, -9.0, seed=2)
    one, other = (fitted(ground, some, HELD) for some in (things, Places.of([things, weak])))
    np.testing.assert_array_equal(one.weight, other.weight)
    with pytest.raises(NoGround, match="too little ground to learn"):
        fitted(ground, weak, HELD)
    with pytest.raises(NoGround, match="too little ground to learn"):
        fitted(Places(ground.score[:0], ground.features[:0]), things, HELD)


def test_a_place_stays_where_it_was_and_what_is_around_goes_with_it() -> None:
    y, x = np.mgrid[-20:21, -20:21]
    hill = (10 - np.hypot(x, y)).astype(np.float32)
    change = np.full_like(hill, 99.0)  # of no place, but for its top
    change[20, 20] = -6.0
    found = rescored(hill, change, least=-2.0)
    inner = hill[RIM:-RIM, RIM:-RIM]
    near = np.maximum(np.abs(x), np.abs(y))[RIM:-RIM, RIM:-RIM] <= 2
    np.testing.assert_allclose(found[near], inner[near] - 6)
    np.testing.assert_allclose(found[~near], inner[~near] - 2)


def test_of_two_places_that_are_near_the_stronger_change_counts() -> None:
    flat = np.zeros((21, 24), np.float32)
    flat[10, 10], flat[10, 13] = 5.0, 4.0
    change = np.zeros_like(flat)
    change[10, 10], change[10, 13] = -3.0, 1.0
    found = rescored(flat, change, least=-9.0)[10 - RIM]
    assert found[13 - RIM] == 5.0
    assert found[10 - RIM] == 2.0
    assert found[11 - RIM] == 1.0


def test_things_are_put_as_a_file_would_hold_them(picture: Path) -> None:
    scene = ingest(picture)
    before = np.asarray(scene.read(Box(0, 0, scene.width, scene.height)).dn)
    dn = before.copy()
    boxes = put(dn, scene, np.random.default_rng(0))
    assert len(boxes) > 6
    changed = np.zeros(dn.shape, bool)
    for box in boxes:
        changed[box.y_min : box.y_max, box.x_min : box.x_max] = True
        assert 0 <= box.x_min < box.x_max <= scene.width
        assert 0 <= box.y_min < box.y_max <= scene.height
    assert np.abs(dn - before)[changed].mean() > 5 * np.abs(dn - before)[~changed].mean()
    np.testing.assert_array_equal(dn, np.rint(dn))
    assert (dn.min() >= 0, dn.max() <= 2**scene.bits - 1) == (True, True)


def test_a_scene_is_learned_with_plain_things(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, own = list[float](), synthetic_anomalies.put

    def seen(*given: Any) -> list[Box]:
        asked.append(given[-1])
        return own(*given)

    monkeypatch.setattr(synthetic_anomalies, "put", seen)
    scene = ingest(picture)
    dn = np.asarray(scene.read(Box(0, 0, scene.width, scene.height)).dn).copy()
    put(dn, scene, np.random.default_rng(0))
    assert set(asked) == {PLAIN}
    assert CONTRASTS[0] < PLAIN


def test_the_card_says_what_was_learned(learned: Path) -> None:
    card, before = read_card(learned), read_card(CRITIC)
    assert (card.preset, card.start, card.scenes) == (LAST, "critic", ("crop.tif",))
    assert (card.around, card.margin, card.sees) == (0, before.margin + 32, card.margin)
    assert card.windows_seen >= 10
    assert card.judges
    assert before.parity <= card.parity <= last_layer.TOLERANCE
    model = Model.load(learned, "cpu")
    assert model.card.learned


def layer_in(graph: onnx.ModelProto) -> Layer:
    """The layer that a fitted graph holds."""
    held = {
        one.name.removeprefix("last_"): numpy_helper.to_array(one).reshape(-1)
        for one in graph.graph.initializer
        if one.name.startswith("last_")
    }
    gain, bias, least, shift = (float(held[name][0]) for name in ("gain", "bias", "least", "shift"))
    bend = Bend(held["knots"], held["turns"], shift)
    mean, spread, weight = (held[name] for name in ("mean", "spread", "weight"))
    return Layer(mean, spread, weight, gain, bias, least, bend, loss=0.0)


def test_the_graph_scores_as_the_layer_says(picture: Path, learned: Path) -> None:
    """Reckoned anew from what the critic sees of other ground; other outputs are as they were."""
    scene, model, before = ingest(picture), Model.load(learned, "cpu"), Model.load(CRITIC, "cpu")
    layer = layer_in(onnx.load(learned))
    margin, more = before.card.margin, 4 * RIM
    rng = np.random.default_rng(5)
    size = 2 * model.card.margin + 96
    dn = scene.read_around(Box(40, 60, 40 + size, 60 + size))[None, None]
    dn = (dn + rng.normal(0, 2, dn.shape)).astype(np.float32)
    shown = model.complete(dn, scene.centre, scene.scale)
    inner = dn[:, :, more:-more, more:-more]
    known = before.complete(inner, scene.centre, scene.scale)
    assert known.logits is not None
    assert shown.logits is not None
    np.testing.assert_allclose(shown.logits, known.logits, atol=1e-3)
    np.testing.assert_allclose(shown.completion, known.completion, atol=0.05 * scene.scale)
    assert shown.scores.shape == known.scores.shape
    assert margin + more == model.card.margin
    assert np.abs(shown.scores - known.scores).max() > 0.1
    graph, card = graph_of(CRITIC)
    score, seen = Eye.of(graph, card, scene).look(dn)
    change = layer.change(Places(score.reshape(-1), seen.reshape(len(seen), -1).T))
    ours = layer.scored(score, change.reshape(score.shape))
    np.testing.assert_allclose(shown.scores[0], ours, atol=1e-3)


def test_a_graph_that_holds_another_layer_is_refused(picture: Path, learned: Path) -> None:
    graph, card = graph_of(CRITIC)
    eye, fitted_to = Eye.of(graph, card, ingest(picture)), onnx.load(learned)
    layer = layer_in(fitted_to)
    assert parity(fitted_to, eye, layer, read_card(learned)) <= last_layer.TOLERANCE
    with pytest.raises(ModelError, match="the fitted graph differs"):
        parity(fitted_to, eye, replace(layer, bias=layer.bias + 0.01), read_card(learned))


def test_places_of_a_scan_stay_where_they_were(
    picture: Path, learned: Path, tmp_path: Path
) -> None:
    def scanned(name: str | Path) -> NDArray[np.float32]:
        scene, model = ingest(picture), Model.load(name, "cpu")
        store = ScanStore.for_scan(scene, model, home=tmp_path)
        for _ in scan(store, scene, model):
            pass
        return store.scores().values

    before, after = (scanned(name)[2:-2, 2:-2] for name in ("critic", learned))
    top = before == ndimage.maximum_filter(before, TOP)
    place = after == ndimage.maximum_filter(after, 13)
    strongest = np.argsort(-np.where(place, after, -np.inf), axis=None)[:10]
    assert top.ravel()[strongest].all()
    assert np.abs(after - before).max() > 1


def test_of_a_large_scene_a_part_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dn = rasters.ground(1200, 1400)
    dn[:, 900:] = 0  # nodata
    scene = ingest(rasters.write(tmp_path / "scene.png", dn))
    graph, card = graph_of(CRITIC)
    monkeypatch.setattr(looking, "SQUARE", 64)
    every = Eye.of(graph, card, scene).squares
    assert 12 < len(every) < 25
    assert len({(one.row, one.col) for one in every}) == len(every)
    monkeypatch.setattr(looking, "POSITIONS", 9_000)
    some = Eye.of(graph, card, scene).squares
    assert len(some) == 3
    assert some == every[:3]


def test_learning_goes_on_with_what_it_has_seen(
    picture: Path, learned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "PASSES", 2)
    monkeypatch.setattr(logistic_layer, "FEWEST", 5)
    looked: list[Piece] = []
    things = Eye.things

    def stopped(self: Eye, square: Piece, rng: np.random.Generator) -> Places:
        looked.append(square)
        if len(looked) == 2:
            raise KeyboardInterrupt
        return things(self, square, rng)

    monkeypatch.setattr(Eye, "things", stopped)
    target = tmp_path / "again.onnx"
    with pytest.raises(KeyboardInterrupt):
        adapt(picture, "critic", target)
    assert begun(target)
    assert not target.exists()
    monkeypatch.setattr(Eye, "ground", lambda *_: pytest.fail("it has been looked at"))
    told: list[tuple[str, float]] = []
    adapt(picture, "critic", target, report=lambda doing, part: told.append((doing, part)))
    assert len(looked) == 3
    assert [doing for doing, _ in told] == ["looking", "planting", "planting", "exporting"]
    parts = [part for _, part in told]
    assert parts == sorted(parts)
    one, other = (onnx.load(path).graph.initializer for path in (learned, target))
    assert [part.raw_data for part in one] == [part.raw_data for part in other]


def test_what_another_version_has_kept_is_forgotten(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.claim("scene", "model")
    kept = Places(np.ones(2, np.float32), np.ones((2, 3), np.float32))
    for _ in range(2):
        found = run.kept("ground", lambda: kept)
        np.testing.assert_array_equal(found.features, kept.features)
        run.claim("scene", "model")
    record = tmp_path / "last_layer.json"
    record.write_text(record.read_text().replace(recipe(), "older"))
    run.claim("scene", "model")
    assert not list(tmp_path.glob("*.npz"))
    with pytest.raises(StoreError, match="of another scene or model"):
        run.claim("scene", "other")


def test_what_was_learned_can_be_seen(learned: Path) -> None:
    found = separation(learned)
    assert found is not None
    assert len(found.things) == read_card(learned).windows_seen
    after, before = (np.median(found.things[:, column]) for column in (1, 0))
    assert after > before
    assert curves(learned) == []
    assert separation(CRITIC) is None


def test_what_cannot_be_fitted_is_said(picture: Path, learned: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has learned a scene already"):
        adapt(picture, str(learned), tmp_path / "x.onnx")
    with pytest.raises(OptionError, match="only a critic's last layer"):
        adapt(picture, "guarded", tmp_path / "x.onnx", fit="last")
    with pytest.raises(OptionError, match="leave out --epochs"):
        adapt(picture, "critic", tmp_path / "x.onnx", epochs=2)
    other = rasters.write(tmp_path / "other.png", rasters.ground(600, 600))
    with pytest.raises(StoreError, match="of another scene or model"):
        adapt(other, "critic", learned)
