"""Who may come in: by what name, with what password; what every answer carries."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from dashboard import server
from dashboard.detector import OptionError
from dashboard.session import access


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


async def _socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


def app(address: str = "localhost") -> Starlette:
    routes = [
        Route("/", lambda _: HTMLResponse("<p>page")),
        Route("/health", lambda _: PlainTextResponse("fine")),
        WebSocketRoute("/socket", _socket),
    ]
    gate = Middleware(access.Gate, known_as=access.hosts(address))
    return Starlette(routes=routes, middleware=[gate])


def ask(
    path: str,
    kind: str = "http",
    address: str = "localhost",
    method: str = "GET",
    **headers: str,
) -> tuple[int | str, dict[str, str]]:
    """The status of an answer, or the first message of a websocket; and the headers."""
    told = [(key.replace("_", "-").encode(), text.encode()) for key, text in headers.items()]
    scope: dict[str, Any] = {"type": kind, "path": path, "headers": told, "query_string": b""}
    scope |= {"method": method} if kind == "http" else {"subprotocols": []}
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request" if kind == "http" else "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(address)(scope, receive, send))
    first = sent[0]
    found = {k.decode(): v.decode() for k, v in first.get("headers", [])}
    return first.get("status", first["type"]), found


@pytest.mark.parametrize(
    ("host", "comes_in"),
    [
        ("localhost:8501", True),
        ("127.0.0.1:8501", True),
        ("[::1]:8501", True),
        ("192.168.1.7:8501", True),  # no name leads there
        ("evil.example:8501", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_a_foreign_name_reaches_neither_pages_nor_websocket(host: str, comes_in: bool) -> None:
    assert ask("/", host=host)[0] == (200 if comes_in else 400)
    wanted = "websocket.accept" if comes_in else "websocket.close"
    assert ask("/socket", "websocket", host=host)[0] == wanted


def test_names_of_a_server_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEEDLE_HOSTS", "needle.example.org, other.example.org")
    assert ask("/", host="needle.example.org")[0] == 200
    assert ask("/", host="Other.Example.Org:443")[0] == 200
    assert ask("/", host="third.example.org")[0] == 400
    assert ask("/", address="needle", host="needle:8501")[0] == 200


def test_every_answer_has_the_headers_that_belong_there() -> None:
    _, headers = ask("/", host="localhost")
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["set-cookie"].startswith("needle-visitor=")
    assert "HttpOnly" in headers["set-cookie"]
    assert "set-cookie" not in ask("/", host="localhost", cookie="needle-visitor=me")[1]


@pytest.mark.parametrize(
    ("origin", "comes_in"),
    [
        ("http://localhost:8501", True),
        ("https://needle.example.org", True),
        ("https://evil.example", False),
        ("http://localhost.evil.example:8501", False),
        ("null", False),
    ],
)
def test_another_site_neither_posts_nor_opens_a_websocket(
    origin: str, comes_in: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEEDLE_HOSTS", "needle.example.org")
    opened = ask("/socket", "websocket", host="localhost:8501", origin=origin)[0]
    assert opened == ("websocket.accept" if comes_in else "websocket.close")
    posted = ask("/", method="POST", host="localhost:8501", origin=origin)[0]
    assert posted == (405 if comes_in else 403)
    assert ask("/", host="localhost:8501", origin=origin)[0] == 200


def test_a_password_is_asked_for_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEEDLE_PASSWORD", "needles")
    for wrong in ("", "Basic", "Basic !", basic("ann", "needle"), "Bearer needles"):
        status, headers = ask("/", host="localhost", authorization=wrong)
        assert status == 401
        assert headers["www-authenticate"].startswith("Basic")
        refused = ask("/socket", "websocket", host="localhost", authorization=wrong)
        assert refused[0] == "websocket.close"
    assert ask("/health", host="localhost")[0] == 200
    given = basic("ann", "needles")
    assert ask("/", host="localhost", authorization=given)[0] == 200
    assert ask("/socket", "websocket", host="localhost", authorization=given)[0] == (
        "websocket.accept"
    )


def test_operators_have_a_password_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEEDLE_OPERATOR_PASSWORD", "haystack")
    with pytest.raises(OptionError, match="needs NEEDLE_PASSWORD"):
        access.visitor_of({}, {})
    monkeypatch.setenv("NEEDLE_PASSWORD", "needles")
    ann, bob = (
        access.visitor_of({"authorization": basic(name, word)}, {})
        for name, word in (("ann", "needles"), ("bob", "haystack"))
    )
    assert ann == access.Visitor("ann", operator=False)
    assert bob == access.Visitor("bob", operator=True)


def test_without_a_password_only_this_machine_is_ones_own() -> None:
    cookies = {access.COOKIE: "me"}
    assert access.visitor_of({}, cookies, "localhost") == access.Visitor("me", operator=True)
    assert access.visitor_of({}, cookies, "0.0.0.0") == access.Visitor("me", operator=False)


def test_who_lets_others_in_without_a_password_is_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    assert access.warning("localhost") is None
    said = access.warning("0.0.0.0")
    assert said is not None
    assert "set NEEDLE_PASSWORD" in said
    assert "\n" not in said
    monkeypatch.setenv("NEEDLE_PASSWORD", "needles")
    assert access.warning("0.0.0.0") is None


def test_the_log_has_a_line_a_request_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "needle.requests"):
        ask("/", host="localhost", cookie="needle-visitor=me")
        ask("/", host="evil.example")
    first, second = (json.loads(record.message) for record in caplog.records)
    assert (first["path"], first["status"], first["who"]) == ("/", 200, "me")
    assert second["status"] == 400


def test_the_application_has_the_gate_first() -> None:
    stack = server.application("localhost")._user_middleware
    assert stack[0].cls is access.Gate
