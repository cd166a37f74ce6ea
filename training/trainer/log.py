"""The figures of a training run, line by line."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from torch.utils.tensorboard import SummaryWriter


class Figures(NamedTuple):
    """Those of one step."""

    step: int
    epoch: int
    tiles: int
    loss: float
    learning_rate: float
    seconds: float


class Log:
    """The run's figures in `log.csv` and for TensorBoard; lines past a resumed step are cut."""

    def __init__(self, folder: Path, step: int, leads: bool) -> None:
        self.path, self.step, self.leads = folder / "log.csv", step, leads

    def __enter__(self) -> Log:
        if self.leads:
            kept: list[list[str]] = []
            if self.path.exists():
                with self.path.open(newline="") as old:
                    kept = [row for row in list(csv.reader(old))[1:] if int(row[0]) <= self.step]
            self.file = self.path.open("w", newline="", buffering=1)
            self.rows = csv.writer(self.file)
            self.rows.writerows([Figures._fields, *kept])
            self.board = SummaryWriter(str(self.path.parent), purge_step=self.step)
        return self

    def write(self, now: Figures) -> None:
        """Add one line."""
        if not self.leads:
            return
        known = f"{now.loss:.6f}", f"{now.learning_rate:.3e}", f"{now.seconds:.1f}"
        self.rows.writerow([now.step, now.epoch, now.tiles, *known])
        self.board.add_scalar("loss", now.loss, now.step)
        self.board.add_scalar("learning_rate", now.learning_rate, now.step)

    def __exit__(self, *_: object) -> None:
        if self.leads:
            self.file.close()
            self.board.close()
