"""Sound inputs of every kind, small, that strange ones are made from."""

from __future__ import annotations

import json
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
from rasterio import Affine
from rasterio.enums import ColorInterp

from tests.detector import rasters
from tests.models import area_model, plain_model

PLACE = {"crs": rasters.MARS, "transform": Affine(0.25, 0, 8_146_000, 0, -0.25, -272_000)}
RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
KEY = "KEY"  # stands for the key of a stored scan
TABLE = """rank,sigma,score,x,y,verdict,name,note,reviewer,decided
1,8.1,3.25,404,308,hardware,"a, name",,ann,2026-01-01T00:00:00+00:00
2,3.2,1.5,100.5,90,natural,=1+1,"two
lines",bob,
"""
AREAS = (
    "10,20,200,150",
    json.dumps({"type": "Polygon", "coordinates": [[[9, 9], [90, 9], [90, 90], [9, 9]]]}),
    json.dumps(
        {
            "type": "FeatureCollection",
            "crs": {"type": "name", "properties": {"name": "pixels"}},
            "features": [
                {
                    "type": "Feature",
                    "properties": {"name": "one"},
                    "geometry": {
                        "type": "MultiPolygon",
                        "coordinates": [[[[10, 10], [200, 10], [200, 150], [10, 10]]]],
                    },
                }
            ],
        }
    ),
    json.dumps(
        {
            "type": "Polygon",
            "coordinates": [[[137.43, -4.59], [137.44, -4.59], [137.44, -4.6], [137.43, -4.59]]],
        }
    ),
)
ROUTES = (
    f"/tiles/{KEY}/ground/0/0/0?stretch=10,200",
    f"/tiles/{KEY}/scores/1/0/0?ends=0.1,3.5&done=7",
    f"/tiles/{KEY}/place/96/100/90",
    f"/products/{KEY}/detections.csv?sigma=3.5&rule=places&artefacts=hidden&confirmed=only",
    f"/products/{KEY}/run.json?sigma=2",
    "/review?sigma=3.5&rule=novelty",
    "/health",
    "/",
)
QUERIES = (
    "sigma=3.5&rule=novelty&scan=KEY&artefacts=hidden",
    "scene=scene.tif&model=guarded&sigma=4",
    "verdict=open,hardware&sigmas=3,4.5&size=2,9&brightness=0.5,1.5&ground=rough",
)


@lru_cache(maxsize=1)
def pictures() -> tuple[bytes, ...]:
    """Small pictures of every format and layout."""
    grey, deep = rasters.ground(96, 130), rasters.ground(96, 130, "uint16") * 5
    colours = np.stack([rasters.ground(96, 130, seed=seed) for seed in range(3)])
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        paths = [
            rasters.write(made / "grey.png", grey),
            rasters.write(made / "deep.png", deep),
            rasters.write(made / "rgb.png", colours, colorinterp=RGB),
            rasters.write(made / "grey.jpg", grey),
            rasters.write(made / "plain.tif", grey, **PLACE),
            rasters.write(made / "tiled.tif", deep, tiled=True, blockxsize=64, blockysize=64),
            rasters.write(made / "packed.tif", grey, compress="deflate", nodata=0, **PLACE),
            rasters.write(made / "lzw.tif", grey.astype("f4"), compress="lzw", predictor=3),
            rasters.write(made / "one.jp2", deep, NBITS=10, **PLACE),
            rasters.write(made / "rgb.jp2", colours),
            rasters.write(made / "tiles.jp2", grey, blockxsize=64, blockysize=64),
        ]
        return tuple(path.read_bytes() for path in paths)


@lru_cache(maxsize=1)
def models() -> tuple[bytes, ...]:
    """Two small networks."""
    with tempfile.TemporaryDirectory() as folder:
        paths = plain_model(Path(folder, "plain.onnx")), area_model(Path(folder, "area.onnx"))
        return tuple(path.read_bytes() for path in paths)
