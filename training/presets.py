"""Recipes for training, each with its cost and the loss to expect."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Preset:
    """One recipe. An epoch is `windows` random windows, whatever the size of the scenes."""

    name: str
    width: float  # channels, as a multiple of those in the network's table
    epochs: int
    windows: int
    batch: int  # over all processes together
    learning_rate: float
    warm_up: int  # steps
    weight_decay: float = 1e-4
    turns: bool = True  # windows turned and mirrored at random: eight times the ground
    kind: str = "article"  # of network, a row of `kinds/`
    clip: float | None = None  # largest norm of the gradient
    averaged: float = 0.0  # what an average of weights keeps of itself a step; 0: there is none
    part: str = ""  # of the network that learns alone, when the rest has learned
    learns_a_scene: bool = False  # it goes on from a model's weights, on one scene


ARTICLE = Preset("article", 1.0, 200, 10_000, batch=64, learning_rate=1e-3, warm_up=1_000)
GUARDED = Preset(
    "guarded",
    1.0,
    4,
    10_000,
    batch=16,
    learning_rate=3e-3,
    warm_up=100,
    kind="guarded",
    clip=1.0,
    averaged=0.998,
)
READER = Preset(
    "reader",
    1.0,
    4,
    3_000,
    batch=4,
    learning_rate=2e-3,
    warm_up=100,
    weight_decay=1e-3,
    kind="guarded",
    clip=1.0,
    averaged=0.995,
    part="reader",
)
PLACES = Preset(
    "places",
    1.0,
    4,
    4_200,
    batch=6,
    learning_rate=5e-4,
    warm_up=100,
    weight_decay=1e-2,
    kind="places",
    clip=2.0,
    averaged=0.998,
)
SMOKE = Preset("smoke", 0.125, 2, 16, batch=4, learning_rate=1e-3, warm_up=2)
SMOKE_AREAS = replace(GUARDED, width=0.25, epochs=2, windows=16, batch=4, warm_up=2)

PRESETS = {
    preset.name: preset
    for preset in (
        # The article's recipe: 200 epochs, 2,000,000 windows of 49 GFLOP, 99 PFLOP in all: about
        # half an hour of an H100-class card at a quarter of its bf16 peak. 1,444,737 parameters.
        # Not run to its end yet: no loss to quote.
        ARTICLE,
        # Half as many channels again, for the article's suggestion of a larger model: 3.2 million
        # parameters, 110 GFLOP a window. Not run to its end yet.
        replace(ARTICLE, name="article-wide", width=1.5, learning_rate=8e-4),
        # Half of the channels, 361,793 parameters, 12 GFLOP a window: 37 windows a second on two
        # cores with AVX-512 BF16 and nothing else to do, 5 with AVX2. Loss 0.0111.
        Preset("article-half", 0.5, 12, 10_000, batch=16, learning_rate=1.5e-3, warm_up=200),
        # A quarter of the channels, 90,753 parameters, 3.1 GFLOP a window: 70 to 95 windows a
        # second on two cores with AVX-512 BF16, about 20 with AVX2. Loss 0.0124.
        Preset("article-small", 0.25, 12, 10_000, batch=16, learning_rate=2e-3, warm_up=200),
        # An eighth, 22,841 parameters, 0.8 GFLOP a window: for experiments on a CPU, not for use.
        Preset("article-eighth", 0.125, 12, 10_000, batch=16, learning_rate=2e-3, warm_up=200),
        # The guarded network, 10,928 parameters and its reader, at three resolutions: 70 windows a
        # second on one busy core with AVX-512 BF16.
        GUARDED,
        # The reader of what it leaves, begun with `--start`: 4 new windows a step, 32 of memory.
        READER,
        # From trained weights, on the one scene that is to be scanned: a minute or two.
        replace(
            GUARDED,
            name="guarded-adapt",
            learns_a_scene=True,
            epochs=1,
            windows=4_800,
            learning_rate=2e-3,
            warm_up=30,
        ),
        # One look at each place, 469,969 parameters of which the stem and three blocks stay as they
        # are: 100 views a second on one core with AVX2, 96 a step, while another makes places.
        PLACES,
        # Seconds: for tests and for trying a pipeline out. Learns next to nothing.
        SMOKE,
        replace(SMOKE, name="smoke-wide", width=0.25),
        replace(SMOKE_AREAS, name="smoke-guarded"),
        replace(SMOKE_AREAS, name="smoke-reader", part="reader", averaged=0.0),
        replace(PLACES, name="smoke-places", epochs=1, windows=4, batch=2, warm_up=1),
    )
}


def adaptation_of(kind: str) -> Preset | None:
    """The recipe by which a network of a kind learns one scene; None where it cannot."""
    recipes = (preset for preset in PRESETS.values() if preset.learns_a_scene)
    return next((preset for preset in recipes if preset.kind == kind), None)
