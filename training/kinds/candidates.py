"""Places that a network of single places learns from: what `guarded` finds strange, on ground.

Windows of ground with things on them, enlarged or reduced, blurred and spoiled as pictures are; and
of each the local maxima of `guarded`'s surprise: those on things, the strongest others, and a few.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from dashboard.detector.scenes.scene import Scene
from training.model_files import graph_of, model_file
from training.networks import BLOCK
from training.simulation.camera import noise_of
from training.simulation.terrain import Sun
from training.synthetic_anomalies.anomalies import anomaly
from training.synthetic_anomalies.assemblies import assembly
from training.synthetic_anomalies.canvas import FINE, Floats, Rng, even_in_logarithm
from training.synthetic_anomalies.distractors import distractor, rock
from training.synthetic_anomalies.odd_shapes import odd_shape
from training.synthetic_anomalies.paste import (
    COVERED,
    OBJECTS,
    STAINED,
    degrade,
    estimate_sun,
    free_spot,
    paste,
)
from training.synthetic_anomalies.solids import solid
from training.windows import Source, Windows

SIDE = 256  # px of the windows in which places are looked for
PICTURE = 144  # px around a place that are kept: what is looked at, and room to move
SEES = 208  # px around a window that `guarded`'s surprise depends on
PEAKS = (7, 15)  # blocks: side of the square in which one place is the strongest; a scan's is 15
EDGE = 8  # blocks at a window's border without places: beyond it all is mirrored
THINGS, STRONG, OTHERS = 3, 6, 3  # places of a window that are taken, at most
PLACES = THINGS + STRONG + OTHERS
NATURAL = (0.35, 0.25, 0.2, 0.2)  # odds of 0 to 3 distractors
STREWN, ROCKS = 0.25, (8, 80)  # odds of a window strewn with rocks, and how many
LARGEST, SMALLEST = (1.5, 8.0), 0.8  # px, radii of strewn rocks as they are seen
FEWER = 1.6  # how much rarer larger ones are: the exponent of those above a radius
DRAWERS, ODDS = (anomaly, odd_shape, assembly, solid), (0.35, 0.25, 0.25, 0.15)  # of things
AS_IT_IS = 0.4  # odds of a window that is neither enlarged nor reduced
FACTORS = (0.4, 2.5)  # how much windows are enlarged or reduced, evenly in the logarithm
MIRRORED = 1.2  # a window may be larger than its picture by this, mirrored outward
SIZES = (1.5, 64.0)  # px across of things as they are seen, evenly in the logarithm
DRAWN = (1.2, 60.0)  # px across of things as they are drawn
BESIDE, FURTHEST = 0.6, 20.0  # how far beside a thing, in its sizes, a place is its own; px at most
DOUBTFUL = 24  # px around a thing where no other place counts as ground
SOFT, SOFTEST = 0.3, 1.6  # odds of a window blurred; px, the largest standard deviation of it
GROUND, THING, NONE = 0, 1, -1  # what a place is: natural, on a thing, or not there


@dataclass(frozen=True)
class Laid:
    """Something put on a window: the part of each pixel it covers, from a corner `(y, x)` on."""

    at: tuple[int, int]
    covered: Floats
    stained: Floats
    size: float  # px across in the resized window


class PlantedWindows(Windows):
    """Random windows of ground with things on them; each depends on the seed and its number."""

    def __init__(self, sources: Sequence[Source], seed: int, turns: bool) -> None:
        super().__init__(sources, seed, turns, SIDE)

    def planted(self, rng: Rng) -> tuple[Floats, NDArray[np.int8], Scene]:
        """A window `[256, 256]` in DN, what its blocks are `[64, 64]`, and whose ground it is."""
        drawn = self.window(rng, lambda scene: size_of(min(scene.width, scene.height), rng))
        return *plant_window(drawn.dn, drawn.scene.scale, rng), drawn.scene


class Candidates(PlantedWindows):
    """The places of random windows: `(pictures [12, 144, 144] float32, what they are [12])`.

    Where a window has fewer places the rest are `NONE`. Pictures are in units of 4 robust sigma
    around the scene's median.
    """

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        rng = np.random.default_rng((self.seed, index))
        dn, label, scene = self.planted(rng)
        surprise = self.guarded(dn, scene.centre, scene.scale)
        rows, cols, kinds = chosen(surprise, label, rng)
        units = (dn - scene.centre) / (4 * scene.scale)
        around = np.pad(units, PICTURE // 2, "symmetric")
        pictures = np.zeros((PLACES, PICTURE, PICTURE), np.float32)
        for number, (row, col) in enumerate(zip(rows, cols, strict=True)):
            y, x = BLOCK * row + BLOCK // 2, BLOCK * col + BLOCK // 2
            pictures[number] = around[y : y + PICTURE, x : x + PICTURE]
        told = np.full(PLACES, NONE, np.float32)
        told[: len(kinds)] = kinds
        return torch.from_numpy(pictures), torch.from_numpy(told)

    def guarded(self, dn: Floats, centre: float, scale: float) -> Floats:
        """How surprising `guarded` finds the blocks of a window, `[64, 64]` of `[256, 256]`."""
        around = np.pad(dn, SEES, "symmetric")[None, None]
        feed = {
            "dn": around.astype(np.float32),
            "centre": np.array([centre], np.float32),
            "scale": np.array([scale], np.float32),
        }
        found: Floats = guarded_session(os.getpid()).run(None, feed)[0][0]
        return found


@lru_cache(maxsize=1)
def guarded_session(_process: int) -> onnxruntime.InferenceSession:
    """`guarded` up to its surprise, on one thread; of a process, by its number: none is shared."""
    graph, _ = graph_of(model_file("guarded"))
    inputs = [tensor.name for tensor in graph.graph.input]
    part = onnx.utils.Extractor(graph).extract_model(inputs, ["surprise"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        part.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def size_of(most: int, rng: Rng) -> int:
    """The side of a window in px before it is resized; `most` is a picture's shorter side."""
    if rng.random() < AS_IT_IS:
        return SIDE
    return int(min(SIDE / even_in_logarithm(FACTORS, rng), max(SIDE, MIRRORED * most)))


def plant_window(dn: Floats, scale: float, rng: Rng) -> tuple[Floats, NDArray[np.int8]]:
    """A window with things on it, resized and spoiled, and what its blocks are.

    `dn [256, 256]` and `[64, 64]` of `dn [side, side]`; `scale` is the scene's.
    """
    dn = dn.astype(np.float32, copy=True)
    factor = SIDE / len(dn)
    noise, sun = noise_of(dn), estimate_sun(dn, rng)
    ends = float(dn.min()), float(dn.max())
    taken, laid = np.zeros(dn.shape, bool), list[Laid]()
    sizes = max(DRAWN[0], SIZES[0] / factor), min(DRAWN[1], SIZES[1] / factor)
    if rng.random() < STREWN:
        strew(dn, sun, (scale, noise), rng)
    for odds, counts in ((NATURAL, False), (OBJECTS, True)):
        for _ in range(int(rng.choice(len(odds), p=odds))):
            size = even_in_logarithm(sizes, rng)
            draw = DRAWERS[int(rng.choice(len(ODDS), p=ODDS))] if counts else distractor
            sheet = draw(size, sun, rng)
            at = free_spot(taken, len(sheet.x) // FINE, rng)
            if at is None:
                continue
            covered = paste(dn, sheet, at, (scale, noise), rng)
            if counts:
                side = len(sheet.x) // FINE
                stain = (np.abs(sheet.stain) > STAINED).reshape(side, FINE, side, FINE)
                laid.append(Laid(at, covered, stain.mean((1, 3), dtype=np.float32), size * factor))
    label = label_blocks(laid, dn.shape)
    dn = resized(dn, rng)
    degrade(dn, ends, noise, rng)
    return dn, label


def strew(dn: Floats, sun: Sun, units: tuple[float, float], rng: Rng) -> None:
    """Strews a window with rocks, many small and a few large, in place."""
    grown = len(dn) / SIDE
    smallest, largest = SMALLEST * grown, even_in_logarithm(LARGEST, rng) * grown
    for share in rng.random(int(even_in_logarithm(ROCKS, rng))):
        sheet = rock(min(largest, max(0.6, smallest * share ** (-1 / FEWER))), sun, rng)
        room = len(dn) - len(sheet.x) // FINE
        if room >= 0:
            paste(dn, sheet, (int(rng.integers(room + 1)), int(rng.integers(room + 1))), units, rng)


def resized(dn: Floats, rng: Rng) -> Floats:
    """A window at 256 px a side, by one of several ways to resize; now and then blurred."""
    if len(dn) != SIDE:
        ways = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
        dn = _resized(dn, ways[int(rng.integers(len(ways)))])
    if rng.random() < SOFT:
        dn = ndimage.gaussian_filter(dn, rng.uniform(0.3, SOFTEST))
    return np.array(dn, np.float32)


def label_blocks(laid: Sequence[Laid], shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Labels of the blocks of a window, `[64, 64]`: ground, an anomaly's, or ignored.

    Where `guarded` is surprised most by a large thing need not be on it, but beside it.
    """
    label = np.zeros((SIDE // BLOCK,) * 2, np.int8)
    inside = np.zeros(label.shape, bool)
    for pasted in laid:
        share, stained = (
            _shares(pasted.at, part, shape) for part in (pasted.covered, pasted.stained)
        )
        near = _within(share > 0.02, DOUBTFUL / BLOCK)
        label[near | (stained > 0.5)] = NONE
        on = share >= max(0.02, min(COVERED, 0.6 * float(share.max())))
        inside |= _within(on, min(FURTHEST, BESIDE * pasted.size) / BLOCK)
    label[inside] = THING
    return label


def _within(blocks: NDArray[np.bool_], distance: float) -> NDArray[np.bool_]:
    """The blocks that lie within a distance, in blocks, of some."""
    if not blocks.any():  # scipy has no distance to nothing
        return blocks
    return np.asarray(ndimage.distance_transform_edt(~blocks) <= distance)


def _shares(at: tuple[int, int], part: Floats, shape: tuple[int, ...]) -> Floats:
    """Which part of each block of the resized window is covered, `[64, 64]`."""
    whole = np.zeros(shape, np.float32)
    whole[at[0] : at[0] + len(part), at[1] : at[1] + len(part)] = part
    if shape[0] != SIDE:
        whole = _resized(whole, Image.Resampling.BILINEAR)
    blocks = whole.reshape(SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def _resized(layer: Floats, way: Image.Resampling) -> Floats:
    return np.asarray(Image.fromarray(layer).resize((SIDE, SIDE), way), np.float32)


def chosen(
    surprise: Floats, label: NDArray[np.int8], rng: Rng
) -> tuple[list[int], list[int], list[int]]:
    """Rows, columns and kinds of the local maxima that are learned from.

    On things the strongest, of ground the strongest and some others at random.
    """
    top = surprise == ndimage.maximum_filter(surprise, int(rng.choice(PEAKS)))
    top[:EDGE] = top[-EDGE:] = top[:, :EDGE] = top[:, -EDGE:] = False
    cells, kinds = list[int](), list[int]()
    for kind, strong, others in ((THING, THINGS, 0), (GROUND, STRONG, OTHERS)):
        found = np.flatnonzero(top & (label == kind))
        found = found[np.argsort(-surprise.reshape(-1)[found], kind="stable")]
        rest = found[strong:]
        some = rng.choice(rest, min(others, len(rest)), replace=False) if len(rest) else rest[:0]
        taken = [*found[:strong].tolist(), *some.tolist()]
        cells += taken
        kinds += [kind] * len(taken)
    rows, cols = np.divmod(np.array(cells, np.intp), label.shape[1])
    return rows.tolist(), cols.tolist(), kinds
