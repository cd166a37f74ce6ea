"""The model card: what a caller must know of a network, kept in its ONNX metadata.

This is the only place that knows the keys. They are written by `ModelCard.to_metadata` and read by
`ModelCard.from_metadata`; an unknown or a missing key is an error, so that a file from another
time is refused instead of misread. Nothing here depends on the kinds of network that training has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from dashboard.detector.errors import ModelError

PREFIX = "needle."
LENGTHS = ("tile", "hole", "score_window", "stride", "margin", "around", "bands")
LONGEST = 1 << 14  # px; the memory for what a network looks at grows with the square
TILES, AREAS, WINDOWS = "tiles", "areas", "windows"  # what a network may score
GONE = {"square", "planted"}  # keys of earlier cards, which said nothing


@dataclass(frozen=True)
class ModelCard:
    """Facts of a network and of its making; lengths in pixels of the scene."""

    kind: str  # the family of networks: what it can go on from
    scores: str  # tiles, areas, or windows around places that another network has found
    title: str
    tile: int  # side of what a position needs, in its middle what is scored
    hole: int  # side of what is hidden
    score_window: int  # side of what is scored
    stride: int  # default distance of tiles
    strides: tuple[int, ...]  # strides worth offering
    margin: int  # context beyond the scored window, or beyond an area, that is read, each way
    around: int  # positions: side of the square of surprise a score stands out from; 0: of none
    input_range: str  # what DN may be
    bands: int
    score_unit: str
    parameters: int
    preset: str
    start: str | None  # the model whose weights it began with
    epochs: float  # really done
    windows_seen: int
    hours: float  # of training
    hardware: str
    loss: float  # of the last tenth of the training
    scenes: tuple[str, ...]  # trained on
    polluted: bool  # False: known objects were left out of the training
    date: str  # ISO 8601
    git_revision: str
    opset: int
    precision: str  # of the weights
    parity: float  # largest absolute difference of ONNX Runtime from PyTorch
    parity_checksum: str  # of the samples it was measured on

    def __post_init__(self) -> None:
        if self.scores not in (TILES, AREAS, WINDOWS):
            raise ModelError(f"the model scores {self.scores!r}, which this version does not know")

    @property
    def area(self) -> bool:
        """True where one run scores every position of an area, less its margin."""
        return self.scores == AREAS

    @property
    def judges_places(self) -> bool:
        """True where it looks at single places, which another network has found."""
        return self.scores == WINDOWS

    @property
    def learned(self) -> bool:
        """True where it has learned a scene."""
        return self.preset.endswith("-adapt")

    @property
    def sees(self) -> int:
        """Pixels around an area that its surprise depends on, each way: less than the margin."""
        return self.margin - self.around // 2 * self.stride

    def to_metadata(self) -> dict[str, str]:
        """The card as ONNX metadata: one JSON value a key."""
        return {PREFIX + key: json.dumps(value) for key, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> ModelCard:
        """The card in a file's metadata.

        Raises:
            ModelError: a key is missing, unknown, or does not read as what it should be.
        """
        given = {key.removeprefix(PREFIX) for key in metadata if key.startswith(PREFIX)} - GONE
        wanted = {field.name: str(field.type) for field in fields(cls)}
        older = bool(given) and "scores" not in given
        if given | ({"scores"} if older else set()) != set(wanted):
            raise ModelError(_difference(given, set(wanted)))
        values = {name: _value(metadata[PREFIX + name], name, wanted[name]) for name in given}
        if older:
            values["scores"] = _scores_of(values)
        return cls(**values)


def _value(text: str, name: str, kind: str) -> Any:
    """A value of a card's key, of a type as it is written in the card's fields."""
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"the model card's {name} is not readable: {error}") from error
    if isinstance(value, list):
        value = tuple(value)
    if not _fits(value, kind) or (name in LENGTHS and value > LONGEST):
        raise ModelError(f"the model card's {name} is not a sensible {kind}")
    return value


def _scores_of(card: Mapping[str, Any]) -> str:
    """`scores` of a card from before it had that key: judges of places hide nothing."""
    if card["around"]:
        return AREAS
    return TILES if card["hole"] else WINDOWS


def _fits(value: object, kind: str) -> bool:
    """True where a value is of a type as it is written in the card's fields."""
    if kind.endswith(" | None"):
        return value is None or _fits(value, kind.removesuffix(" | None"))
    if kind.startswith("tuple["):
        inner = kind.removeprefix("tuple[").partition(",")[0]
        return isinstance(value, tuple) and all(_fits(item, inner) for item in value)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if kind == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, {"str": str, "bool": bool}[kind])


def _difference(given: set[str], wanted: set[str]) -> str:
    if not given:
        return "the file carries no model card; export it with `python -m training export`"
    parts = []
    if wanted - given:
        parts.append(f"lacks {', '.join(sorted(wanted - given))}")
    if given - wanted:
        parts.append(f"has unknown {', '.join(sorted(given - wanted))}")
    return f"the model card {' and '.join(parts)}; export the model with this version of Needle"
