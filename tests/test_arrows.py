"""The arrows of ARCHITECTURE.md: who may import whom, seen in a process of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UI = {"streamlit", "plotly"}
LEARNING = {"torch", "onnx", "onnxscript", "tensorboard", "sklearn"}
# What training reads pixels and writes cards with, and goes through a scene with as a scan does;
# `evaluate` alone sees the whole public face.
SHARED = {"arrays", "errors", "tiling", "system.locks", "scenes.scene", "scenes.ingest"}
SHARED |= {"models.card", "models.chessboard", "models.devices"}
SHARED |= {"scanning.pieces", "scanning.store"}


def loaded_by(module: str, root: Path = ROOT) -> set[str]:
    """Every module that importing `module` loads, in a fresh interpreter."""
    program = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def forbidden(loaded: set[str], names: set[str]) -> set[str]:
    """Those of the loaded modules that lie in a forbidden package."""
    return {module for module in loaded if any(f"{module}.".startswith(f"{n}.") for n in names)}


def imports_of(path: Path) -> set[str]:
    """The modules that a file names in its imports, wherever in it they stand."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def python_files(package: str, root: Path = ROOT) -> list[Path]:
    return sorted((root / package).rglob("*.py"))


def strays(root: Path) -> list[str]:
    """Imports in the files of `root` that go against an arrow, as `file: module`."""
    wrong = []
    for path in python_files("dashboard", root):
        inner = "detector" in path.relative_to(root).parts
        names = {"training"} | LEARNING | (UI if inner else set())
        if inner:
            rooms = {"app", "background", "drawing", "pages", "session", "viewer"}
            names |= {f"dashboard.{room}" for room in rooms}
        wrong += [f"{path.relative_to(root)}: {m}" for m in forbidden(imports_of(path), names)]
        if not inner:
            deep = {m for m in imports_of(path) if m.startswith("dashboard.detector.")}
            wrong += [f"{path.relative_to(root)}: {module}" for module in deep]
    for path in python_files("training", root):
        named = imports_of(path)
        wrong += [f"{path.relative_to(root)}: {module}" for module in forbidden(named, UI)]
        if "evaluate" in path.relative_to(root).parts:
            continue
        for module in forbidden(named, {"dashboard"}):
            if module.removeprefix("dashboard.detector.") not in SHARED:
                wrong.append(f"{path.relative_to(root)}: {module}")
    return wrong


def test_the_detector_loads_no_torch_no_streamlit_and_nothing_of_training() -> None:
    loaded = loaded_by("dashboard.detector")
    assert forbidden(loaded, UI | LEARNING | {"training", "dashboard.pages"}) == set()


def test_the_command_line_starts_without_torch_and_streamlit() -> None:
    assert forbidden(loaded_by("dashboard.__main__"), UI | LEARNING | {"training"}) == set()


def test_a_last_layer_is_fitted_without_torch() -> None:
    loaded = loaded_by("training.__main__") | loaded_by("training.scene_adaptation.adapt")
    assert "training.scene_adaptation.last_layer" in loaded
    assert forbidden(loaded, {"torch", "onnxscript", "tensorboard"} | UI) == set()


def test_every_import_follows_the_arrows() -> None:
    assert strays(ROOT) == []


def test_the_detector_never_prints() -> None:
    for path in python_files("dashboard/detector"):
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        named = [call.func.id for call in calls if isinstance(call.func, ast.Name)]
        assert "print" not in named, path.name


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("dashboard/detector/spy.py", "import streamlit"),
        ("dashboard/detector/spy.py", "from torch import nn"),
        ("dashboard/detector/spy.py", "from training.networks import article"),
        ("dashboard/detector/spy.py", "def later():\n    import dashboard.background.jobs"),
        ("dashboard/pages/spy.py", "import torch"),
        ("dashboard/pages/spy.py", "from dashboard.detector.scanning.scan import scan"),
        ("training/spy.py", "from dashboard.detector.products.finished import write_results"),
        ("training/networks/spy.py", "import streamlit"),
    ],
)
def test_the_guard_sees_a_forbidden_import(tmp_path: Path, file: str, line: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(line + "\n")
    assert len(strays(tmp_path)) == 1


def test_the_guard_sees_what_is_loaded_through_another_module(tmp_path: Path) -> None:
    package = tmp_path / "dashboard" / "detector"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import innocent\n")
    (tmp_path / "innocent.py").write_text("import torch.nn\n")
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").touch()
    (tmp_path / "torch" / "nn.py").touch()
    loaded = loaded_by("dashboard.detector", tmp_path)
    assert forbidden(loaded, LEARNING) == {"torch", "torch.nn"}
