"""Fixtures for tests of cases: the files of all cases, and one home."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.detector.cases import files


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the files of all cases."""
    if not files.CASES.exists():
        pytest.skip("needs the generators of ../shared/cases")
    return files.make(tmp_path_factory.mktemp("cases"))


@pytest.fixture(scope="session")
def lasting_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def home(lasting_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One home for all cases, so that no picture is ingested twice."""
    monkeypatch.setenv("NEEDLE_HOME", str(lasting_home))
    return lasting_home
