"""Networks that learn each scene before they score it."""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from dashboard.detector import ModelError, Scene
from training.evaluate.contestants import OWN_GROUND, Network, Scored
from training.presets import adaptation_of
from training.scene_adaptation.adapt import adapt


@dataclass(frozen=True)
class Adapted:
    """A network after `adapt`.

    Raises:
        ModelError: the network is of a kind that cannot learn a scene.
    """

    network: Network
    device: str = "auto"

    def __post_init__(self) -> None:
        kind = self.network.model.card.kind
        if adaptation_of(kind) is None:
            raise ModelError(
                f"{self.network.name}: a network of kind {kind} cannot learn a scene; "
                "leave out --adapt"
            )

    @property
    def name(self) -> str:
        return f"{self.network.name}, adapted"

    @property
    def key(self) -> str:
        recipe = adaptation_of(self.network.model.card.kind)
        assert recipe
        return f"{self.network.key} {astuple(recipe)}"

    @property
    def rule(self) -> str:
        return self.network.rule

    def sample(self, *names: str) -> str:
        """It learns from the scene itself."""
        return OWN_GROUND

    def score(self, scene: Scene, home: Path) -> Scored:
        """The scores of what has learned the scene; the seconds are those of both.

        Raises:
            NoGround: nothing in the scene can be scored.
            OptionError: the scene is too small to be learned.
        """
        began = time.monotonic()
        model = self.network.model
        target = home / "adapted" / f"{model.sha256[:16]}.onnx"
        if not target.is_file():
            adapt(scene.path, str(model.path), target)
        learned = time.monotonic() - began
        scored = Network.load(str(target), device=self.device).score(scene, home)
        return replace(scored, seconds=scored.seconds + learned)
