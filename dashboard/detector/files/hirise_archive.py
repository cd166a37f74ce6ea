"""A HiRISE product from its public archive, whole or not there; a broken download goes on."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from ssl import SSLError
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from dashboard.detector.errors import FetchError, OptionError, SceneError, StoreError
from dashboard.detector.files.formats import identify
from dashboard.detector.system.home import needle_home
from dashboard.detector.system.locks import alone

ARCHIVE = "https://hirise-pds.lpl.arizona.edu/PDS"  # of the University of Arizona
OBSERVATION = re.compile(r"(PSP|ESP|TRA)_(\d{6})_(\d{4})")  # phase, orbit, centre latitude
AGENT = {"User-Agent": "needle"}
TIMEOUT = 30.0  # s without a byte
TRIES = 5  # in a row that bring nothing
PAUSE = 1.0  # s before the second try, twice as long before each further one
CHUNK = 1 << 20  # bytes

Progress = Callable[[int, int], None]  # bytes there, bytes in all


class _Broken(Exception):
    """The server ended before the product did."""


NETWORK = (URLError, TimeoutError, ConnectionError, SSLError, HTTPException, _Broken)


@dataclass(frozen=True)
class _Offer:
    """A product as the archive offers it, before it is downloaded: its size, name and checksum."""

    url: str
    size: int  # bytes
    tag: str | None  # names this very content; None where the server gives no name
    checksum: tuple[str, bytes] | None  # name of the hash and its value

    @property
    def key(self) -> str:
        """A name for this content, so that parts of another are never continued."""
        return hashlib.sha256(f"{self.url} {self.size} {self.tag}".encode()).hexdigest()[:12]


def fetch(
    observation: str,
    folder: Path | None = None,
    *,
    archive: str | None = None,
    on_progress: Progress | None = None,
) -> Path:
    """The path of an observation's RED product, fetched where it is not there yet.

    Args:
        observation: as `ESP_028401_1755`.
        folder: where products are kept; `fetched` in Needle's own folder otherwise.
        archive: the archive's address; `$NEEDLE_ARCHIVE`, else that of the HiRISE team.
        on_progress: called with the bytes there and the bytes in all; may raise to stop.

    Raises:
        OptionError: that is no observation, or no address.
        FetchError: the archive cannot be reached, has no such product, or sends another.
        StoreError: there is no room, or no leave, to write it.
    """
    path = product_path(observation)
    folder = folder or needle_home() / "fetched"
    target = folder / Path(path).name
    if target.exists():
        return target
    url = f"{_address(archive)}/{path}"
    report = on_progress or (lambda *_: None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder / f".{target.name}.lock", lambda: report(0, 0)):
            if not target.exists():
                _arrived(_ask(url), target, report)
    except OSError as error:
        raise StoreError(
            f"{folder}: {target.name} cannot be written ({error.strerror}); make room and try again"
        ) from error
    return target


def product_path(observation: str) -> str:
    """Where the archive keeps an observation's RED product, map-projected at full resolution.

    Raises:
        OptionError: that is no observation.
    """
    name = observation.strip().upper()
    found = OBSERVATION.fullmatch(name)
    if not found:
        raise OptionError(
            f"{observation!r} is no HiRISE observation; give one as ESP_028401_1755 "
            "(PSP, ESP or TRA, orbit, latitude)"
        )
    first = int(found[2]) // 100 * 100
    return f"RDR/{found[1]}/ORB_{first:06d}_{first + 99:06d}/{name}/{name}_RED.JP2"


def _address(archive: str | None) -> str:
    address = archive or os.environ.get("NEEDLE_ARCHIVE") or ARCHIVE
    if not address.startswith(("https://", "http://")):
        raise OptionError(f"the archive is {address!r}; it must be an http or https address")
    return address.rstrip("/")


def _ask(url: str) -> _Offer:
    """The offer of the archive under an address, by a HEAD request."""
    try:
        request = urllib.request.Request(url, headers=AGENT, method="HEAD")
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            said = answer.headers
    except (OSError, HTTPException) as error:
        raise _unreached(url, error) from error
    if not said.get("Content-Length", "").isdecimal():
        raise FetchError(f"{url}: the server does not say how large the product is; try later")
    return _Offer(url, int(said["Content-Length"]), _tag(said), _checksum(said))


def _tag(said: Message) -> str | None:
    """The strong ETag or date among a server's headers, which names its content; None without."""
    etag = said.get("ETag")
    return etag if etag and not etag.startswith("W/") else said.get("Last-Modified")


def _checksum(said: Message) -> tuple[str, bytes] | None:
    """The checksum among a server's headers: RFC 9530, RFC 3230 and RFC 1864, best first."""
    digests = f"{said.get('Repr-Digest', '')},{said.get('Digest', '')}"
    found = re.search(r"sha-256=:?([A-Za-z0-9+/]{43}=)", digests, re.IGNORECASE)
    if found:
        return "sha256", base64.b64decode(found[1])
    given = re.fullmatch(r"[A-Za-z0-9+/]{22}==", said.get("Content-MD5", "").strip())
    return ("md5", base64.b64decode(given[0])) if given else None


def _arrived(offer: _Offer, target: Path, report: Progress) -> None:
    """Fetches what is missing of a product, checks it, and gives it its name."""
    part = target.with_name(f".{target.name}.{offer.key}.part")
    for old in target.parent.glob(f".{target.name}.*.part"):
        if old != part:
            old.unlink(missing_ok=True)
    failed = 0
    while (had := _size(part)) < offer.size:
        _check_room(target, offer.size - had)
        try:
            _receive(offer, part, report)
        except NETWORK as error:
            failed = failed + 1 if _size(part) <= had else 1
            final = isinstance(error, HTTPError) and error.code < 500
            if final or failed == TRIES:
                raise _unreached(offer.url, error) from error
            time.sleep(PAUSE * 2 ** (failed - 1))
    _check(part, target.name, offer)
    part.replace(target)


def _receive(offer: _Offer, part: Path, report: Progress) -> None:
    """Adds to `part` what the server sends of the rest."""
    have = _size(part)
    headers = dict(AGENT)
    if have:
        headers["Range"] = f"bytes={have}-"
        if offer.tag:
            headers["If-Range"] = offer.tag
    request = urllib.request.Request(offer.url, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer, part.open("ab") as file:
        if _tag(answer.headers) != offer.tag:
            raise FetchError(f"{offer.url}: was exchanged while it came; fetch it again")
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            file.truncate(have := 0)  # the server begins anew
        report(have, offer.size)
        while have < offer.size and (chunk := answer.read(min(CHUNK, offer.size - have))):
            file.write(chunk)
            have += len(chunk)
            report(have, offer.size)
    if have < offer.size:
        raise _Broken(f"the server broke off after {have:,} of {offer.size:,} bytes")


def _check(part: Path, name: str, offer: _Offer) -> None:
    """Removes what is not the product, and says so."""
    try:
        if _size(part) != offer.size:
            raise FetchError(f"{name}: more bytes came than were announced; fetch it again")
        if offer.checksum:
            kind, wanted = offer.checksum
            with part.open("rb") as file:
                found = hashlib.file_digest(file, kind).digest()
            if found != wanted:
                raise FetchError(f"{name}: its {kind} checksum is not the server's; fetch it again")
        try:
            identify(part, name)
        except SceneError as error:
            raise FetchError(f"{offer.url}: what came is no picture; try later") from error
    except FetchError:
        part.unlink()
        raise


def _check_room(target: Path, missing: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < missing:
        raise StoreError(
            f"{target.parent}: {missing / 1e6:.0f} MB of {target.name} are missing and "
            f"{free / 1e6:.0f} MB are free; make room and try again"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _unreached(url: str, error: Exception) -> FetchError:
    """One line on why the archive does not give what was asked for."""
    if isinstance(error, HTTPError) and error.code in (404, 410):
        name = Path(url).name.removesuffix("_RED.JP2")
        return FetchError(f"{name}: the archive has no such product ({url}); check the observation")
    if isinstance(error, HTTPError):
        return FetchError(f"{url}: the server answers {error.code} {error.reason}; try later")
    reason = str(getattr(error, "reason", None) or error).strip() or type(error).__name__
    return FetchError(
        f"{Path(url).name}: {urlsplit(url).netloc} cannot be reached ({reason}); "
        "try again later, it goes on with what has come"
    )
