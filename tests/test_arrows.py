"""The arrows of ARCHITECTURE.md: who may import whom, seen in a process of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UI = {"streamlit", "plotly"}
LEARNING = {"torch", "onnx", "onnxscript", "tensorboard", "sklearn"}
# Each room imports only from rooms in the lines above its own, and from itself. A name is a folder
# or a file; what a package gives by itself, its face, stands as `__init__`.
ARROWS = {
    "dashboard/detector": (
        "arrays errors",
        "tiling",
        "system",
        "files georeference",
        "scenes",
        "areas",
        "models",
        "scanning",
        "ground",
        "rules",
        "places",
        "review",
        "products",
        "run",
        "__init__",
    ),
    "dashboard": (
        "__init__",
        "detector",
        "background",
        "drawing",
        "session viewer",
        "pages",
        "routes",
        "batch server",
        "app __main__",
    ),
    "training": (
        "__init__ networks presets progress truth model_files",
        "simulation",
        "synthetic_anomalies",
        "windows",
        "kinds",
        "trainer",
        "onnx_files",
        "scene_adaptation",
        "evaluate",
        "__main__",
    ),
}
# What training reads pixels and writes cards with, and goes through a scene with as a scan does;
# `evaluate` alone sees the whole public face.
SHARED = {"arrays", "errors", "tiling", "system.locks", "scenes.scene", "scenes.ingest"}
SHARED |= {"models.card", "models.devices"}
SHARED |= {"scanning.pieces", "scanning.store", "system.whole_file"}
MOST = 16  # Python files of a folder


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


def names_of(path: Path) -> set[str]:
    """All that a file imports, with the module that each is taken from: `module.name`."""
    found = imports_of(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(parts: tuple[str, ...], levels: dict[str, int]) -> str:
    """The room in which a module lies, given the parts of its name within the package."""
    return parts[0] if parts and parts[0] in levels else "__init__"


def upward(package: str, root: Path = ROOT) -> list[str]:
    """Imports within a package that go against its `ARROWS`, as `file: module`."""
    rows = ARROWS[package]
    levels = {room: level for level, row in enumerate(rows) for room in row.split()}
    prefix, wrong = package.replace("/", ".") + ".", list[str]()
    inner = [name for name in ARROWS if name.startswith(f"{package}/")]
    for path in python_files(package, root):
        place = path.relative_to(root)
        if any(place.is_relative_to(name) for name in inner):
            continue  # it has a table of its own
        own = room_of(path.relative_to(root / package).with_suffix("").parts, levels)
        for module in sorted(names_of(path)):
            if not module.startswith(prefix):
                continue
            room = room_of(tuple(module.removeprefix(prefix).split(".")), levels)
            if room != own and levels[room] >= levels[own]:
                wrong.append(f"{place}: {module}")
    return wrong


def python_files(package: str, root: Path = ROOT) -> list[Path]:
    return sorted((root / package).rglob("*.py"))


def strays(root: Path) -> list[str]:
    """Imports in the files of `root` that go against an arrow, as `file: module`."""
    wrong = []
    for path in python_files("dashboard", root):
        inner = "detector" in path.relative_to(root).parts
        names = {"training"} | LEARNING | (UI if inner else set())
        if inner:
            rooms = {"app", "background", "drawing", "pages", "routes", "session", "viewer"}
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
    assert "scipy.stats" not in loaded  # half a second of every command
    assert forbidden(loaded, UI | LEARNING | {"training", "dashboard.pages"}) == set()


def test_the_command_line_starts_without_torch_and_streamlit() -> None:
    assert forbidden(loaded_by("dashboard.__main__"), UI | LEARNING | {"training"}) == set()


def test_the_commands_of_training_start_without_torch() -> None:
    loaded = loaded_by("training.__main__") | loaded_by("training.scene_adaptation.adapt")
    assert forbidden(loaded, {"torch", "onnxscript", "tensorboard"} | UI) == set()


def test_every_import_follows_the_arrows() -> None:
    assert strays(ROOT) == []


@pytest.mark.parametrize("package", list(ARROWS))
def test_every_room_imports_only_from_those_before_it(package: str) -> None:
    assert upward(package) == []


@pytest.mark.parametrize("package", list(ARROWS))
def test_every_room_has_its_place_in_the_table(package: str) -> None:
    rooms = {room for row in ARROWS[package] for room in row.split()}
    found = {path.stem for path in (ROOT / package).glob("*.py")}
    found |= {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert found == rooms | {"__init__"}


@pytest.mark.parametrize("package", ["dashboard", "training", "tests"])
def test_no_folder_holds_more_files_than_can_be_overseen(package: str) -> None:
    files = Counter(path.parent for path in python_files(package))
    assert [str(folder) for folder, count in files.items() if count > MOST] == []


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


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("dashboard/detector/scenes/spy.py", "from dashboard.detector.rules import places"),
        ("dashboard/detector/system/spy.py", "from dashboard.detector.scenes.scene import Scene"),
        ("dashboard/detector/rules/spy.py", "from dashboard.detector import Scene"),
        ("dashboard/detector/errors.py", "import dashboard.detector.tiling"),
        ("dashboard/session/spy.py", "def later():\n    from dashboard import pages"),
        ("training/networks/spy.py", "from training.windows import Windows"),
        ("training/kinds/spy.py", "from training.trainer import trainer"),
    ],
)
def test_the_table_sees_an_import_against_it(tmp_path: Path, file: str, line: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(line + "\n")
    assert [one for package in ARROWS for one in upward(package, tmp_path)]


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
