"""An archive on this machine: serves products by ranges, and misbehaves as real servers do."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATH = "/PDS/RDR/ESP/ORB_028400_028499/ESP_028401_1755/ESP_028401_1755_RED.JP2"
OBSERVATION = "ESP_028401_1755"


@dataclass
class Archive:
    """The files served, their faults, and the requests that came."""

    content: bytes
    etag: str = '"first"'
    ranges: bool = True
    checksum: str | None = "Repr-Digest"  # the header that carries it
    lie: bool = False  # the checksum is another content's
    breaks: list[int] = field(default_factory=list)  # bytes after which each answer ends early
    status: int = 200
    asked: list[str] = field(default_factory=list)  # "GET bytes=5-" and the like
    address: str = ""

    def headers(self) -> dict[str, str]:
        content = b"another" if self.lie else self.content
        sha = base64.b64encode(hashlib.sha256(content).digest()).decode()
        md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
        known = {
            "Repr-Digest": f"sha-256=:{sha}:",
            "Digest": f"SHA-256={sha}",
            "Content-MD5": md5,
        }
        return {"ETag": self.etag} | (
            {self.checksum: known[self.checksum]} if self.checksum else {}
        )


@contextmanager
def serving(archive: Archive) -> Iterator[Archive]:
    """The archive, reachable under its `address` while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, with_body: bool) -> None:
            wanted = self.headers.get("Range", "")
            archive.asked.append(f"{self.command} {wanted}".strip())
            if archive.status != 200 or self.path != PATH:
                self.send_error(archive.status if archive.status != 200 else 404)
                return
            same = self.headers.get("If-Range", archive.etag) == archive.etag
            start = int(wanted[6:-1]) if wanted and archive.ranges and same else 0
            body, total = archive.content[start:], len(archive.content)
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            self.send_header("Content-Length", str(len(body)))
            for name, value in archive.headers().items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                end = archive.breaks.pop(0) if archive.breaks else len(body)
                self.wfile.write(body[:end])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    archive.address = f"http://127.0.0.1:{server.server_port}/PDS"
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
