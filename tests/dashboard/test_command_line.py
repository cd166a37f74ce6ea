"""The command line: promised files, exit codes, one line for bad input."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dashboard.__main__ import main
from dashboard.detector import Change, Subject, Verdict, Verdicts, list_scans
from dashboard.detector.models import devices
from dashboard.detector.products import products
from tests.detector import rasters
from tests.models import area_model, plain_model

ROOT = Path(__file__).resolve().parents[2]
Broken = Callable[[Path], Path]


def empty(folder: Path) -> Path:
    path = folder / "empty.png"
    path.touch()
    return path


def text(folder: Path) -> Path:
    path = folder / "text.jp2"
    path.write_text("This is no picture.")
    return path


def truncated(suffix: str) -> Broken:
    def write(folder: Path) -> Path:
        rng = np.random.default_rng(0)
        noisy = rng.integers(1, 255, (600, 600)).astype(np.uint8)
        return rasters.truncate(rasters.write(folder / f"cut{suffix}", noisy))

    return write


def small(folder: Path) -> Path:
    return rasters.write(folder / "small.png", rasters.ground(255, 400))


def all_nodata(folder: Path) -> Path:
    return rasters.write(folder / "nodata.tif", np.zeros((400, 400), np.uint16))


def absent(folder: Path) -> Path:
    return folder / "absent.png"


BAD = [
    empty,
    text,
    *(truncated(suffix) for suffix in rasters.DRIVERS),
    small,
    all_nodata,
    absent,
]


def run(*arguments: object, home: Path) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it, in a process of its own."""
    environment = os.environ | {"NEEDLE_HOME": str(home)}
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = rasters.ground(500, 600)
    pixels[240:260, 300:320] = 250
    return rasters.write(tmp_path / "picture.png", pixels)


@pytest.mark.parametrize("bad", BAD, ids=lambda make: make.__qualname__.split(".")[0])
def test_bad_input_gets_one_line_and_exit_2(
    bad: Broken, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = bad(tmp_path)
    model = plain_model(tmp_path / "plain.onnx")
    code = main(["scan", str(path), "--out", str(tmp_path / "out"), "--model", str(model)])
    said = capfd.readouterr()
    assert code == 2
    assert said.out == ""
    assert said.err.startswith("needle: ")
    assert f"{path.name}: " in said.err
    assert said.err.count("\n") == 1
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    "options",
    [
        ["--sigma", "many"],
        ["--sigma", "nan"],
        ["--stride", "0"],
        ["--stride", "300"],
        ["--top", "0"],
        ["--false-alarms", "0"],
        ["--false-alarms", "inf"],
        ["--false-alarms", "1", "--sigma", "4"],
        ["--device", "tpu"],
        ["--model", "nothing"],
        ["--unknown"],
    ],
    ids=" ".join,
)
def test_bad_options_get_one_line_and_exit_2(
    options: list[str], picture: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["scan", str(picture), "--out", str(tmp_path / "out"), *options]
    try:
        code = main(arguments)
    except SystemExit as left:
        code = left.code
    said = capfd.readouterr().err
    assert code == 2
    assert said.startswith("needle: ")
    assert said.count("\n") == 1


def test_a_scan_writes_what_is_promised_and_is_silent_off_a_terminal(
    picture: Path, tmp_path: Path, home: Path
) -> None:
    model = plain_model(tmp_path / "plain.onnx")
    out = tmp_path / "out"
    done = run("dashboard", "scan", picture, "--out", out, "--model", model, home=home)
    assert (done.returncode, done.stderr) == (0, "")
    names = {"detections.csv", "detections.geojson", "tiles.csv", "scores.tif", "run.json"}
    names |= {"coverage.geojson"}
    assert {path.name for path in out.iterdir()} == names
    record = json.loads((out / "run.json").read_text())
    assert record["settings"]["stride"] == 48
    assert record["detections"] == (out / "detections.csv").read_text().count("\n") - 1
    assert record["tiles_kept_from_before"] == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    again = run("dashboard", "scan", picture, "--out", out, "--model", model, home=home)
    assert again.returncode == 0
    kept = json.loads((out / "run.json").read_text())
    assert kept["tiles_kept_from_before"] == kept["tiles"]["grid"]
    for name in names - {"run.json"}:
        assert (out / name).read_bytes() == before[name]


def test_likely_artefacts_are_named_and_can_be_left_out(
    tmp_path: Path, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pixels = rasters.ground(500, 600)
    pixels[240:300, 300:360] = 255  # clipped
    path = rasters.write(tmp_path / "clipped.png", pixels)
    model = plain_model(tmp_path / "plain.onnx")
    found = {}
    for name, hide in (("all", []), ("fewer", ["--hide-artefacts"])):
        scan = ["scan", str(path), "--model", str(model), "--stride", "16", "--rule", "robust"]
        assert main([*scan, "--sigma", "1", "--out", str(tmp_path / name), *hide]) == 0
        lines = (tmp_path / name / "detections.csv").read_text().splitlines()
        found[name] = [dict(zip(lines[0].split(","), one.split(","), strict=True)) for one in lines]
        record = json.loads((tmp_path / name / "run.json").read_text())
        assert record["likely_artefacts"] > 0, "counted all the same"
    capfd.readouterr()
    assert any("saturated" in one["artefacts"] for one in found["all"][1:])
    assert not any(one["artefacts"] for one in found["fewer"][1:])
    assert len(found["fewer"]) < len(found["all"])


def test_a_threshold_is_set_by_the_false_alarms_to_expect(
    tmp_path: Path, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = rasters.write(tmp_path / "plain.png", rasters.ground(1000, 900))
    model, found = area_model(tmp_path / "areas.onnx"), []
    for number in (1, 30):
        out = tmp_path / str(number)
        given = ["--model", str(model), "--out", str(out), "--false-alarms", str(number)]
        assert main(["scan", str(path), *given]) == 0
        record = json.loads((out / "run.json").read_text())
        assert record["settings"]["false_alarms"] == number
        assert 0.8 * number < record["rule"]["expected_false"] <= number + 1e-9
        said = capfd.readouterr().out
        assert f"{record['detections']} detections, " in said
        sigma = record["settings"]["sigma"]
        assert f"beyond {sigma:.3g} sigma; expect about {number} false" in said
        found.append(record["detections"])
    assert found[0] < found[1]
    small = rasters.write(tmp_path / "small.png", rasters.ground(150, 150))
    given = ["--model", str(model), "--out", str(tmp_path / "none"), "--false-alarms", "1"]
    assert main(["scan", str(small), *given]) == 2
    assert "too few to foretell false alarms by; give --sigma" in capfd.readouterr().err


def test_info_gives_json(picture: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(picture)]) == 0
    facts = json.loads(capfd.readouterr().out)
    assert (facts["width"], facts["height"], facts["driver"]) == (600, 500, "PNG")
    assert facts["metres_per_pixel"] is None


def test_an_output_folder_that_cannot_be_is_said_before_the_scan(
    picture: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["scan", str(picture), "--out", str(tmp_path / "file" / "out")]) == 2
    assert "give another --out" in capfd.readouterr().err


def test_training_takes_bad_input_as_calmly(tmp_path: Path, home: Path) -> None:
    for arguments in (
        ("training", "train", "--preset", "nope", "--scenes", tmp_path, "--out", tmp_path / "r"),
        ("training", "train", "--preset", "smoke", "--scenes", "nope.png", "--out", tmp_path / "r"),
        ("training", "export", tmp_path / "nothing", tmp_path / "x.onnx"),
        ("training", "plant", "nope.png", "--out", tmp_path / "p"),
    ):
        done = run(*arguments, home=home)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("needle: ")
        assert done.stderr.count("\n") == 1, done.stderr


def test_a_gpu_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(devices, "gpu_names", lambda: ())
    path = rasters.write(tmp_path / "scene.png", rasters.ground())
    model = plain_model(tmp_path / "plain.onnx")
    wanted = ["--model", str(model), "--device", "cuda", "--out", str(tmp_path / "out")]
    assert main(["scan", str(path), *wanted]) == 2
    said = capsys.readouterr().err
    assert said == "needle: no NVIDIA GPU was found; choose --device cpu or auto\n"


def test_an_area_may_begin_with_a_minus(tmp_path: Path) -> None:
    picture = rasters.write(tmp_path / "scene.png", rasters.ground(400, 500))
    command = ["scan", str(picture), "--out", str(tmp_path / "out"), "--stride", "16"]
    model = str(plain_model(tmp_path / "plain.onnx"))
    assert main([*command, "--model", model, "--device", "cpu", "--area", "-50,0,300,300"]) == 0


def test_a_folder_without_a_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["scan", "scene.png", "--out", ""])
    assert left.value.code == 2
    assert "name of a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "latin1_\udce9.png"),
        ("cp1252", "火星.png"),
        ("ascii", "é.png"),
        ("utf-8", "two\n.png"),
        ("utf-8", "red \x1b.png"),
    ],
)
def test_a_name_that_a_terminal_cannot_print_is_printed_with_other_letters(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    encoding: str,
    name: str,
) -> None:
    picture = rasters.write(tmp_path / "scene.png", rasters.ground(400, 500))
    picture = picture.rename(tmp_path / name)
    printed = io.BytesIO()
    out = io.TextIOWrapper(printed, encoding=encoding, errors="strict", write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    model = str(plain_model(tmp_path / "plain.onnx"))
    command = ["--out", str(tmp_path / "out"), "--model", model, "--device", "cpu"]
    assert main(["scan", str(picture), *command]) == 0
    assert b"?.png: " in printed.getvalue()
    assert printed.getvalue().count(b"\n") == 2
    for file in (tmp_path / "out").glob("*.*json"):
        assert json.loads(file.read_bytes())["needle"]
    assert main(["batch", str(picture), *command]) == 0
    assert b"?.png: 0 detections\n" in printed.getvalue()
    assert main(["info", str(picture)]) == 0
    picture.write_bytes(b"no picture")
    assert main(["info", str(picture)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_scan_carries_what_this_home_knows_of_the_scene(tmp_path: Path) -> None:
    pixels = rasters.ground(600, 800)
    pixels[290:310, 390:410] = 250
    picture = rasters.write(tmp_path / "scene.png", pixels)
    model, out = str(plain_model(tmp_path / "plain.onnx")), tmp_path / "out"
    command = ["scan", str(picture), "--out", str(out), "--model", model, "--device", "cpu"]
    command += ["--rule", "mean"]
    assert main(command) == 0
    (store,) = list_scans()
    with (out / "detections.csv").open() as table:
        best = next(csv.DictReader(table))
    assert best["verdict"] == ""
    assert not any((out / name).exists() for name in products.REVIEWED)
    subject = Subject(store.record.scene_sha256, store.record.model_sha256)
    said = Change(Verdict.HARDWARE, "a note", "a name")
    Verdicts().decide(subject, [((float(best["x"]), float(best["y"])), said)], "ann")
    assert main(command) == 0
    with (out / "detections.csv").open() as table:
        again = next(csv.DictReader(table))
    told = [again[key] for key in ("verdict", "note", "name", "reviewer")]
    assert told == ["hardware", "a note", "a name", "ann"]
    first = json.loads((out / "detections.geojson").read_text())["features"][0]["properties"]
    assert (first["verdict"], first["name"]) == ("hardware", "a name")
    record = json.loads((out / "run.json").read_text())
    assert record["reviewed"]["hardware"] == 1
    boxes = json.loads((out / "verdicts.coco.json").read_text())["annotations"]
    assert [one["attributes"]["name"] for one in boxes] == ["a name"]
    with zipfile.ZipFile(out / "verdicts.yolo.zip") as archive:
        assert archive.read("labels/scene.txt").count(b"\n") == 1
    assert "<kml" in (out / "confirmed.kml").read_text()
    assert set(products.REVIEWED) < set(record["sha256"])
    Verdicts().decide(
        subject, [((float(best["x"]), float(best["y"])), Change(Verdict(""), "", ""))], "ann"
    )
    assert main(["batch", str(picture), "--out", str(tmp_path), *command[4:]]) == 0
    assert not list((tmp_path / "scene").glob("verdicts.*"))
    assert main(command) == 0
    assert json.loads((out / "verdicts.coco.json").read_text())["annotations"] == []
