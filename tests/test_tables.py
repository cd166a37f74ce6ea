"""Rules and kinds of network are rows of tables: hardly any other file knows one by its name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dashboard.detector import RULES
from tests.test_arrows import ROOT, python_files
from training.kinds import KINDS
from training.presets import PRESETS

MOST = 4  # files that may know a rule or a kind: its own, and a default or two


def values_of(path: Path) -> set[str]:
    """The strings of a file that are values: no keys of records, which may be any word."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    keys = set[ast.expr | None]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys |= set(node.keys)
        elif isinstance(node, ast.Subscript):
            keys.add(node.slice)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "get":
            keys |= set(node.args[:1])
    found = (node for node in ast.walk(tree) if node not in keys)
    return {str(node.value) for node in found if isinstance(node, ast.Constant)}


def knowing(name: str, root: Path = ROOT) -> list[str]:
    """The product's files that hold a name as a string."""
    paths = (path for package in ("dashboard", "training") for path in python_files(package, root))
    return [str(path.relative_to(root)) for path in paths if name in values_of(path)]


@pytest.mark.parametrize("name", sorted({*RULES, *KINDS}))
def test_few_files_know_a_rule_or_a_kind_by_its_name(name: str) -> None:
    assert len(knowing(name)) <= MOST


def test_every_recipe_is_for_a_kind_that_there_is() -> None:
    assert {recipe.kind for recipe in PRESETS.values()} == set(KINDS)


def test_the_guard_sees_a_name_in_code_but_no_key_of_a_record(tmp_path: Path) -> None:
    (tmp_path / "dashboard").mkdir()
    lines = 'if kind == "mine": ...', '{"mine": 1}["mine"]', 'record.get("mine")'
    for number, line in enumerate(lines):
        (tmp_path / "dashboard" / f"spy_{number}.py").write_text(line + "\n")
    assert knowing("mine", tmp_path) == ["dashboard/spy_0.py"]
