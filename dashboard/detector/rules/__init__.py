"""Rules by which a score becomes a sigma. A new one is a file of this folder and a row here."""

from __future__ import annotations

from dashboard.detector.errors import OptionError
from dashboard.detector.rules.base import Rule, Scale
from dashboard.detector.rules.mean import MEAN
from dashboard.detector.rules.places import PLACES
from dashboard.detector.rules.robust import ROBUST

RULES = {
    rule.name: rule
    for rule in (
        PLACES,
        MEAN,
        ROBUST,
    )
}
ARTICLE = MEAN.name  # the article's
DEFAULT_RULE = PLACES.name

__all__ = ["ARTICLE", "DEFAULT_RULE", "RULES", "Rule", "Scale", "rule_named"]


def rule_named(name: str) -> Rule:
    """The rule of a name.

    Raises:
        OptionError: there is none.
    """
    if name not in RULES:
        raise OptionError(f"the rule is {name!r}; it must be one of {', '.join(RULES)}")
    return RULES[name]
