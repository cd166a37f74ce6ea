"""Notes on the shipped models: a line to choose by, what each finds, and where it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

FILE = "models.json"  # beside the models: a note a name


class Notes(NamedTuple):
    """Sentences on a model."""

    says: str  # a few words to choose by
    finds: str
    fails: str


def notes_of(model: Path) -> Notes | None:
    """The notes that lie beside a model; None where there are none of it that can be read."""
    try:
        known = json.loads(model.with_name(FILE).read_text(encoding="utf-8"))
        return Notes(*(str(known[model.stem][field]) for field in Notes._fields))
    except (OSError, ValueError, KeyError, TypeError):
        return None
