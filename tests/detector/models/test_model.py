"""Models: what is no model of Needle's is refused in one line, and the device is the real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from dashboard.detector import (
    Box,
    DeviceError,
    Model,
    ModelError,
    OptionError,
    find_model,
    list_models,
    read_card,
    triptychs,
)
from dashboard.detector.models import devices
from tests.detector import rasters
from tests.models import CARD, GRAPH, area_model, plain_model


def test_scores_are_those_of_the_graph(model: Model) -> None:
    dn = np.full((3, 1, 256, 256), 100.0, np.float32)
    np.testing.assert_allclose(model.score(dn, 90.0, 5.0), 0.5)
    found = model.complete(dn, 90.0, 5.0)
    np.testing.assert_allclose(found.scores, 0.5)
    np.testing.assert_allclose(found.completion, np.full((3, 128, 128), 90.0))


def test_the_card_reads_back_from_the_file(tmp_path: Path) -> None:
    assert read_card(plain_model(tmp_path / "plain.onnx")) == CARD


@pytest.mark.parametrize("content", [b"", b"text, not a network", b"\x08\x09" * 50])
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken.onnx: ") as refused:
        Model.load(path)
    assert "\n" not in str(refused.value)


def test_a_network_without_a_card_is_refused(tmp_path: Path) -> None:
    onnx.save(onnx.parser.parse_model(GRAPH), tmp_path / "bare.onnx")
    with pytest.raises(ModelError, match="carries no model card"):
        Model.load(tmp_path / "bare.onnx")


def test_a_network_with_other_inputs_is_refused(tmp_path: Path) -> None:
    graph = (
        "<ir_version: 9, opset_import: ['' : 18]> g (float[N] a) => (float[N] b) { b = Abs (a) }"
    )
    onnx.save(onnx.parser.parse_model(graph.replace("'", '"')), tmp_path / "other.onnx")
    with pytest.raises(ModelError, match="takes a and gives b"):
        Model.load(tmp_path / "other.onnx")


@pytest.mark.parametrize("name", ["nothing", "../secret", "missing.onnx"])
def test_an_unknown_model_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="no "):
        find_model(name)


def test_every_shipped_model_loads_alone_and_scores(tmp_path: Path) -> None:
    assert [path.stem for path in list_models()] >= ["article"]
    for shipped in list_models():
        alone = tmp_path / shipped.name  # no file of weights beside it
        alone.write_bytes(shipped.read_bytes())
        model = Model.load(alone, "cpu")
        side = 2 * model.card.margin + 64 if model.card.area else model.card.tile
        dn = rasters.ground(side, side).astype(np.float32)[None, None]
        assert np.isfinite(model.score(dn, 130.0, 30.0)).all()
        assert not model.card.polluted
        assert model.card.parity <= 1e-4


def test_cuda_without_a_gpu_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "gpu_names", lambda: ())
    with pytest.raises(DeviceError, match="no NVIDIA GPU was found; choose --device cpu or auto"):
        Model.load(plain_model(tmp_path / "plain.onnx"), "cuda")


def test_a_gpu_that_fails_falls_back_to_the_cpu_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("libcudnn is missing\nand more")

    monkeypatch.setattr(devices, "gpu_names", lambda: ("Some GPU",))
    monkeypatch.setattr(devices, "_cuda_trouble", lambda: None)
    monkeypatch.setattr(devices, "_cuda_session", broken)
    model = Model.load(plain_model(tmp_path / "plain.onnx"))
    assert model.provider == "CPUExecutionProvider"
    assert model.device_label.startswith("CPU, ")
    assert model.fallback_reason == "the GPU did not start: libcudnn is missing"


def test_several_gpus_have_a_session_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as it can be told without one: sessions of the CPU stand for those of GPUs."""
    asked: list[int] = []

    def stand_in(graph: bytes, number: int) -> ort.InferenceSession:
        asked.append(number)
        return ort.InferenceSession(graph, devices.options(), providers=[devices.CPU])

    monkeypatch.setattr(devices, "gpu_names", lambda: ("Some GPU", "Other GPU"))
    monkeypatch.setattr(devices, "_cuda_trouble", lambda: None)
    monkeypatch.setattr(devices, "_cuda_session", stand_in)
    model = Model.load(area_model(tmp_path / "areas.onnx"), "cuda")
    assert asked == [0, 1]
    assert model.device_label == "2 GPUs: Some GPU, Other GPU"
    assert len({id(shard.session) for shard in model.shards}) == 2


@pytest.mark.parametrize("make", [plain_model, area_model])
def test_bound_inputs_give_what_a_plain_run_gives(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    model = Model.load(make(tmp_path / "net.onnx"), "cpu")
    wide = rasters.ground(512, 512).astype(np.float32)[None, None]
    dn = wide[:, :, ::2, ::2]  # not contiguous
    feed = {"dn": dn.copy(), "centre": np.float32([130]), "scale": np.float32([9])}
    scores, completion = model.session.run(["score", "completion"], feed)
    np.testing.assert_array_equal(model.score(dn, 130.0, 9.0), scores)
    np.testing.assert_array_equal(model.complete(dn, 130.0, 9.0).completion, completion[:, 0])


def test_an_unknown_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no device 'tpu'"):
        Model.load(plain_model(tmp_path / "plain.onnx"), "tpu")


def test_a_triptych_adds_up_and_knows_what_was_hidden(scene_of: object, model: Model) -> None:
    scene = scene_of()  # type: ignore[operator]
    box = Box(100, 60, 356, 316)
    (shown,) = triptychs(scene, model, [box])
    halved = scene.read(box).dn.reshape(128, 2, 128, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(shown.query, halved)
    np.testing.assert_allclose(shown.completion + shown.difference, shown.query, atol=1e-4)
    assert shown.hole == Box(48, 48, 80, 80)
    assert shown.scored == Box(52, 52, 76, 76)
    assert triptychs(scene, model, []) == []
