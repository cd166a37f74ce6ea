"""Three hundred strange inputs, and all that ever did harm, end as one line or are taken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import home as homes
from tests.fuzz.cases import KINDS, Case, cases

if sys.platform == "win32":
    pytest.skip("needs fork and limits of memory", allow_module_level=True)

from tests.fuzz.children import Outcome, outcome

CASES = {"picture": 110, "model": 30, "table": 50, "area": 60, "route": 40, "query": 10}
FOUND = Path(__file__).with_name("found")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return homes.made(tmp_path_factory.mktemp("fuzz"))


def sound(found: Outcome) -> None:
    """Fails where a case did harm."""
    assert not found.fault, f"{found.what}, {found.megabytes:.0f} MB: {found.said[-3000:]}"


@pytest.mark.parametrize("kind", KINDS)
def test_strange_input_is_taken_or_refused_in_a_line(kind: str, home: Path) -> None:
    @settings(
        max_examples=CASES[kind],
        derandomize=True,  # the same in every run: others are for `python -m tests.fuzz`
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(kind))
    def run(case: Case) -> None:
        sound(outcome(case, home))

    run()


@pytest.mark.parametrize("path", sorted(FOUND.glob("*-*")), ids=lambda path: path.name)
def test_what_once_did_harm_does_none(path: Path, home: Path) -> None:
    sound(outcome(Case(path.name.partition("-")[0], path.read_bytes()), home))


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        ("raise KeyError('x')", "traceback"),
        ("import ctypes; ctypes.string_at(0)", "crash"),
        ("import time; time.sleep(100)", "hang"),
        ("x = b'x' * (17 << 27)", "taken"),  # more than a case may hold
    ],
)
def test_harm_is_seen(harm: str, what: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.children.SECONDS", 15.0)
    found = outcome(Case("harm", harm.encode()), home)
    assert found.what == what
    assert found.fault
    with pytest.raises(AssertionError):
        sound(found)


@given(st.sampled_from(KINDS).flatmap(cases))
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_a_case_is_small(case: Case) -> None:
    assert len(case.content) <= 1 << 17
