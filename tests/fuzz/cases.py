"""Strange inputs, drawn by hypothesis: sound ones with bytes exchanged, left out, put in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from tests.fuzz import seeds

KINDS = ("picture", "model", "table", "area", "route", "query")
LARGEST = 1 << 17  # bytes of a case
# What counts and lengths are made of, in both orders of bytes.
NUMBERS = tuple(
    value.to_bytes(size, order)
    for size in (1, 2, 4)
    for value in (0, 1, (1 << (8 * size - 1)) - 1, 1 << (8 * size - 1), (1 << 8 * size) - 1)
    for order in ("little", "big")
)
WORDS = (
    "1e999",
    "-1e999",
    "nan",
    "9" * 5000,
    "-",
    "null",
    "[" * 3000,
    '{"type":' * 500,
    "\0",
    "\ud800",
    "٣",
    "../",
    "%00",
    "%2e%2e/",
    "=cmd|' /C calc'!A0",
    "\N{BYTE ORDER MARK}",
    "a" * 70000,
    '"',
    "\r",
    ",,,,",
)


class Case(NamedTuple):
    """One input of a kind."""

    kind: str
    content: bytes


class _Edit(NamedTuple):
    """A change of some bytes: `length` of them from a part of the whole on make way for others."""

    at: float
    length: int
    put: bytes


def edits(words: Sequence[bytes]) -> st.SearchStrategy[list[_Edit]]:
    """One change, or up to eight; half of the cases are nearly sound, and reach further in."""
    put = st.one_of(st.sampled_from(words), st.binary(max_size=8))
    where = st.floats(0, 1, exclude_max=True)
    length = st.one_of(st.integers(0, 8), st.sampled_from([64, 1024, LARGEST]))
    changes = st.builds(_Edit, where, length, put)
    small = st.builds(_Edit, where, st.integers(0, 4), put)
    return st.one_of(
        st.lists(small, min_size=1, max_size=1), st.lists(changes, min_size=1, max_size=8)
    )


def edited(content: bytes, changes: list[_Edit]) -> bytes:
    """The content with changes made one after the other."""
    for at, length, put in changes:
        start = int(at * len(content))
        content = (content[:start] + put + content[start + length :])[:LARGEST]
    return content


def mutated(kind: str, sound: Sequence[bytes], words: Sequence[bytes]) -> st.SearchStrategy[Case]:
    """Sound inputs with changes."""
    made = st.builds(edited, st.sampled_from(list(sound)), edits(words))
    return made.map(lambda content: Case(kind, content))


def cases(kind: str) -> st.SearchStrategy[Case]:
    """Strange inputs of a kind."""
    if kind == "picture":
        return mutated(kind, seeds.pictures(), NUMBERS)
    if kind == "model":
        return mutated(kind, seeds.models(), NUMBERS)
    text = {
        "table": (seeds.TABLE, seeds.TABLE.replace(",", ";")),
        "area": seeds.AREAS,
        "route": seeds.ROUTES,
        "query": seeds.QUERIES,
    }[kind]
    words = [word.encode("utf-8", "surrogatepass") for word in WORDS]
    sound = [one.encode() for one in text]
    if kind == "table":
        sound += [seeds.TABLE.encode("utf-16"), seeds.TABLE.encode("cp1252")]
    return mutated(kind, sound, [*words, *NUMBERS])
