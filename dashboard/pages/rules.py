"""The rules by which a score becomes a sigma: the choice of one, and what each of them flags."""

from __future__ import annotations

import html

import streamlit as st

from dashboard.detector import RULES, SigmaMap, rounded
from dashboard.pages import frame
from dashboard.session import state

UNSEEN = "As by mean/std: this model looks at no single place."
HEAD = ("rule", "places beyond", "false alarms expected")


def choose(scan: state.OpenScan) -> str:
    """The rule that the user chooses; kept for the other pages."""
    rule = st.segmented_control(
        "Rule",
        list(RULES),
        default=state.rule(),
        format_func=lambda name: RULES[name].label,
        required=True,
        key=f"rule-{scan.store.key}",
        label_visibility="collapsed",
        width="stretch",
    )
    state.set_rule(rule)
    blind = RULES[rule].of_places and scan.scores.places is None
    frame.quiet(UNSEEN if blind else RULES[rule].says)
    return rule


def compare(scan: state.OpenScan, sigma: float) -> None:
    """A line for each rule: the places beyond the threshold, and the false alarms to expect."""
    if not st.toggle("Compare the rules", key="compare_rules"):
        return
    with st.spinner("Measuring by every rule"):
        lines = [_line(scan, rule, sigma) for rule in RULES]
    cells = "".join(f"<span>{html.escape(cell)}</span>" for line in (HEAD, *lines) for cell in line)
    st.html(f'<div class="needle-rules">{cells}</div>')
    frame.quiet(f"Beyond {sigma:.1f} σ by each, likely artefacts included.")


def _line(scan: state.OpenScan, rule: str, sigma: float) -> tuple[str, str, str]:
    measured = scan.sigma_map(rule)
    known = max(sigma, measured.floor)
    over = "over " if known > sigma else ""  # below the floor not all places are known
    expected = float(measured.tail.expected(known))
    return RULES[rule].label, f"{over}{_beyond(measured, known):,}", f"{over}{rounded(expected)}"


def _beyond(measured: SigmaMap, sigma: float) -> int:
    return measured.candidates.places(measured.count_above(sigma))
