"""The card of an exported network: what a caller must know, and how it was made."""

from __future__ import annotations

import csv
import datetime
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dashboard.detector.errors import StoreError
from dashboard.detector.models.card import ModelCard
from training.model_files import git_revision
from training.presets import PRESETS

OPSET = 18  # newer Pad and ConvTranspose kernels are missing from some CUDA builds


def card_of(
    run: Path, state: Mapping[str, Any], parameters: int, facts: Mapping[str, Any]
) -> ModelCard:
    """The card of a run, parity still to be measured; `facts` are of its plan."""
    settings = state["settings"]
    recipe = PRESETS[settings["preset"]]
    windows = state["step"] * recipe.batch
    return ModelCard(
        kind=recipe.kind,
        **facts,
        input_range="any DN, 8 or 16 bit or float, with the scene's median and 1.4826 MAD",
        bands=1,
        parameters=parameters,
        preset=settings["preset"],
        start=settings["start"],
        epochs=round(windows / recipe.windows, 2),
        windows_seen=windows,
        hours=round(state["seconds"] / 3600, 2),
        hardware=hardware(),
        loss=round(last_loss(run), 5),
        scenes=tuple(settings["scenes"]),
        polluted=settings["polluted"],
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        git_revision=git_revision(),
        opset=OPSET,
        precision="float32",
        parity=0.0,
        parity_checksum="",
    )


def hardware() -> str:
    """The processors or GPUs of this machine, in words."""
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{len(os.sched_getaffinity(0))} CPU cores ({platform.machine()})"


def last_loss(run: Path) -> float:
    """Mean training loss over the last tenth of a run's log."""
    try:
        with (run / "log.csv").open(newline="") as log:
            losses = [float(row["loss"]) for row in csv.DictReader(log)]
        if not losses:
            raise ValueError("it is empty")
        return float(np.mean(losses[-max(1, len(losses) // 10) :]))
    except (OSError, KeyError, ValueError) as error:
        raise StoreError(f"{run / 'log.csv'}: not a training log ({error})") from error
