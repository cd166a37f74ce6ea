"""Notes on models: each shipped one has its own, and a strange file of them does no harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.detector import list_models
from dashboard.pages.model_notes import FILE, notes_of


def test_each_shipped_model_says_what_it_finds_and_where_it_fails() -> None:
    said = [notes_of(path) for path in list_models()]
    assert len(said) >= 3
    assert all(notes and all(notes) for notes in said)


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"other": {}}', '{"mine": 3}', '{"mine": {"says": "only"}}']
)
def test_a_model_without_notes_has_none(tmp_path: Path, content: str) -> None:
    model = tmp_path / "mine.onnx"
    assert notes_of(model) is None
    (tmp_path / FILE).write_text(content)
    assert notes_of(model) is None
