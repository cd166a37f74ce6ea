"""A second look: it sees what it should, judges places alone, and is exact under tiling."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dashboard.detector import Model, ModelCard, ModelError, OptionError, ingest, read_card
from dashboard.detector.models.card import LAST
from dashboard.detector.scanning.store import ScanRecord
from dashboard.detector.scenes.dn_statistics import MAD_TO_SIGMA
from tests.detector import rasters
from tests.models import critic_model
from training.__main__ import main
from training.kinds import calibration
from training.kinds.learners import OTHERS, STRONG, UNSEEN, SecondLookLearner, chosen, network_of
from training.networks import residuals
from training.networks.critic import LEVELS, Critic, widened
from training.networks.guarded import BLOCK, ROWS, Guarded, blocks_of, without
from training.networks.second_look import (
    CLIPPED,
    CLOSE,
    EDGE,
    FEATURES,
    FIRST,
    HALF,
    LAYERS,
    OWN,
    PLACE,
    RIM,
    SIDE,
    Look,
    Places,
    Scorer,
    SecondLook,
    layers_of,
    peaks,
    places_in,
    residual,
    seen,
    settle,
    surprise,
)
from training.onnx_files import recalibrate as calibrate_module
from training.onnx_files.export import AREA_TOLERANCE, Plan, area_scorer, export
from training.onnx_files.recalibrate import calibrate
from training.onnx_files.weights import start_of, weights_of
from training.presets import PRESETS
from training.scene_adaptation import features as looking
from training.scene_adaptation import graph_surgery, last_layer, logistic_layer
from training.scene_adaptation.adapt import HALVES, adapt
from training.trainer.trainer import CHECKPOINT, Trainer, TrainSettings, read_checkpoint, train
from training.windows import gather


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """Of random weights, but with something to say."""
    torch.manual_seed(0)
    network = SecondLook(Critic(Guarded(ROWS), widened(LEVELS, 0.25)), width=0.25).train()
    with torch.no_grad():
        for _ in range(5):  # until what normalises knows what is usual
            network(3 * torch.randn(64, sum(LAYERS), SIDE, SIDE))
    made = Scorer(network).eval()
    last = made.look.last[3]
    torch.nn.init.orthogonal_(made.axes)
    with torch.no_grad():
        said = made.look.judged(made.described(spots(256 + 2 * made.margin), *facts()))
        last.bias.sub_(said.mean()).div_(said.std())
        last.weight.div_(said.std())
    return made


def facts() -> tuple[Tensor, Tensor]:
    """A scene's centre and scale."""
    return torch.tensor([10.0]), torch.tensor([2.0])


def spots(side: int) -> Tensor:
    """Rough ground, `[1, 1, side, side]`."""
    torch.manual_seed(1)
    return 10 + 2 * torch.randn(1, 1, side, side)


def test_what_is_seen_of_a_place_is_what_lies_around_it() -> None:
    torch.manual_seed(0)
    layers, rim = torch.randn(2, 3, 256, 288), HALF + 8
    at = Places(torch.tensor([1]), torch.tensor([9]), torch.tensor([17]))
    found = seen(layers, at, rim)
    assert found.shape == (1, sum(LAYERS), SIDE, SIDE)
    y, x = (rim + BLOCK * block + BLOCK // 2 for block in (9, 17))
    crop = layers[1, :, y - HALF : y + HALF, x - HALF : x + HALF].numpy()
    some = crop[0, ::2, ::2]
    spread = MAD_TO_SIGMA * np.median(np.abs(some - np.median(some)))
    contrast = np.clip((crop[0] - np.median(some)) / spread, -CLIPPED, CLIPPED)
    contrast = np.sign(contrast) * np.log1p(np.abs(contrast))
    inner = slice(HALF - SIDE // 2, HALF + SIDE // 2)
    expected = np.stack([contrast, *crop[1:]])[:, inner, inner]
    np.testing.assert_allclose(found[0, :3], expected, atol=1e-5)
    quarter = np.stack([contrast, crop[2]]).reshape(2, SIDE, 4, SIDE, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(found[0, 5:], quarter, atol=1e-5)


def test_what_is_seen_does_not_depend_on_the_scenes_centre_and_scale() -> None:
    ground, nothing = torch.randn(1, 1, 160, 160), torch.zeros(1, 2, 16, 40, 40)
    at = Places(torch.tensor([0]), torch.tensor([1]), torch.tensor([2]))
    one, other = (seen(layers_of(part, nothing), at, HALF) for part in (ground, 0.3 * ground + 1))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_place_is_where_nothing_near_is_higher() -> None:
    heights = torch.zeros(1, 20, 24)
    heights[0, 4, 4], heights[0, 4, 4 + EDGE], heights[0, 4, 4 + EDGE + 1] = 5.0, 4.0, 3.0
    heights[0, 15, 15] = 1.0
    heights += 1e-5  # rounding: on flat ground every block is as high as all around it
    assert torch.nonzero(places_in(heights)).tolist() == [[0, 4, 4], [0, 15, 15]]
    close = torch.nonzero(peaks(heights, CLOSE) & (heights > 0.5)).tolist()
    assert close == [[0, 4, 4], [0, 4, 4 + EDGE], [0, 15, 15]]


def test_places_alone_are_judged_and_what_is_around_goes_with_them(scorer: Scorer) -> None:
    dn = spots(256 + 2 * scorer.margin)
    with torch.inference_mode():
        score, completion, logit, gain, features = scorer(dn, *facts())
        standing, *_, layers, lost = scorer.standing(dn, *facts())
    shapes = [(1, 64, 64), (1, 1, 256, 256), (1, 64, 64), (1, 64, 64)]
    assert [part.shape for part in (score, completion, logit, gain)] == shapes
    assert features.shape == (1, FEATURES, 64, 64)
    before, places = without(standing, RIM), places_in(standing)
    torch.testing.assert_close(gain, score - before, atol=1e-5, rtol=0)
    assert bool((gain == 0).any())
    assert torch.equal(features.any(dim=1), without(places, RIM) > 0)
    found = torch.nonzero(without(places, RIM))
    assert len(found) > 5
    with torch.inference_mode():
        said = scorer.look(seen(layers, Places(*found.unbind(1)), lost))
    assert said.std() > 0.05
    change = (score - before)[0]
    ring = torch.nonzero(without(places, RIM - EDGE))
    all_, apart = ring[:, 1:] - EDGE, 0
    for (_, row, col), logit_there in zip(found.tolist(), said, strict=True):
        largest = float(logit_there)
        assert float(change[row, col]) >= largest - 1e-3
        distances = (all_ - torch.tensor([row, col])).abs().amax(dim=1)
        if int((distances < PLACE).sum()) == 1:  # but for itself
            apart += 1
            rows, cols = (slice(max(0, at - EDGE), at + EDGE + 1) for at in (row, col))
            near = change[rows, cols]
            torch.testing.assert_close(near, torch.full_like(near, largest), atol=1e-3, rtol=1e-3)
    assert apart
    usual = copy.deepcopy(scorer)
    usual.usual.add_(1.0)
    with torch.inference_mode():
        less = usual(dn, *facts())[3]
    near = gain != 0
    torch.testing.assert_close(less[near], gain[near] - 1.0, atol=1e-4, rtol=0)
    assert bool((less[~near] == 0).all())


def test_tiles_with_the_margin_equal_the_whole_and_without_it_do_not(scorer: Scorer) -> None:
    rim = scorer.margin
    ground = spots(160 + 2 * rim)
    with torch.inference_mode():
        whole, _, logits, gains, told = scorer(ground, *facts())

        def difference(missing: int) -> float:
            part = ground[:, :, 32 : 32 + 64 + 2 * rim, 64 : 64 + 64 + 2 * rim].clone()
            if missing:
                lost = torch.ones_like(part, dtype=torch.bool)
                lost[:, :, missing:-missing, missing:-missing] = False
                part[lost] = 10.0
            found, _, judged, added, features = scorer(part, *facts())
            pairs = ((found, whole), (judged, logits), (added, gains), (features, told))
            return max(float((one - all_[..., 8:24, 16:32]).abs().max()) for one, all_ in pairs)

        assert difference(0) < 1e-3
        assert difference(rim - 64) > 1e-2


def test_places_are_drawn_from_things_and_ground_alike() -> None:
    torch.manual_seed(0)
    heights = torch.randn(3, 64, 64)
    thing = torch.zeros(3, 64, 64, dtype=torch.bool)
    thing[:2, 20:40, 20:40] = True
    ground = ~thing
    ground[0] = False
    on, beside = chosen(heights, thing, ground)
    top = peaks(heights, CLOSE)
    for places, kind in ((on, thing), (beside, ground)):
        assert all(bool(kind[tuple(place)]) and bool(top[tuple(place)]) for place in places)
        assert int(places[:, 1:].min()) >= UNSEEN
        assert int(places[:, 1:].max()) < 64 - UNSEEN
    assert set(on[:, 0].tolist()) == {0, 1}
    assert beside[:, 0].bincount(minlength=3).tolist() == [0, STRONG + OTHERS, STRONG + OTHERS]
    rim = slice(UNSEEN, -UNSEEN)
    for window in (1, 2):
        inner = torch.where(top & ground, heights, -torch.inf)[window, rim, rim]
        strongest = torch.topk(inner.flatten(), STRONG).values
        theirs = heights[tuple(beside[beside[:, 0] == window].T)]
        assert torch.isin(strongest, theirs).all()


def test_of_windows_without_things_or_ground_the_loss_is_that_of_what_there_is() -> None:
    torch.manual_seed(0)
    network = SecondLook(Critic(Guarded(ROWS), widened(LEVELS, 0.125)), 0.125)
    learner = SecondLookLearner(network, nullcontext)
    dn, centre, scale = 10 + torch.randn(2, 1, 256, 256), torch.full((2,), 10.0), torch.ones(2)
    nothing, all_ = torch.zeros(2, 1, 64, 64), torch.ones(2, 1, 64, 64)
    for target, weight in ((nothing, all_), (all_, all_), (nothing, nothing)):
        loss = learner(dn, centre, scale, target, weight)
        assert torch.isfinite(loss)
        assert loss.requires_grad
    assert float(loss.detach()) == 0.0


def test_surprise_is_that_of_a_completion_without_a_scale() -> None:
    torch.manual_seed(0)
    eye = Guarded(ROWS).eval()
    ground = torch.randn(1, 1, 128, 128)
    with torch.inference_mode():
        blocks = blocks_of(ground)
        found = residual(blocks, eye.predict(blocks))
        mine = surprise(found)
        means = found.abs().mean(dim=2)
        three = means[0, :, 9:12, 9:12].mean(dim=(1, 2))
        five = means[0, :, 8:13, 8:13].mean(dim=(1, 2))
    expected = torch.log(torch.cat([three, five]) + residuals.LEAST).mean()
    torch.testing.assert_close(mine[0, 10, 10], expected)


def test_it_learns_to_tell_things_from_ground() -> None:
    torch.manual_seed(0)
    look = Look(0.25)
    descent = torch.optim.AdamW(look.parameters(), 3e-3)
    told = torch.arange(64) < 32
    for _ in range(40):
        places = torch.randn(64, sum(LAYERS), SIDE, SIDE)
        places[told, 0, 12:20, 12:20] += 2
        loss = torch.nn.functional.binary_cross_entropy_with_logits(look(places), told.float())
        descent.zero_grad()
        loss.backward()
        descent.step()
    assert float(loss.detach()) < 0.1


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run of a small one behind a critic of random weights, and its file."""
    folder = tmp_path_factory.mktemp("second-look")
    rasters.write(folder / "hills.png", rasters.ground(1200, 1200))
    torch.manual_seed(0)
    first = network_of(PRESETS["smoke-critic"]).state_dict()
    torch.save({FIRST + name: weight for name, weight in first.items()}, folder / "start.pt")
    with pytest.MonkeyPatch.context() as patch:
        taught(patch, folder, folder / "run")
    export(folder / "run", folder / "again.onnx")
    return folder


def measured_shortly(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """What is ordinary is measured on little ground, scenes are kept in a folder."""
    patch.setenv("NEEDLE_HOME", str(folder))
    patch.setattr(calibration, "AREAS", 2)
    patch.setattr(calibration, "PLANTED", 12)


def planned(patch: pytest.MonkeyPatch) -> list[tuple[Plan, ModelCard]]:
    """What a calibration would export, which takes most of a minute and is not done any more."""
    plans = list[tuple[Plan, ModelCard]]()
    patch.setattr(calibrate_module, "made", lambda *plan: plans.append(plan))
    patch.setattr(calibrate_module, "kept", lambda *_: plans[-1][1])
    return plans


def taught(
    patch: pytest.MonkeyPatch, folder: Path, run: Path, start: Path | None = None
) -> dict[str, Tensor]:
    """The weights after an epoch on a folder's picture, in the folder of a run."""
    measured_shortly(patch, folder)
    sources = gather([folder / "hills.png"], polluted=False)
    settings = TrainSettings("smoke-second-look", 1, ("hills.png",), start="critic")
    train(run, settings, lambda: sources, torch.load(start or folder / "start.pt"))
    return dict(read_checkpoint(run / CHECKPOINT)["network"])


def test_it_keeps_its_critic_and_says_what_it_is(trained: Path) -> None:
    after = read_checkpoint(trained / "run" / CHECKPOINT)["network"]
    for name, weight in torch.load(trained / "start.pt").items():
        torch.testing.assert_close(after[name], weight, msg=name)
    card = read_card(trained / "again.onnx")
    assert (card.kind, card.around, card.start) == ("second-look", 0, "critic")
    assert card.judges
    network = network_of(PRESETS["smoke-second-look"])
    assert isinstance(network, SecondLook)
    assert card.margin == Scorer(network).margin
    assert card.parameters == sum(weight.numel() for weight in network.parameters())
    assert 0 <= card.parity <= AREA_TOLERANCE


def test_it_begins_with_the_weights_of_a_critics_file() -> None:
    start = start_of("critic", "second-look")
    network = network_of(PRESETS["second-look"])
    odd = network.load_state_dict(start, strict=False)
    assert odd.unexpected_keys == []
    assert all(name.startswith("look.") for name in odd.missing_keys)


def test_onnx_runtime_looks_at_as_many_places_as_there_are(trained: Path) -> None:
    """None, one, and many more than at export; it says of them what PyTorch does."""
    model = Model.load(trained / "again.onnx", "cpu")
    state = read_checkpoint(trained / "run" / CHECKPOINT)
    network = network_of(PRESETS["smoke-second-look"])
    network.load_state_dict(state["network"])
    scorer, _ = area_scorer(network.eval(), state["calibration"])
    assert isinstance(scorer, Scorer)
    rim = model.card.margin
    flat = np.full((1, 1, 256 + 2 * rim, 256 + 2 * rim), 100.0, np.float32)
    one = flat.copy()
    one[..., rim + 120 : rim + 128, rim + 120 : rim + 128] = 180.0
    rough = flat + np.random.default_rng(0).normal(0, 30, flat.shape).astype(np.float32)
    scene, counts = (torch.tensor([100.0]), torch.tensor([10.0])), []
    for dn in (flat, one, rough):
        with torch.inference_mode():
            score = scorer(torch.from_numpy(dn), *scene)[0]
            change = score - without(scorer.standing(torch.from_numpy(dn), *scene)[0], RIM)
        counts.append(int(torch.count_nonzero(change)))
        np.testing.assert_allclose(model.score(dn, 100.0, 10.0), score, atol=AREA_TOLERANCE)
    assert counts[0] == 0 < counts[1] < counts[2]


def test_one_calibrated_before_it_told_of_places_is_refused(trained: Path) -> None:
    state = read_checkpoint(trained / "run" / CHECKPOINT)
    network = network_of(PRESETS["smoke-second-look"])
    earlier = {name: known for name, known in state["calibration"].items() if "places" not in name}
    with pytest.raises(ModelError, match="an earlier version's second look; train's same command"):
        area_scorer(network, earlier)


def test_it_learns_a_scene_by_its_last_layer_alone(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, model, target = trained / "hills.png", trained / "again.onnx", tmp_path / "new.onnx"
    with pytest.raises(OptionError, match="its last layer alone can be fitted"):
        adapt(picture, str(model), target, fit=HALVES)
    monkeypatch.setenv("NEEDLE_HOME", str(trained))
    monkeypatch.setattr(looking, "PASSES", 2)
    monkeypatch.setattr(logistic_layer, "FEWEST", 1)
    held, fitted = list[logistic_layer.Hold](), logistic_layer.fitted

    def noted(
        places: logistic_layer.Places, things: logistic_layer.Places, hold: logistic_layer.Hold
    ) -> logistic_layer.Layer:
        held.append(hold)
        return fitted(places, things, hold)

    monkeypatch.setattr(last_layer, "fitted", noted)
    card = adapt(picture, str(model), target)
    assert held == [logistic_layer.HOLDS["second-look"]]
    before = read_card(model)
    assert (card.preset, card.kind, card.start) == (LAST, "second-look", "again")
    assert card.margin == before.margin + graph_surgery.RIM * card.stride
    assert card.parity <= last_layer.TOLERANCE
    assert (before.learned, card.learned) == (False, True)
    for asked in (model, target):
        record = ScanRecord.of(ingest(picture), Model.load(asked, "cpu"), card.stride)
        assert record.bent is (asked is target)
    side, cut = 256 + 2 * card.margin, graph_surgery.RIM * card.stride
    dn = np.random.default_rng(0).normal(100, 20, (1, 1, side, side)).astype(np.float32)
    inner = dn[..., cut:-cut, cut:-cut]
    now = Model.load(target, "cpu").complete(dn, 100.0, 20.0)
    then = Model.load(model, "cpu").complete(inner, 100.0, 20.0)
    for after, as_it_was in ((now.logits, then.logits), (now.gains, then.gains)):
        assert after is not None
        assert as_it_was is not None
        np.testing.assert_allclose(after, as_it_was, atol=1e-3)
        assert np.ptp(after) > 0
    told = [
        Model.load(one, "cpu").look_again(ground, 100.0, 20.0)[1]
        for one, ground in ((target, dn), (model, inner))
    ]
    np.testing.assert_allclose(told[0], told[1], atol=0.05)
    assert told[0].any()


def test_it_begins_with_a_critic_or_one_of_its_kind(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--preset", "second-look", "--scenes", str(trained / "hills.png")]
    assert main(["train", *given, "--out", str(tmp_path / "run")]) == 2
    assert "a second look follows a trained critic" in capsys.readouterr().err
    with pytest.raises(ModelError, match="of kind guarded; needed is second-look"):
        start_of("guarded", "second-look")


def test_of_its_file_it_says_what_the_file_says_though_normalised_anew(trained: Path) -> None:
    begun = network_of(PRESETS["smoke-second-look"])
    whole = network_of(PRESETS["smoke-second-look"])
    assert isinstance(begun, SecondLook)
    start = start_of(str(trained / "again.onnx"), "second-look")
    odd = begun.load_state_dict(start, strict=False)
    assert odd.unexpected_keys == []
    whole.load_state_dict(read_checkpoint(trained / "run" / CHECKPOINT)["network"])
    torch.manual_seed(0)
    places = 3 * torch.randn(64, sum(LAYERS), SIDE, SIDE)
    settle(begun.look, places)
    layers = [part for part in begun.look.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert len(layers) == 11
    assert all(part.running_mean.abs().max() > 0 for part in layers)
    with torch.inference_mode():
        said, expected = (network.eval()(places) for network in (begun, whole))
        torch.testing.assert_close(said, expected, atol=1e-4, rtol=1e-4)
        # what is usual of the places is what these layers know
        for part in begun.look.last:
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        torch.testing.assert_close(begun.look.train()(places), expected, atol=1e-3, rtol=1e-3)


def test_its_file_is_trained_on_and_settles_once(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = list[str]()
    settles, learns = SecondLookLearner.settle, SecondLookLearner.forward

    def settling(self: SecondLookLearner, *batch: Tensor) -> None:
        done.append("settled")
        settles(self, *batch)

    def learning(self: SecondLookLearner, *batch: Tensor) -> Tensor:
        done.append("learned")
        return learns(self, *batch)

    monkeypatch.setattr(SecondLookLearner, "settle", settling)
    monkeypatch.setattr(SecondLookLearner, "forward", learning)
    recipe = PRESETS["smoke-second-look"]
    steps = recipe.windows // recipe.batch
    start = start_of(str(trained / "again.onnx"), "second-look")
    torch.save(start, tmp_path / "whole.pt")
    for _ in range(2):  # the second time it has ended already
        after = taught(monkeypatch, trained, tmp_path / "run", tmp_path / "whole.pt")
        assert done == ["settled", *["learned"] * steps]
    assert not torch.equal(after["look.last.3.weight"], start["look.last.3.weight"])
    name = "critic.logit.weight"
    torch.testing.assert_close(after[name], start[name])


def test_a_run_that_is_stopped_goes_on_as_if_it_had_not_been(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ground is learned from is drawn at random; the draw goes on too."""
    saved = Trainer._save

    def stop_after_one(self: Trainer) -> None:
        saved(self)
        if self.step < self.steps_per_epoch:
            self.stop.set()

    with monkeypatch.context() as patch:
        patch.setattr("training.trainer.trainer.SAVE_SECONDS", 0.0)
        patch.setattr(Trainer, "_save", stop_after_one)
        with pytest.raises(KeyboardInterrupt):
            taught(patch, trained, tmp_path / "run")
    again = taught(monkeypatch, trained, tmp_path / "run")
    once = read_checkpoint(trained / "run" / CHECKPOINT)["network"]
    for name, weight in once.items():
        torch.testing.assert_close(again[name], weight, msg=name)


def test_export_says_that_a_training_has_not_ended(trained: Path, tmp_path: Path) -> None:
    state = read_checkpoint(trained / "run" / CHECKPOINT)
    torch.save(state | {"calibration": {}}, tmp_path / CHECKPOINT)
    with pytest.raises(ModelError, match="the training has not ended"):
        export(tmp_path, tmp_path / "net.onnx")


def test_calibrated_on_the_same_ground_it_says_the_same_on_other_ground_something_else(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured_shortly(monkeypatch, trained)
    rough = np.random.default_rng(0).normal(100, 30, (1200, 1200)).clip(0, 255)
    rasters.write(tmp_path / "noise.png", rough.astype(np.uint8))
    before, target = Model.load(trained / "again.onnx", "cpu"), tmp_path / "same.onnx"
    given = ["calibrate", str(before.path), str(target), "--scenes"]
    assert main([*given, str(trained / "hills.png")]) == 0
    same, plans = Model.load(target, "cpu"), planned(monkeypatch)
    assert main([*given, str(tmp_path / "noise.png")]) == 0
    rim = before.card.margin
    dn = np.random.default_rng(1).normal(100, 20, (1, 1, 256 + 2 * rim, 256 + 2 * rim))
    dn = dn.astype(np.float32)
    said = [model.score(dn, 100.0, 20.0) for model in (before, same)]
    np.testing.assert_allclose(said[1], said[0], atol=0.01)
    with torch.inference_mode():
        scene = torch.tensor([100.0]), torch.tensor([20.0])
        other = plans[0][0].scorer(torch.from_numpy(dn), *scene)[0].numpy()
    assert np.abs(other - said[0]).max() > 0.1
    changed = ("date", "git_revision", "parity", "planted")
    facts = [
        {name: fact for name, fact in asdict(model.card).items() if name not in changed}
        for model in (before, same)
    ]
    assert facts[0] == facts[1]


def test_it_can_follow_another_critic(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured_shortly(monkeypatch, trained)
    torch.manual_seed(1)
    first = network_of(PRESETS["smoke-critic"]).state_dict()
    followed = {FIRST + name: weight for name, weight in first.items()}
    asked, plans = list[tuple[str, str]](), planned(monkeypatch)
    monkeypatch.setattr(calibrate_module, "start_of", lambda *of: asked.append(of) or followed)
    model, other = trained / "again.onnx", str(critic_model(tmp_path / "other.onnx"))
    given = [str(model), str(tmp_path / "new.onnx"), "--scenes", str(trained / "hills.png")]
    assert main(["calibrate", *given, "--critic", other]) == 0
    assert asked == [(other, "second-look")]
    ((plan, card),) = plans
    assert (card.kind, card.start) == ("second-look", "other")
    scorer = plan.scorer
    assert isinstance(scorer, Scorer)
    for name, weight in scorer.first.network.state_dict().items():
        if not name.startswith("logit."):  # which calibration moves
            torch.testing.assert_close(weight, followed[FIRST + name], msg=name)
    _, own = weights_of(model)
    assert any(not torch.equal(own[name], followed[name]) for name in followed.keys() & own.keys())
    last = scorer.look.state_dict()["last.3.weight"]
    torch.testing.assert_close(last, own[f"{OWN}last.3.weight"])


def test_only_a_second_look_follows_a_critic(trained: Path, tmp_path: Path) -> None:
    other = str(critic_model(tmp_path / "other.onnx", preset="critic"))
    target = tmp_path / "new.onnx"
    with pytest.raises(OptionError, match="leave out --critic"):
        calibrate(other, [], target, critic=other)
    with pytest.raises(ModelError, match="is no critic"):
        calibrate(str(trained / "again.onnx"), [], target, critic="guarded")
    assert not target.exists()


def test_what_has_no_ground_of_its_own_is_not_calibrated(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="does not depend on any ground's"):
        calibrate("article", [], tmp_path / "new.onnx")
    learned = critic_model(tmp_path / "learned.onnx", preset=LAST)
    with pytest.raises(ModelError, match="has learned a scene"):
        calibrate(str(learned), [], tmp_path / "new.onnx")
    assert not (tmp_path / "new.onnx").exists()
