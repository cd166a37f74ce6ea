"""The picture at the head of README's figures: real hardware as a model sees it, and its rank.

    python -m tests.benchmarks.headline pathfinder.png [--model places] [--rule places] \
        --out PICTURE.jpg

A row an object of the scene's truth: ground, completion, difference, and how many false places rank
above it by the rule, the one that a scan begins with where none is given.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from dashboard.detector import DEFAULT_MODEL, DEFAULT_RULE, RULES, Box, Model, Scene, triptychs
from dashboard.drawing import pictures
from training.evaluate.cases import case_of
from training.evaluate.contestants import Network
from training.evaluate.measures import Outcome
from training.evaluate.subjects import Labelled

ENLARGED = 2  # px for each of the scene's
GAP, WORDS, MARGIN, HEAD = 8, 250, 16, 24  # px
COLUMNS = ("ground", "what was expected", "difference")
PAPER, INK, QUIET = (19, 19, 19), (228, 226, 222), (143, 140, 135)
QUALITY = 90


def rows(scene: Scene, model: Model, objects: tuple[Outcome, ...]) -> list[Image.Image]:
    """Each object in the middle of a tile: ground, completion, difference."""
    half = model.card.tile // 2
    middles = [(round(x), round(y)) for x, y in (one.box.centre for one in objects)]
    boxes = [Box(x - half, y - half, x + half, y + half) for x, y in middles]
    found = []
    for shown in triptychs(scene, model, boxes):
        row = Image.open(io.BytesIO(pictures.triptych(shown, scene)))
        size = row.width * ENLARGED, row.height * ENLARGED
        found.append(row.resize(size, Image.Resampling.NEAREST))
    return found


def drawn(objects: tuple[Outcome, ...], parts: list[Image.Image]) -> Image.Image:
    """The rows one below the other, with what is said of each."""
    wide, high = parts[0].size
    size = wide + WORDS + 2 * MARGIN, HEAD + len(parts) * (high + GAP) - GAP + 2 * MARGIN
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(22), ImageFont.load_default(15)
    for number, word in enumerate(COLUMNS):
        pen.text((MARGIN + number * wide // len(COLUMNS), MARGIN), word, QUIET, small)
    for number, (row, one) in enumerate(zip(parts, objects, strict=True)):
        top = MARGIN + HEAD + number * (high + GAP)
        sheet.paste(row, (MARGIN, top))
        x, y = wide + MARGIN + 24, top + high // 2
        pen.text((x, y - 34), one.name, INK, large)
        sigma = f"{one.sigma:.1f} sigma" if one.sigma is not None else "in no place"
        pen.text((x, y - 2), sigma, QUIET, small)
        pen.text((x, y + 20), f"{one.cost:,} false places above", QUIET, small)
    return sheet


def main() -> None:
    """Scores the scene and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--rule", choices=RULES, default=DEFAULT_RULE)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    network = Network.load(given.model, rule=given.rule)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with Labelled(given.picture).open(work) as (subject, scene, truth):
            found = case_of(subject, scene, truth, network, work).objects
            drawn(found, rows(scene, network.model, found)).save(given.out, quality=QUALITY)
    print({one.name: one.cost for one in found})


if __name__ == "__main__":
    main()
