"""A client that asks the server's routes as a web server does, without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from dashboard import server

OWN = {"host": "localhost:8501", "origin": "http://localhost:8501"}  # what a page of ours sends


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Client:
    """Asks for addresses, and files at them."""

    def __init__(self) -> None:
        streamlits_own = Route("/{name}", lambda _: PlainTextResponse("Streamlit's"))
        middleware = [Middleware(server.lead_home)]
        self.app = Starlette(routes=[*server.routes(), streamlits_own], middleware=middleware)

    def get(self, address: str) -> Answer:
        return self._ask("GET", address, b"", {})

    def post(self, address: str, body: object, headers: Mapping[str, str] = OWN) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._ask("POST", address, content, headers)

    def _ask(self, method: str, address: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        path, _, query = address.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        answer = Answer()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            else:
                answer.content += message.get("body", b"")

        asyncio.run(self.app(scope, receive, send))
        return answer
