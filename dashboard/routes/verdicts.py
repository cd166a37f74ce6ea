"""Verdicts over HTTP: what a browser asks for every second, and the actions that it files.

A browser keeps its actions in a queue until they are acknowledged here, and may send one twice: an
action is done once under its id. Only a page of this very server may file any.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboard.detector import (
    By,
    Change,
    Decision,
    NeedleError,
    Place,
    ScanStore,
    StoreError,
    Subject,
    Verdict,
    Verdicts,
    needle_home,
)
from dashboard.viewer import addresses

MOST_BYTES = 1 << 20  # of a request; ten thousand places take a quarter
MOST_ACTIONS, MOST_PLACES = 500, 10_000
LONGEST_WORDS, LONGEST_NAME = 500, 80  # letters
ID = re.compile(r"[\w-]{8,64}", re.ASCII)
# What reading a body as a list of actions raises where it is something else.
MALFORMED = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)
FRESH = {"Cache-Control": "no-store"}


class Refused(Exception):
    """An action that can never be filed, in words."""


@dataclass(frozen=True)
class Action:
    """A browser's request: one change of some places, or an earlier action taken back."""

    by: By
    places: tuple[Place, ...]
    change: Change
    undoes: str | None

    def file(self, subject: Subject, verdicts: Verdicts) -> None:
        """Files it.

        Raises:
            StoreError: it cannot be written.
        """
        if self.undoes is None:
            verdicts.decide(subject, [(place, self.change) for place in self.places], self.by)
        else:
            verdicts.undo(subject, self.by, self.undoes)


def routes() -> list[Route]:
    """Where the verdicts of a scan are read and filed."""
    path = f"{addresses.verdicts()}/{{scan}}"
    return [Route(path, read, methods=["GET"]), Route(path, file, methods=["POST"])]


def read(request: Request) -> Response:
    """The places that have changed since the revision that is named; all, without one."""
    try:
        since = int(request.query_params.get("since", "0"))
        return JSONResponse(_news(_store(request), since), headers=FRESH)
    except (NeedleError, ValueError, OverflowError) as error:
        return _answer(str(error), 404)


async def file(request: Request) -> Response:
    """Files actions in their order; says which are done, which never can be, and what is new."""
    if not same_origin(request):
        return _answer("verdicts are filed by pages of this server alone", 403)
    try:
        asked = json.loads(await _body(request))
        return await run_in_threadpool(_file, request, asked)
    except Refused as error:
        return _answer(str(error), 400)
    except StoreError as error:
        return _answer(str(error), 503)
    except MALFORMED as error:
        return _answer(f"this is no list of actions ({error})", 400)


def same_origin(request: Request) -> bool:
    """True where the browser says that a page of this server asks, and no other."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == request.headers.get("host")


def _file(request: Request, asked: Mapping[str, Any]) -> Response:
    try:
        store = _store(request)
    except (NeedleError, ValueError) as error:
        return _answer(str(error), 404)
    verdicts, subject = Verdicts(), Subject.of(store)
    actions = asked["actions"]
    if not isinstance(actions, list) or len(actions) > MOST_ACTIONS:
        raise Refused(f"at most {MOST_ACTIONS} actions are filed at once")
    done, refused = [], []
    for given in actions:
        try:
            action = action_of(given, asked["session"], store)
        except Refused as error:
            refused.append({"id": str(given.get("id", "")), "why": str(error)})
            continue
        action.file(subject, verdicts)
        done.append(action.by.ticket)
    news = _news(store, int(asked.get("since", 0)))
    return JSONResponse({"done": done, "refused": refused} | news, headers=FRESH)


def action_of(said: Mapping[str, Any], session: object, store: ScanStore) -> Action:
    """An action as it is to be filed.

    Raises:
        Refused: it cannot be, for it lacks something or says too much.
    """
    ticket, undoes = said.get("id"), said.get("undoes")
    ids = [session, ticket] + ([undoes] if undoes is not None else [])
    if not all(isinstance(name, str) and ID.fullmatch(name) for name in ids):
        raise Refused("an action needs an id and a session of 8 to 64 letters and digits")
    reviewer = _words(said, "reviewer", LONGEST_NAME)
    if not reviewer:
        raise Refused("an action needs the reviewer's name")
    by = By(reviewer, str(session), str(ticket))
    if undoes is not None:
        return Action(by, (), Change(), str(undoes))
    verdict = said.get("verdict")
    if verdict is not None and verdict not in set(Verdict):
        raise Refused(f"{verdict!r} is no verdict")
    change = Change(
        None if verdict is None else Verdict(verdict),
        _words(said, "note", LONGEST_WORDS),
        _words(said, "name", LONGEST_WORDS),
    )
    return Action(by, _places(said, store), change, None)


def _words(said: Mapping[str, Any], name: str, longest: int) -> str | None:
    words = said.get(name)
    if words is None:
        return None
    if not isinstance(words, str) or len(words) > longest:
        raise Refused(f"the {name} must be at most {longest} letters")
    return words.strip()


def _places(said: Mapping[str, Any], store: ScanStore) -> tuple[Place, ...]:
    given = said.get("points")
    if not isinstance(given, list) or not 0 < len(given) <= MOST_PLACES:
        raise Refused(f"an action is about 1 to {MOST_PLACES} places")
    width, height = store.record.width, store.record.height
    try:
        places = tuple((float(x), float(y)) for x, y in given)
    except (TypeError, ValueError) as error:
        raise Refused("a place is two numbers") from error
    if not all(0 <= x <= width and 0 <= y <= height for x, y in places):
        raise Refused("a place lies outside the scene")
    return places


def _news(store: ScanStore, since: int) -> dict[str, Any]:
    revision, changed = Verdicts().since(Subject.of(store), since)
    return {"revision": revision, "points": [_facts(decision) for decision in changed.values()]}


def _facts(decision: Decision) -> dict[str, Any]:
    opinions = [
        [opinion.reviewer, opinion.verdict, opinion.made, opinion.action]
        for opinion in decision.opinions
    ]
    said = {"opinions": opinions, "note": decision.note, "name": decision.name}
    return {"x": decision.place[0], "y": decision.place[1], "action": decision.action} | said


async def _body(request: Request) -> bytes:
    """The body of a request, read only as far as it may reach."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise Refused(f"at most {MOST_BYTES} bytes are taken at once")
    return body


def _store(request: Request) -> ScanStore:
    """The stored scan that the address names.

    Raises:
        ValueError, NeedleError: there is none.
    """
    key = request.path_params["scan"]
    if not (key.isascii() and key.isalnum() and len(key) <= 64):
        raise ValueError("no such scan")
    return ScanStore.open(needle_home() / "scans" / key)


def _answer(words: str, status: int) -> Response:
    return JSONResponse({"error": words}, status_code=status, headers=FRESH)
