"""Export: the file is whole, says what it is, and computes what PyTorch does, or is not written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from dashboard.detector import Model, ModelError, StoreError
from tests.detector import rasters
from training.kinds import calibration
from training.kinds.article import TOLERANCE
from training.kinds.guarded import TOLERANCE as AREA_TOLERANCE
from training.networks import article
from training.onnx_files.export import export
from training.onnx_files.parity import parity_samples
from training.trainer.trainer import CHECKPOINT, TrainSettings, read_checkpoint, train
from training.windows import gather


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    picture = rasters.write(folder / "ground.png", rasters.ground(400, 400))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEEDLE_HOME", str(folder))
        sources = gather([picture], polluted=False)
        train(folder / "run", TrainSettings("smoke", 1, ("ground.png",)), lambda: sources)
    return folder / "run"


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    export(run, run / "out" / "net.onnx")
    return run / "out" / "net.onnx"


def scorer_of(run: Path) -> article.Scorer:
    network = article.Article(0.125)
    network.load_state_dict(read_checkpoint(run / CHECKPOINT)["network"])
    return article.Scorer(network.eval())


@pytest.mark.parametrize("batch", [1, 4, 7])
def test_onnx_runtime_computes_what_pytorch_does(run: Path, exported: Path, batch: int) -> None:
    model, scorer = Model.load(exported, "cpu"), scorer_of(run)
    rng = np.random.default_rng(batch)
    dn = rng.normal(700, 60, (batch, 1, 256, 256)).astype(np.float32)
    centre, scale = 690.0, 45.0
    found = model.complete(dn, centre, scale)
    with torch.inference_mode():
        theirs = scorer(torch.from_numpy(dn), torch.tensor([centre]), torch.tensor([scale]))
    assert np.abs(found.scores - theirs[0].numpy()).max() <= TOLERANCE
    assert np.abs(found.completion - theirs[1].numpy()[:, 0]).max() <= TOLERANCE * 4 * scale


def test_the_file_stands_alone_and_says_nothing_of_its_maker(run: Path, exported: Path) -> None:
    assert [path.name for path in exported.parent.iterdir()] == ["net.onnx"]
    graph = onnx.load(exported, load_external_data=False)
    onnx.checker.check_model(graph)
    assert [entry.version for entry in graph.opset_import if entry.domain == ""] == [18]
    assert not any(weight.external_data for weight in graph.graph.initializer)
    assert str(run.parents[1]).encode() not in exported.read_bytes()
    assert b"site-packages" not in exported.read_bytes()


def test_the_card_tells_what_was_trained(exported: Path) -> None:
    card = Model.load(exported, "cpu").card
    assert (card.preset, card.epochs, card.windows_seen) == ("smoke", 1.0, 16)
    assert card.scenes == ("ground.png",)
    assert (card.tile, card.hole, card.score_window, card.stride) == (256, 64, 48, 48)
    assert card.parameters == sum(w.numel() for w in article.Article(0.125).parameters())
    assert 0 <= card.parity <= TOLERANCE


def test_parity_is_measured_on_other_batches_and_depths_than_the_exports_own() -> None:
    samples = parity_samples([(256, 256)] * 3)
    assert len({len(sample.dn) for sample in samples} - {2}) == len(samples)
    assert len({float(sample.dn.max()) > 255 for sample in samples}) == 2


@pytest.fixture(scope="module")
def area_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("areas")
    picture = rasters.write(folder / "ground.png", rasters.ground(800, 800))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEEDLE_HOME", str(folder))
        patch.setattr(calibration, "AREAS", 3)
        sources = gather([picture], polluted=False)
        settings = TrainSettings("smoke-guarded", 1, ("ground.png",))
        train(folder / "run", settings, lambda: sources)
    export(folder / "run", folder / "net.onnx")
    return folder


def test_a_guarded_network_tiled_with_its_margin_equals_the_whole_and_without_it_does_not(
    area_run: Path,
) -> None:
    model = Model.load(area_run / "net.onnx", "cpu")
    rim, stride = model.card.margin, model.card.stride
    rng = np.random.default_rng(0)
    dn = rng.normal(700, 60, (1, 1, 192 + 2 * rim, 160 + 2 * rim)).astype(np.float32)
    found = model.complete(dn, 690.0, 45.0)
    scores = found.scores
    assert scores.shape == (1, 192 // stride, 160 // stride)
    assert found.completion.shape == (1, 192, 160)

    def piece(missing: int) -> float:
        """Largest difference of an area of 96 x 80 px, of whose margin some px are missing."""
        top, left = 48 + missing, 32 + missing
        bottom, right = 48 + 96 + 2 * rim - missing, 32 + 80 + 2 * rim - missing
        part = np.pad(
            dn[:, :, top:bottom, left:right],
            ((0, 0), (0, 0), (missing, missing), (missing, missing)),
            constant_values=690.0,
        )
        found = model.score(part, 690.0, 45.0)
        return float(np.abs(found - scores[:, 12 : 12 + 24, 8 : 8 + 20]).max())

    assert piece(0) <= AREA_TOLERANCE
    assert piece(rim) > 0.1


def test_a_guarded_network_is_calibrated_on_its_ground(area_run: Path) -> None:
    model = Model.load(area_run / "net.onnx", "cpu")
    assert model.card.area
    assert 0 <= model.card.parity <= AREA_TOLERANCE
    rim = 2 * model.card.margin
    ground = rasters.ground(256 + rim, 256 + rim).astype(np.float32)
    centre = float(np.median(ground))
    scale = float(1.4826 * np.median(np.abs(ground - centre)))
    scores = model.score(ground[None, None], centre, scale)
    assert -1 < np.median(scores) < 2, "near 0, where each measure has its median"
    assert np.percentile(scores, 99.9) < 6


def test_a_guarded_network_is_not_exported_before_its_training_has_ended(
    area_run: Path, tmp_path: Path
) -> None:
    state = read_checkpoint(area_run / "run" / CHECKPOINT)
    torch.save(state | {"calibration": {}}, tmp_path / CHECKPOINT)
    with pytest.raises(ModelError, match="has not ended"):
        export(tmp_path, tmp_path / "net.onnx")


def test_no_file_is_written_where_the_two_disagree(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def astray(tiles: torch.Tensor, completion: torch.Tensor) -> torch.Tensor:
        wrong = torch.onnx.is_in_onnx_export() or torch.compiler.is_exporting()
        return (tiles - completion).abs().mean(dim=(1, 2, 3)) + (0.01 if wrong else 0.0)

    monkeypatch.setattr(article, "score", astray)
    with pytest.raises(ModelError, match="differ by"):
        export(run, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_run_without_a_loss_is_not_exported(run: Path, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes((run / CHECKPOINT).read_bytes())
    (tmp_path / "log.csv").write_text("step,epoch,tiles,loss,learning_rate,seconds\n")
    with pytest.raises(StoreError, match="it is empty"):
        export(tmp_path, tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()


def test_a_run_without_a_checkpoint_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a readable checkpoint"):
        export(tmp_path, tmp_path / "net.onnx")
