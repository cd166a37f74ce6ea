from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.detector import ModelError
from dashboard.detector.models.pool import ModelPool


class Loader:
    """Counts what is loaded, and what of it is shrunk."""

    def __init__(self) -> None:
        self.loaded: list[tuple[str, str]] = []
        self.shrunk: list[str] = []

    def __call__(self, name: str, device: str) -> Any:
        self.loaded.append((Path(name).stem, device))
        return SimpleNamespace(name=name, shrink=lambda: self.shrunk.append(Path(name).stem))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    for name in "abc":
        (tmp_path / f"{name}.onnx").write_bytes(b"a network")
    return {name: str(tmp_path / f"{name}.onnx") for name in "abc"}


def test_all_who_ask_share_one_model(files: dict[str, str]) -> None:
    loader = Loader()
    pool = ModelPool(load=loader)

    assert pool.get(files["a"]) is pool.get(files["a"])
    assert loader.loaded == [("a", "auto")]


def test_a_device_has_a_model_of_its_own(files: dict[str, str]) -> None:
    loader = Loader()
    pool = ModelPool(load=loader)

    assert pool.get(files["a"]) is not pool.get(files["a"], "cpu")


def test_the_model_unused_for_longest_is_let_go(files: dict[str, str]) -> None:
    loader = Loader()
    pool = ModelPool(most=2, load=loader)

    for name in "abac":  # b is unused for longest when c comes
        pool.get(files[name])
    pool.get(files["a"])
    pool.get(files["b"])

    assert [name for name, _ in loader.loaded] == ["a", "b", "c", "b"]


def test_a_changed_file_is_loaded_again_and_the_old_model_let_go(files: dict[str, str]) -> None:
    import os

    loader = Loader()
    pool = ModelPool(load=loader)
    pool.get(files["a"])
    os.utime(files["a"], ns=(1, 1))
    pool.get(files["a"])
    pool.rest()

    assert len(loader.loaded) == 2
    assert loader.shrunk == ["a"]  # one model is kept, not two


def test_what_nobody_asked_for_in_a_while_is_let_go(files: dict[str, str]) -> None:
    loader = Loader()
    pool = ModelPool(idle=0.0, load=loader)
    pool.get(files["a"])
    for timer in [pool._timer]:
        if timer:
            timer.join(10)
    pool.get(files["a"])

    assert len(loader.loaded) == 2


def test_a_file_that_is_not_there_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model"):
        ModelPool().get(str(tmp_path / "none.onnx"))
