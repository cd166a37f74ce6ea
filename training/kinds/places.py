"""The kind `places`: looks at single places, which `guarded` has found."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from training.kinds.base import Kind, Plan
from training.kinds.place_learner import PlacesLearner
from training.networks import BLOCK, places

TOLERANCE = 1e-3  # of logits, and of the numbers that describe a place


def plan(network: places.Places, _calibration: Mapping[str, Tensor]) -> Plan:
    """How a network is exported, as it stands; it is not calibrated."""
    window = (places.WINDOW, places.WINDOW)
    facts = {
        "scores": "windows",
        "title": "Places: one look at each place that guarded finds, by a network that has seen "
        "photographs",
        "tile": places.WINDOW,
        "hole": 0,
        "score_window": places.VIEWS[0],
        "stride": BLOCK,
        "strides": (BLOCK,),
        "margin": 0,
        "around": 0,
        "score_unit": "logit of something put there, and 64 numbers that describe the place",
    }
    return Plan(
        network,
        facts,
        TOLERANCE,
        window,
        [window] * 3,
        outputs=("logit", "description"),
        inputs=("windows",),
    )


PLACES = Kind("places", lambda _width: places.Places(), PlacesLearner, plan)
