"""Files to take away: what the command line would write, at the threshold of the address."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from dashboard.detector import (
    PRODUCTS,
    RUN_RECORD,
    Change,
    Model,
    ScanStore,
    Scene,
    Subject,
    Verdict,
    Verdicts,
    checksum,
    scan,
)
from dashboard.viewer import addresses
from tests.dashboard.client import Answer, Client


@pytest.fixture
def store(scene_of: Callable[..., Scene], model: Model) -> ScanStore:
    store = ScanStore.for_scan(scene_of(name="a ☃ (1).tif"), model, 16)
    for _ in scan(store, store.scene(), model):
        pass
    return store


def take(store: ScanStore, name: str, **how: str) -> Answer:
    return Client().get(addresses.product_of(store, name, **how))


def rows(answer: Answer) -> list[dict[str, str]]:
    assert answer.status == 200, answer.content
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


@pytest.mark.parametrize("name", [product.name for product in (*PRODUCTS, RUN_RECORD)])
def test_every_file_comes_with_its_name(name: str, store: ScanStore) -> None:
    answer = take(store, name, sigma="3", rule="mean")
    assert answer.status == 200, answer.content
    assert answer.content
    saved = f"attachment; filename*=UTF-8''{quote(f'a ☃ (1)-{name}', safe='')}"
    assert answer.headers["content-disposition"] == saved
    assert answer.headers["cache-control"] == "no-store"


def test_a_file_is_read_at_its_threshold_with_the_verdicts_of_now(store: ScanStore) -> None:
    few, many = (rows(take(store, "detections.csv", sigma=sigma)) for sigma in ("3", "1.5"))
    assert 0 < len(few) < len(many)
    assert all(float(row["sigma"]) >= 3 for row in few)
    place = float(many[0]["x"]), float(many[0]["y"])
    Verdicts().decide(Subject.of(store), [(place, Change(Verdict.HARDWARE))], "ann")
    said = [row["verdict"] for row in rows(take(store, "detections.csv", sigma="1.5"))]
    assert said == ["hardware"] + [""] * (len(many) - 1)
    kept = rows(take(store, "detections.csv", sigma="1.5", confirmed="only"))
    assert [row["verdict"] for row in kept] == ["hardware"]


def test_the_record_holds_the_checksums_of_what_was_taken(store: ScanStore) -> None:
    taken = take(store, "tiles.zip", sigma="3")
    record = json.loads(take(store, "run.json", sigma="3").content)
    assert record["sha256"]["tiles.zip"] == checksum(taken.content)
    assert "tiles.zip" not in json.loads(take(store, "run.json", sigma="2.5").content)["sha256"]


@pytest.mark.parametrize(
    "how", [{"sigma": "nan"}, {"sigma": "-1"}, {"sigma": "x"}, {"rule": "none"}]
)
def test_what_is_no_threshold_is_said_in_a_line(how: dict[str, str], store: ScanStore) -> None:
    answer = take(store, "detections.csv", **how)
    assert answer.status == 404
    assert answer.content.count(b"\n") == 1


def test_no_other_file_can_be_taken(store: ScanStore) -> None:
    for name in ("record.json", "..", "features.npy"):
        assert take(store, name).status == 404
