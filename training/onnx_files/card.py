"""What the card of an exported network says: what a caller must know, and how it was made."""

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
from torch import nn

from dashboard.detector.errors import StoreError
from dashboard.detector.models.card import ModelCard
from training.model_files import git_revision
from training.networks import BLOCK, article, guarded, places, residuals
from training.presets import PRESETS

OPSET = 18  # newer Pad and ConvTranspose kernels are missing from some CUDA builds
AREA_TILE = 128  # px around a position that must be ground, and that its picture shows


def article_facts() -> dict[str, Any]:
    """What a caller must know of `article`."""
    return {
        "kind": "article",
        "title": "Completion network of Haselmann et al. (2018), as the Mars article used it",
        "tile": article.TILE,
        "hole": 2 * article.HIDDEN,
        "score_window": 2 * article.SCORED,
        "stride": 2 * article.SCORED,
        "strides": (16, 2 * article.SCORED, article.TILE),
        "margin": (article.TILE - 2 * article.SCORED) // 2,
        "around": 0,
        "score_unit": "mean absolute residual over the scored window, "
        "in 4 robust sigma of the scene",
    }


def guarded_facts(scorer: residuals.Scorer) -> dict[str, Any]:
    """What a caller must know of `guarded`."""
    widest = max(guarded.OCTAVES)
    return {
        "kind": "guarded",
        "title": "Guarded completion: every pixel predicted from ground outside a hole around it",
        "tile": AREA_TILE,
        "hole": guarded.hole_side(min(scorer.network.guards)),
        "score_window": guarded.hole_side(max(scorer.network.guards)),
        "stride": BLOCK,
        "strides": (BLOCK,),
        "margin": scorer.margin,
        "around": residuals.AROUND,
        "score_unit": f"standardised residual, the mean over {len(residuals.WINDOWS)} windows and "
        f"{len(scorer.network.guards)} holes, the largest of {widest + 1} octaves, "
        "less its mean around; 0 is ordinary ground",
    }


def places_facts() -> dict[str, Any]:
    """What a caller must know of a network of single places."""
    return {
        "kind": "places",
        "title": "Places: one look at each place that guarded finds, by a network that has seen "
        "photographs",
        "tile": places.WINDOW,
        "hole": 0,
        "score_window": places.NEAR,
        "stride": BLOCK,
        "strides": (BLOCK,),
        "margin": 0,
        "around": 0,
        "score_unit": "logit of something put there, and 64 numbers that describe the place",
    }


def card_of(
    run: Path, state: Mapping[str, Any], scorer: nn.Module, facts: Mapping[str, Any]
) -> ModelCard:
    """The card of a run, parity still to be measured; `facts` are of its kind."""
    settings = state["settings"]
    recipe = PRESETS[settings["preset"]]
    windows = state["step"] * recipe.batch
    return ModelCard(
        **facts,
        square=0,
        input_range="any DN, 8 or 16 bit or float, with the scene's median and 1.4826 MAD",
        bands=1,
        parameters=sum(weight.numel() for weight in scorer.parameters()),
        preset=settings["preset"],
        start=settings["start"],
        epochs=round(windows / recipe.windows, 2),
        windows_seen=windows,
        hours=round(state["seconds"] / 3600, 2),
        hardware=hardware(),
        loss=round(last_loss(run), 5),
        scenes=tuple(settings["scenes"]),
        polluted=settings["polluted"],
        planted=None,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        git_revision=git_revision(),
        opset=OPSET,
        precision="float32",
        parity=0.0,
        parity_checksum="",
    )


def hardware() -> str:
    """What this machine computes with, in words."""
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
