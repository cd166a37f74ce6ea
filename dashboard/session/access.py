"""Who may come in, and who they are: hosts, headers, an optional password, a line in the log.

Nobody is asked for a password unless `NEEDLE_PASSWORD` is set; then a browser asks for a name and
that password (HTTP Basic, over TLS of a proxy). `NEEDLE_OPERATOR_PASSWORD` makes an operator of
who gives it. Without passwords everybody is an operator on a server for this machine alone, which
is oneself, and nobody on one that others reach, which warns.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.detector import OptionError

log = logging.getLogger("needle.requests")
LOCAL = ("localhost", "127.0.0.1", "[::1]", "::1")
COOKIE = "needle-visitor"
READING = ("GET", "HEAD", "OPTIONS")  # methods that change nothing; a WebSocket has none
ASKS = {"WWW-Authenticate": 'Basic realm="Needle", charset="UTF-8"'}
# Streamlit compiles and styles within the page, and its WebSocket is at the same origin.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' ws: wss:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Visitor:
    """Who uses the pages."""

    name: str  # of who gave a password; else a random name that the browser keeps
    operator: bool


def passwords() -> tuple[str, str]:
    """The visitors' password and the operator's; empty where there is none.

    Raises:
        OptionError: there is one for operators alone.
    """
    plain = os.environ.get("NEEDLE_PASSWORD", "")
    operators = os.environ.get("NEEDLE_OPERATOR_PASSWORD", "")
    if operators and not plain:
        raise OptionError("NEEDLE_OPERATOR_PASSWORD needs NEEDLE_PASSWORD, which visitors give")
    return plain, operators


def visitor_of(
    headers: Mapping[str, str], cookies: Mapping[str, str], address: str | None = None
) -> Visitor | None:
    """Who sends these headers; None where a password is asked for and not given.

    Args:
        address: that the server listens on; None: this machine's own.
    """
    plain, operators = passwords()
    if not plain:
        return Visitor(cookies.get(COOKIE, ""), operator=address is None or address in LOCAL)
    kind, _, told = headers.get("authorization", "").partition(" ")
    try:
        name, _, given = base64.b64decode(told, validate=True).decode().partition(":")
    except ValueError:
        return None
    if kind.lower() != "basic" or not given:
        return None
    if operators and hmac.compare_digest(given.encode(), operators.encode()):
        return Visitor(name, operator=True)
    if hmac.compare_digest(given.encode(), plain.encode()):
        return Visitor(name, operator=False)
    return None


def hosts(address: str) -> frozenset[str]:
    """The names that requests may be for: `$NEEDLE_HOSTS`, with commas, and this machine's own.

    A page of another site, whose name leads to this machine, could otherwise use the pages of who
    looks at it. Addresses of numbers need no list: no name leads to them.
    """
    named = os.environ.get("NEEDLE_HOSTS", "").split(",")
    own = (*LOCAL, address, socket.gethostname(), *named)
    return frozenset(host.strip().lower() for host in own if host.strip())


def is_trusted_host(host: str, known_as: frozenset[str]) -> bool:
    """True for a header `Host` that names this server."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.lower().removesuffix(".")
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name in known_as
    return True


def warning(address: str) -> str | None:
    """One line for who lets others in without a password."""
    if address in LOCAL or passwords()[0]:
        return None
    return (
        f"needle: whoever reaches {address} may see and scan all that is here; "
        "set NEEDLE_PASSWORD, see SECURITY.md"
    )


def foreign(headers: Mapping[str, str], known_as: frozenset[str]) -> bool:
    """True where a page of another site asks, with what the browser knows of this server."""
    origin = headers.get("origin", "")
    if not origin:
        return False  # no browser, or a page's own picture
    site = urlsplit(origin)
    return site.netloc != headers.get("host") and (site.hostname or "") not in known_as


class Gate:
    """Lets in who may come, adds headers, writes a line a request."""

    def __init__(self, app: ASGIApp, known_as: frozenset[str]) -> None:
        self._app, self._known_as = app, known_as

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers, began, status = Headers(scope=scope), time.monotonic(), 0
        cookies = cookie_parser(headers.get("cookie", ""))
        visitor = visitor_of(headers, cookies)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add(MutableHeaders(raw=message["headers"]), cookies)
            await send(message)

        refused = None
        if not is_trusted_host(headers.get("host", ""), self._known_as):
            refused = PlainTextResponse("not known by this name; see NEEDLE_HOSTS\n", 400)
        elif not scope.get("query_string", b"").isascii():
            refused = PlainTextResponse("the address holds bytes that are not encoded\n", 400)
        elif visitor is None and not scope["path"].endswith("/health"):
            refused = PlainTextResponse("a password is needed\n", 401, ASKS)
        elif scope.get("method") not in READING and foreign(headers, self._known_as):
            refused = PlainTextResponse("not from another site; see NEEDLE_HOSTS\n", 403)
        if refused is None:
            await self._app(scope, receive, answer)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refused(scope, receive, answer)
        who = visitor.name if visitor else ""
        _write(scope, status, time.monotonic() - began, who)


def _add(headers: MutableHeaders, cookies: dict[str, str]) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if COOKIE not in cookies and headers.get("content-type", "").startswith("text/html"):
        name = secrets.token_urlsafe(16)
        headers.append("set-cookie", f"{COOKIE}={name}; Path=/; HttpOnly; SameSite=Lax")


def _write(scope: Scope, status: int, seconds: float, who: str) -> None:
    """One line of JSON a request: no query, no content."""
    said: dict[str, Any] = {"kind": scope["type"], "path": scope["path"][:200], "status": status}
    log.info(json.dumps(said | {"seconds": round(seconds, 3), "who": who[:40]}))
