"""The trainer: AdamW, warm-up and cosine decay, exact resume, one or many processes."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, default_collate
from tqdm import tqdm

from dashboard.detector.errors import OptionError, StoreError
from training.kinds import learner_of
from training.presets import PRESETS, Preset
from training.progress import Report, silent
from training.trainer.log import Figures, Log
from training.trainer.preview import save_preview
from training.trainer.processes import Team, asked_to_stop
from training.windows import Shard, Source, Windows

CHECKPOINT = "checkpoint.pt"
SAVE_SECONDS = 60.0  # a killed run loses a minute at most; one that is asked to stop nothing
PREVIEWS = 6  # tiles in the picture of each epoch
SMOOTHING = 0.02  # share of the newest loss in the one shown


@dataclass(frozen=True)
class TrainSettings:
    """Everything that decides what a run learns; written to `settings.json` in the run's folder."""

    preset: str
    epochs: int
    scenes: tuple[str, ...]
    polluted: bool = False
    seed: int = 0
    start: str | None = None  # the model whose weights it begins with

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise OptionError(f"no preset {self.preset!r}; there are {', '.join(PRESETS)}")
        if self.epochs < 1:
            raise OptionError(f"{self.epochs} epochs were asked for; at least 1 is needed")

    @property
    def recipe(self) -> Preset:
        return replace(PRESETS[self.preset], epochs=self.epochs)


def learning_rate(step: int, steps: int, recipe: Preset) -> float:
    """The rate at a step: linear warm-up, then half a cosine down to a hundredth of the peak."""
    warm_up = min(recipe.warm_up, max(1, steps // 10))
    if step < warm_up:
        return recipe.learning_rate * (step + 1) / warm_up
    progress = (step - warm_up) / max(1, steps - warm_up)
    floor = 0.01 * recipe.learning_rate
    return floor + 0.5 * (recipe.learning_rate - floor) * (1 + math.cos(math.pi * progress))


class Trainer:
    """One run of one recipe in one folder; a second start of the same run goes on exactly."""

    def __init__(
        self,
        folder: Path,
        settings: TrainSettings,
        team: Team,
        start: Mapping[str, Tensor] | None = None,
        report: Report = silent,
    ) -> None:
        self.folder, self.settings, self.team = folder, settings, team
        self.report = report
        self.stop = threading.Event()
        self.recipe = settings.recipe
        if self.recipe.batch % team.world:
            raise OptionError(
                f"a batch of {self.recipe.batch} does not divide over {team.world} processes"
            )
        self.steps_per_epoch = max(1, self.recipe.windows // self.recipe.batch)
        self.steps = self.steps_per_epoch * self.recipe.epochs
        torch.manual_seed(settings.seed)
        self.learner = learner_of(self.recipe, team.autocast).to(team.device)
        self.network = self.learner.network
        if start is not None:
            begin_with(self.network, start)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), weight_decay=self.recipe.weight_decay
        )
        self.model: nn.Module = self.learner
        self.calibration: dict[str, Tensor] = {}
        self.average = clone(self.network) if self.recipe.averaged else {}
        self.step = 0
        self.began = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        if team.world > 1:
            self.model = DistributedDataParallel(self.learner)

    def run(self, sources: Sequence[Source]) -> Path:
        """Train to the last epoch, measure what is ordinary; the path of the checkpoint.

        Raises:
            KeyboardInterrupt: it was asked to stop; all it has learned is kept.
        """
        windows = self.learner.windows(sources, self.settings.seed, self.recipe.turns)
        if self.team.leads:
            self._write_settings()
        fixed = batch_of(windows, PREVIEWS)
        with Log(self.folder, self.step, self.team.leads) as log:
            bar = tqdm(
                total=self.steps * self.recipe.batch,
                initial=self.step * self.recipe.batch,
                unit=" tiles",
                disable=None if self.team.leads else True,
            )
            with bar, asked_to_stop(self.stop):
                self._epochs(windows, fixed, log, bar)
        if self.average:
            self.network.load_state_dict(self.average)
        if self.team.leads and not self.calibration:
            seed = self.settings.seed
            self.report("measuring", 0.0)
            self.calibration = self.learner.eval().calibrate(sources, seed)
            self._save()
        return self.folder / CHECKPOINT

    def _epochs(self, windows: Windows, fixed: list[Tensor], log: Log, bar: Any) -> None:
        smooth, saved = math.nan, time.monotonic()
        for batch in self._loader(windows):
            loss = self._learn(batch)
            self.step += 1
            bar.update(self.recipe.batch)
            if self.step % 10 == 0 or self.step == self.steps:
                value = float(loss)
                if not math.isfinite(value):
                    raise StoreError(f"the loss is {value} at step {self.step}; lower the rate")
                smooth = value if math.isnan(smooth) else smooth + SMOOTHING * (value - smooth)
                bar.set_postfix(loss=f"{smooth:.4f}", refresh=False)
                log.write(self._figures(value))
                self.report("learning", self.step / self.steps)
            ended = self.step % self.steps_per_epoch == 0
            if self.team.leads and (ended or time.monotonic() - saved > SAVE_SECONDS):
                saved = time.monotonic()
                self._save()
            if self.team.leads and ended:
                self._preview(fixed)
            if self.stop.is_set():
                if self.team.leads:
                    self._save()
                raise KeyboardInterrupt

    def _figures(self, loss: float) -> Figures:
        return Figures(
            self.step,
            self.step // self.steps_per_epoch,
            self.step * self.recipe.batch,
            loss,
            learning_rate(self.step - 1, self.steps, self.recipe),
            time.monotonic() - self.began,
        )

    def _learn(self, batch: list[Tensor]) -> Tensor:
        rate = learning_rate(self.step, self.steps, self.recipe)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        parts = (part.to(self.team.device, non_blocking=True).float() for part in batch)
        loss: Tensor = self.model(*parts)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.optimiser.step()
        if self.average:
            self._average()
        return loss.detach()

    @torch.no_grad()
    def _average(self) -> None:
        """Moves the average of the weights toward what they are; at first it is a plain mean."""
        kept = min(self.recipe.averaged, (self.step + 1) / (self.step + 10))
        for name, weight in self.network.state_dict().items():
            self.average[name].lerp_(weight, 1 - kept)

    def _loader(self, windows: Windows) -> Iterator[list[Tensor]]:
        shard = Shard(
            range(self.step, self.steps), self.recipe.batch, self.team.rank, self.team.world
        )
        cuda = self.team.device.type == "cuda"
        loader: DataLoader[Any] = DataLoader(
            windows,
            batch_size=self.recipe.batch // self.team.world,
            sampler=shard,
            num_workers=min(12, os.cpu_count() or 1) if cuda else self.learner.workers,
            pin_memory=cuda,
            generator=torch.Generator(),  # else it takes a number that a resumed run lacks
        )
        return iter(loader)

    def _preview(self, fixed: list[Tensor]) -> None:
        parts = (part.to(self.team.device).float() for part in fixed)
        with torch.no_grad():
            columns = self.learner.preview(*parts)
        epoch = self.step // self.steps_per_epoch
        save_preview(self.folder / f"preview-{epoch:03d}.png", columns)

    def _write_settings(self) -> None:
        text = json.dumps(asdict(self.settings), indent=1)
        (self.folder / "settings.json").write_text(text + "\n", encoding="utf-8")

    def _save(self) -> None:
        state = {
            "settings": asdict(self.settings),
            "step": self.step,
            "steps": self.steps,
            "seconds": time.monotonic() - self.began,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "rng": torch.get_rng_state(),
            "calibration": self.calibration if self.step == self.steps else {},
        }
        temporary = self.folder / (CHECKPOINT + ".part")
        torch.save(state, temporary)
        temporary.replace(self.folder / CHECKPOINT)

    def _resume(self) -> None:
        path = self.folder / CHECKPOINT
        if not path.exists():
            return
        state = read_checkpoint(path)
        was = TrainSettings(**{**state["settings"], "scenes": tuple(state["settings"]["scenes"])})
        if replace(was, epochs=self.settings.epochs) != self.settings:
            raise StoreError(
                f"{self.folder} holds another run ({was}); give the same settings to go on, "
                "or another --out"
            )
        self.network.load_state_dict(state["network"])
        self.average = state.get("average") or self.average
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["rng"])
        self.step, self.began = state["step"], time.monotonic() - state["seconds"]


def clone(network: nn.Module) -> dict[str, Tensor]:
    """A copy of a network's weights, by their names."""
    return {name: weight.clone() for name, weight in network.state_dict().items()}


def begin_with(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give a network weights to begin with.

    Raises:
        OptionError: they are of another width, or those of another network.
    """
    try:
        odd = network.load_state_dict(weights, strict=False)
    except RuntimeError as error:  # torch's word for another shape
        raise OptionError("the weights to start from are of another width") from error
    if odd.unexpected_keys or odd.missing_keys:
        raise OptionError("the weights to start from are those of another network")


def batch_of(windows: Windows, count: int) -> list[Tensor]:
    """So many windows that no training reaches, as a batch."""
    return list(default_collate([windows[(-1 - number) % 2**62] for number in range(count)]))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The state in a checkpoint; only tensors and plain values are read."""
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, EOFError) as error:
        raise StoreError(f"{path}: not a readable checkpoint ({error})") from error


def train(
    folder: Path,
    settings: TrainSettings,
    sources: Callable[[], Sequence[Source]],
    start: Mapping[str, Tensor] | None = None,
    report: Report = silent,
) -> Path:
    """Run a recipe, or go on with it, in `folder`; the path of the checkpoint.

    Args:
        folder: holds the checkpoint and the logs.
        settings: decide what the run learns.
        sources: what it learns from.
        start: weights to begin with; random ones otherwise.
        report: told how far it is.

    Raises:
        KeyboardInterrupt: it was asked to stop; the same call goes on where it was.
    """
    team = Team.assemble()
    try:
        return Trainer(folder, settings, team, start, report).run(sources())
    finally:
        if team.world > 1:
            dist.destroy_process_group()
