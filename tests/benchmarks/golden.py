"""Are scores, sigmas and products those of another revision? Digests, to be compared by `diff`.

    cd CHECKOUT_OF_THE_REVISION
    PYTHONPATH=. python PATH_TO/golden.py --scenes PICTURE [...] --by guarded/mean guarded/robust \
        [--work FOLDER] > REVISION.json

Of each scene by each model and rule: SHA-256 of the scores, of sigma and place of every position
as they are ranked, and of each product, without dates, seconds, memory and what names the revision.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

OF_THE_RUN = {"created", "seconds", "peak_memory_mb", "versions", "sha256", "device_note"}


def digest(*parts: Any) -> str:
    """SHA-256 of arrays and whatever else, the first 16 digits."""
    found = hashlib.sha256()
    for part in parts:
        array = isinstance(part, np.ndarray)
        found.update(part.tobytes() if array else str(part).encode())
    return found.hexdigest()[:16]


def of_product(path: Path) -> str:
    """The digest of a product, whatever run of the same scan wrote it."""
    if path.suffix in (".json", ".geojson"):
        record = json.loads(path.read_text())
        record.pop("needle", None)  # of the GeoJSON: model and settings, which run.json has too
        return digest(sorted((key, record[key]) for key in record.keys() - OF_THE_RUN))
    if path.suffix == ".tif":
        with rasterio.open(path) as file:
            return digest(file.read(), file.crs, file.transform, file.nodata)
    return digest(path.read_bytes())


def main() -> None:
    """Prints the digests as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenes", nargs="+", required=True, type=Path)
    parser.add_argument("--by", nargs="+", default=["guarded/mean", "guarded/robust"])
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp())
    os.environ["NEEDLE_HOME"] = str(work / "home")
    from dashboard.detector import ScanSettings, run

    found = {}
    for scene in given.scenes:
        for way in given.by:
            model, rule = way.split("/")
            out = work / f"{scene.stem}-{model}-{rule}"
            done = run(scene, out, ScanSettings(model=model, rule=rule, device="cpu"))
            ranked = done.measured.candidates
            found[f"{scene.name} {way}"] = {
                "scores": digest(done.scores.values),
                "sigmas": digest(ranked.sigmas, ranked.cells, ranked.owners, ranked.peaks),
            } | {path.name: of_product(path) for path in sorted(out.iterdir())}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
