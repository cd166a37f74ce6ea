"""The model card: what goes into a file's metadata comes out again, or is refused."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from dashboard.detector import ModelCard, ModelError
from dashboard.detector.models.card import PREFIX
from tests.models import CARD


def test_a_card_survives_the_round_trip() -> None:
    metadata = CARD.to_metadata()
    assert all(isinstance(value, str) for value in metadata.values())
    assert ModelCard.from_metadata(metadata | {"other.tool": "x"}) == CARD


@pytest.mark.parametrize(
    "name", [field.name for field in fields(ModelCard) if field.name != "scores"]
)
def test_every_key_counts(name: str) -> None:
    metadata = CARD.to_metadata()
    del metadata[PREFIX + name]
    with pytest.raises(ModelError, match=f"lacks {name}"):
        ModelCard.from_metadata(metadata)


def test_what_is_unknown_broken_or_absent_is_refused() -> None:
    metadata = CARD.to_metadata()
    with pytest.raises(ModelError, match="has unknown colour"):
        ModelCard.from_metadata(metadata | {PREFIX + "colour": json.dumps("red")})
    with pytest.raises(ModelError, match="tile is not readable"):
        ModelCard.from_metadata(metadata | {PREFIX + "tile": "{"})
    with pytest.raises(ModelError, match="no model card; export it"):
        ModelCard.from_metadata({"producer": "somebody"})


@pytest.mark.parametrize(
    ("around", "hole", "scores"), [(0, 64, "tiles"), (65, 12, "areas"), (0, 0, "windows")]
)
def test_a_card_of_an_earlier_version_is_read(around: int, hole: int, scores: str) -> None:
    card = replace(CARD, around=around, hole=hole, scores=scores)
    metadata = card.to_metadata() | {f"{PREFIX}square": "0", f"{PREFIX}planted": "null"}
    del metadata[f"{PREFIX}scores"]
    assert ModelCard.from_metadata(metadata) == card


def test_the_kind_of_network_is_nothing_to_the_detector_but_what_it_scores_is() -> None:
    assert not replace(CARD, kind="new").area
    with pytest.raises(ModelError, match="scores 'seas', which this version does not know"):
        replace(CARD, scores="seas")


def test_text_keeps_its_letters() -> None:
    card = replace(CARD, title='Dünen, "rough" ground\n#2')
    assert ModelCard.from_metadata(card.to_metadata()) == card


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tile", '"256"'),
        ("tile", "true"),
        ("tile", "-1"),
        ("tile", "1000000000"),
        ("strides", "16"),
        ("strides", '["16"]'),
        ("title", "null"),
        ("hours", '"long"'),
        ("start", "[" * 5000),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(key: str, value: str) -> None:
    metadata = CARD.to_metadata() | {f"{PREFIX}{key}": value}
    with pytest.raises(ModelError, match=f"the model card's {key} is not"):
        ModelCard.from_metadata(metadata)
