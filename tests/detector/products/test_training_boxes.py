"""Verdicts as boxes for other networks, confirmed places for globes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from dashboard.detector import Decision, Finished, Verdict
from tests.detector import rasters
from tests.detector.products import test_finished
from tests.detector.products.test_finished import PLACE, made

finished = test_finished.finished
Make = Callable[..., Finished]
SAID = (Verdict.HARDWARE, Verdict.NATURAL, Verdict.UNSURE)


def judged(finished: Make, **how: object) -> Finished:
    """Three places with a verdict each, of which others cannot learn from the unsure one."""
    done = finished(sigma=0.0, **how)
    assert len(done.detections) > len(SAID)
    decisions = {
        one.place: Decision(one.place, said, "a <note>", "a & name", "ann", "2026-11-24T12:00")
        for one, said in zip(done.detections, SAID, strict=False)
    }
    return replace(done, decisions=decisions)


def test_coco_holds_the_boxes_of_judged_places(finished: Make) -> None:
    done = judged(finished)
    record = json.loads(made(done, "verdicts.coco.json"))
    names = {one["id"]: one["name"] for one in record["categories"]}
    found = [(names[one["category_id"]], one["bbox"]) for one in record["annotations"]]
    expected = [
        (said.value, [one.box.x_min, one.box.y_min, one.box.width, one.box.height])
        for one, said in zip(done.detections, SAID[:2], strict=False)
    ]
    assert found == expected
    assert record["images"][0] | {"id": 1} == {
        "id": 1,
        "file_name": done.scene.name,
        "width": done.scene.width,
        "height": done.scene.height,
    }


def test_yolo_holds_the_same_boxes_as_parts_of_the_scene(finished: Make) -> None:
    done = judged(finished)
    with zipfile.ZipFile(io.BytesIO(made(done, "verdicts.yolo.zip"))) as archive:
        lines = archive.read("labels/scene.txt").decode().splitlines()
        assert "0: hardware" in archive.read("data.yaml").decode()
    assert [line.split()[0] for line in lines] == ["0", "1"]
    x, y, width, height = map(float, lines[0].split()[1:])
    box = done.detections[0].box
    assert (x * done.scene.width, y * done.scene.height) == pytest.approx(box.centre, abs=1e-4)
    assert width * done.scene.width == pytest.approx(box.width, abs=1e-4)
    assert height * done.scene.height == pytest.approx(box.height, abs=1e-4)


def test_kml_marks_what_is_confirmed_and_nothing_else(finished: Make) -> None:
    done = judged(finished, crs=rasters.MARS, transform=PLACE)
    root = ElementTree.fromstring(made(done, "confirmed.kml"))
    space = {"k": "http://www.opengis.net/kml/2.2"}
    (mark,) = root.findall(".//k:Placemark", space)
    best = done.detections[0]
    assert mark.findtext("k:name", namespaces=space) == "a & name"
    assert "a <note>" in (mark.findtext("k:description", namespaces=space) or "")
    lon, lat = map(float, (mark.findtext(".//k:coordinates", "", space)).split(","))
    assert (lon % 360, lat) == pytest.approx((best.lon, best.lat), abs=1e-7)


def test_kml_without_a_crs_marks_nothing(finished: Make) -> None:
    assert b"<Placemark>" not in made(judged(finished), "confirmed.kml")
