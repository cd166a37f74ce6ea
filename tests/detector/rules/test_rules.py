"""The table of rules: a row is all that it takes to measure by another rule."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.detector import RULES, OptionError, ScanSettings, ScoreMap, sigma_map
from dashboard.detector.rules import Rule, rule_named
from tests.detector.scanning.test_score_map import score_map


def above_the_least(scores: ScoreMap) -> tuple[float, float]:
    return float(np.nanmin(scores.values)), 2.0


def test_a_new_row_is_a_rule_to_measure_by_and_to_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Rule("least", "least", "Halves above the least.", ("Least", "two"), above_the_least)
    monkeypatch.setitem(RULES, new.name, new)
    assert ScanSettings(rule="least").rule == "least"
    measured = sigma_map(score_map(np.array([[1.0, 3.0, 9.0]])), "least")
    assert measured.measure.sigma_of(np.array([1.0, 3.0, 9.0])).tolist() == [0.0, 1.0, 4.0]
    assert measured.measure.limit(3.0) == 7.0
    assert (measured.measure.rule, measured.measure.by.words) == ("least", ("Least", "two"))


def test_every_rule_has_the_name_it_is_asked_for_by_and_one_way_to_measure() -> None:
    for name, rule in RULES.items():
        assert rule_named(name) is rule
        assert rule.name == name
        assert (rule.of_positions is None) != (rule.of_places is None)
        assert rule.says.endswith(".")


def test_a_rule_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(OptionError, match="'new'; it must be one of places, mean, robust"):
        rule_named("new")
