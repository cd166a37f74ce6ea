"""Recipes for training, each with its cost and the loss to expect."""

from __future__ import annotations

from dataclasses import dataclass


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
    network: str = "article"  # or "guarded", or "critic"
    clip: float | None = None  # largest norm of the gradient
    eye: float = 1.0  # width of the guarded network inside a critic


PRESETS = {
    preset.name: preset
    for preset in (
        # The article's recipe: 200 epochs, 2,000,000 windows of 49 GFLOP, 99 PFLOP in all: about
        # half an hour of an H100-class card at a quarter of its bf16 peak. 1,444,737 parameters.
        # Not run to its end yet: no loss to quote.
        Preset("article", 1.0, 200, 10_000, batch=64, learning_rate=1e-3, warm_up=1_000),
        # Half as many channels again, for the article's suggestion of a larger model: 3.2 million
        # parameters, 110 GFLOP a window. Not run to its end yet.
        Preset("article-wide", 1.5, 200, 10_000, batch=64, learning_rate=8e-4, warm_up=1_000),
        # Half of the channels, 361,793 parameters, 12 GFLOP a window: 37 windows a second on two
        # cores with AVX-512 BF16 and nothing else to do, 5 with AVX2.
        Preset("article-half", 0.5, 12, 10_000, batch=16, learning_rate=1.5e-3, warm_up=200),
        # A quarter of the channels, 90,753 parameters, 3.1 GFLOP a window: 70 to 95 windows a
        # second on two cores with AVX-512 BF16, about 20 with AVX2.
        Preset("article-small", 0.25, 12, 10_000, batch=16, learning_rate=2e-3, warm_up=200),
        # The guarded network, 48,480 parameters, at three resolutions: about 28 windows a second
        # on two cores with AVX-512 BF16.
        Preset(
            "guarded",
            1.0,
            4,
            10_000,
            batch=16,
            learning_rate=3e-3,
            warm_up=100,
            network="guarded",
            clip=1.0,
        ),
        # From trained weights, on the one scene that is to be scanned: a minute or two.
        Preset(
            "guarded-adapt",
            1.0,
            1,
            4_800,
            batch=16,
            learning_rate=2e-3,
            warm_up=30,
            network="guarded",
            clip=1.0,
        ),
        # The critic, 718,273 parameters of its own on top of a guarded network that is kept as it
        # is: 26 windows a second on two cores with AVX-512 BF16, one of which plants.
        Preset(
            "critic",
            1.0,
            8,
            10_000,
            batch=16,
            learning_rate=1.5e-3,
            warm_up=200,
            weight_decay=1e-2,
            network="critic",
            clip=1.0,
        ),
        # From a trained critic, on the one scene that is to be scanned: four minutes on two cores.
        Preset(
            "critic-adapt",
            1.0,
            1,
            4_800,
            batch=16,
            learning_rate=3e-4,
            warm_up=30,
            weight_decay=1e-2,
            network="critic",
            clip=1.0,
        ),
        # Seconds: for tests and for trying a pipeline out. Learns next to nothing.
        Preset("smoke", 0.125, 2, 16, batch=4, learning_rate=1e-3, warm_up=2),
        Preset("smoke-wide", 0.25, 2, 16, batch=4, learning_rate=1e-3, warm_up=2),
        Preset(
            "smoke-guarded",
            0.25,
            2,
            16,
            batch=4,
            learning_rate=3e-3,
            warm_up=2,
            network="guarded",
            clip=1.0,
        ),
        Preset(
            "smoke-critic",
            0.25,
            2,
            16,
            batch=4,
            learning_rate=3e-3,
            warm_up=2,
            network="critic",
            clip=1.0,
            eye=0.25,
        ),
    )
}
