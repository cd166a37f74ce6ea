"""Verdicts over HTTP: filed once and in order, by pages of this server, within bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dashboard.detector import Model, ScanStore, Scene, Subject, Verdict, Verdicts
from dashboard.routes import verdicts
from dashboard.viewer import addresses
from tests.dashboard.client import OWN, Client

Scenes = Callable[..., Scene]
SESSION = "a-window-of-ann"
SINCE = b'{"session": "a-window", "actions": [], "since": %b}'
HERE, THERE = [100.0, 120.0], [300.5, 200.0]


@pytest.fixture
def store(scene_of: Scenes, model: Model) -> ScanStore:
    return ScanStore.for_scan(scene_of(), model)


@pytest.fixture
def address(store: ScanStore) -> str:
    return f"{addresses.verdicts()}/{store.key}"


def action(number: int, **said: Any) -> dict[str, Any]:
    return {"id": f"action-{number}", "reviewer": "ann", "points": [HERE], **said}


def filed(*actions: dict[str, Any], since: int = 0) -> dict[str, Any]:
    return {"session": SESSION, "actions": list(actions), "since": since}


def said(store: ScanStore) -> dict[tuple[float, float], Verdict]:
    return {place: one.verdict for place, one in Verdicts().current(Subject.of(store)).items()}


def test_actions_are_filed_in_order_once_and_answered_with_what_is_new(
    store: ScanStore, address: str
) -> None:
    client = Client()
    both = filed(action(1, verdict="hardware"), action(2, verdict="natural", points=[HERE, THERE]))
    answer = client.post(address, both)
    assert answer.status == 200
    assert answer.json["done"] == ["action-1", "action-2"]
    assert answer.json["refused"] == []
    assert said(store) == {tuple(HERE): Verdict.NATURAL, tuple(THERE): Verdict.NATURAL}
    known = answer.json["revision"]
    again = client.post(address, both | {"since": known})  # the answer was lost
    assert again.json == {
        "done": ["action-1", "action-2"],
        "refused": [],
        "revision": known,
        "points": [],
    }
    undone = client.post(address, filed(action(3, undoes="action-2"), since=known))
    assert said(store) == {tuple(HERE): Verdict.HARDWARE}
    news = {(one["x"], one["y"]): one["opinions"] for one in undone.json["points"]}
    assert news[tuple(THERE)] == []
    assert [one[:2] for one in news[tuple(HERE)]] == [["ann", "hardware"]]
    assert client.get(f"{address}?since={known}").json["points"] == undone.json["points"]


def test_another_window_undoes_nothing(store: ScanStore, address: str) -> None:
    client = Client()
    client.post(address, filed(action(1, verdict="hardware")))
    other = filed(action(2, undoes="action-1")) | {"session": "another-window"}
    assert client.post(address, other).json["done"] == ["action-2"]
    assert said(store) == {tuple(HERE): Verdict.HARDWARE}


def test_a_page_of_another_site_files_nothing(store: ScanStore, address: str) -> None:
    client = Client()
    body = filed(action(1, verdict="hardware"))
    for headers in (
        {},
        OWN | {"origin": "http://elsewhere.example"},
        OWN | {"origin": "null"},
        OWN | {"sec-fetch-site": "cross-site"},
        OWN | {"sec-fetch-site": "same-site"},
    ):
        assert client.post(address, body, headers).status == 403, headers
    assert said(store) == {}
    assert client.post(address, body, OWN | {"sec-fetch-site": "same-origin"}).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "nonsense"},
        {"verdict": 7},
        {"verdict": "natural", "points": []},
        {"verdict": "natural", "points": [[1.0]]},
        {"verdict": "natural", "points": [["a", "b"]]},
        {"verdict": "natural", "points": [[-1.0, 5.0]]},
        {"verdict": "natural", "points": [[10.0, 1e9]]},
        {"verdict": "natural", "points": [[float("nan"), 5.0]]},
        {"verdict": "natural", "points": [HERE] * (verdicts.MOST_PLACES + 1)},
        {"verdict": "natural", "reviewer": " "},
        {"verdict": "natural", "reviewer": "a" * 81},
        {"note": "a" * 501},
        {"note": ["a"]},
        {"verdict": "natural", "id": "short"},
        {"verdict": "natural", "id": "no/slashes/here"},
        {"undoes": 12345678},
    ],
    ids=str,
)
def test_what_can_never_be_filed_is_refused_alone(
    store: ScanStore, address: str, wrong: dict[str, Any]
) -> None:
    good = action(9, verdict="hardware", points=[THERE])
    answer = Client().post(address, filed(action(1, **wrong), good))
    assert answer.status == 200, answer.content
    (refused,) = answer.json["refused"]
    assert refused["why"]
    assert answer.json["done"] == ["action-9"]
    assert said(store) == {tuple(THERE): Verdict.HARDWARE}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"no json", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"session": "a-window-of-ann", "actions": 7}', 400),
        (b'{"session": "a-window-of-ann", "actions": [7]}', 400),
        (b'{"session": "a-window-of-ann", "actions": [], "since": "x"}', 400),
        (b" " * (verdicts.MOST_BYTES + 1), 400),
    ],
    ids=["words", "list", "empty", "number", "numbers", "since", "large"],
)
def test_what_is_no_list_of_actions_is_said_in_a_line(
    address: str, body: bytes, status: int
) -> None:
    answer = Client().post(address, body)
    assert answer.status == status
    assert "\n" not in answer.json["error"]


@pytest.mark.parametrize("key", ["gone", ".."])
def test_a_scan_that_is_not_here_has_no_verdicts(key: str) -> None:
    address = f"{addresses.verdicts()}/{key}"
    assert Client().get(address).status == 404
    assert Client().post(address, filed(action(1, verdict="hardware"))).status == 404
    assert not Verdicts().path.exists()


def test_a_base_that_cannot_be_written_is_said_and_can_be_tried_again(
    store: ScanStore, address: str
) -> None:
    Verdicts().path.write_text("This is no base. " * 99)
    answer = Client().post(address, filed(action(1, verdict="hardware")))
    assert answer.status == 503
    assert "move the file away" in answer.json["error"]
    assert Client().get(address).status == 404


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 100_000, id="nested"),
        pytest.param(b'{"session": "a-window", "actions": [], "since": 1e999}', id="infinite"),
        pytest.param(
            b'{"session": "a-window", "actions": [], "since": ' + b"9" * 400 + b"}", id="long"
        ),
    ],
)
def test_a_body_without_sense_is_refused(address: str, body: bytes) -> None:
    assert Client().post(address, body).status in (200, 400, 404)  # never a fault of ours
