"""Places with a verdict as boxes that other networks are trained on: COCO and YOLO."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from dashboard.detector.places.detections import Detection
from dashboard.detector.products.finished import Finished
from dashboard.detector.review.decisions import Verdict
from dashboard.detector.tiling import Box

# What is learned as a class; unsure places are left out, which would teach neither.
CLASSES = (Verdict.HARDWARE, Verdict.NATURAL, Verdict.ARTEFACT)


def classed_boxes(finished: Finished) -> list[tuple[Detection, Verdict, Box]]:
    """The places that have a class, with their boxes within the scene."""
    size = finished.scene.width, finished.scene.height
    found = ((detection, finished.decision(detection).verdict) for detection in finished.detections)
    return [
        (detection, said, detection.box.clipped(*size))
        for detection, said in found
        if said in CLASSES
    ]


def coco(finished: Finished, origin: Mapping[str, Any]) -> str:
    """One image, the scene, and an annotation a judged place: `[x, y, width, height]` in px."""
    scene = finished.scene
    annotations = [
        {
            "id": number,
            "image_id": 1,
            "category_id": CLASSES.index(said) + 1,
            "bbox": [box.x_min, box.y_min, box.width, box.height],
            "area": box.area,
            "iscrowd": 0,
            "attributes": {"rank": detection.rank, "name": finished.decision(detection).name},
        }
        for number, (detection, said, box) in enumerate(classed_boxes(finished), start=1)
    ]
    image = {"id": 1, "file_name": scene.name, "width": scene.width, "height": scene.height}
    record = {
        "info": {"description": "Places judged with Needle", "contributor": origin["credit"]},
        "images": [image],
        "categories": [
            {"id": number, "name": verdict.value, "supercategory": "place"}
            for number, verdict in enumerate(CLASSES, start=1)
        ],
        "annotations": annotations,
        "needle": origin,
    }
    return json.dumps(record, indent=1, allow_nan=False) + "\n"


def yolo(finished: Finished) -> bytes:
    """A ZIP of `labels/SCENE.txt`, a line a judged place, and `data.yaml` with the classes.

    A line: class, then the middle, width and height of its box as parts of the scene.
    """
    scene = finished.scene
    lines = [
        f"{CLASSES.index(said)} {x / scene.width:.8f} {y / scene.height:.8f} "
        f"{box.width / scene.width:.8f} {box.height / scene.height:.8f}\n"
        for _, said, box in classed_boxes(finished)
        for x, y in (box.centre,)
    ]
    names = "".join(f"  {number}: {verdict.value}\n" for number, verdict in enumerate(CLASSES))
    stem = scene.name.rsplit(".", 1)[0].replace("/", "_")
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for name, text in (
            (f"labels/{stem}.txt", "".join(lines)),
            ("data.yaml", f"path: .\ntrain: images\nval: images\nnames:\n{names}"),
        ):
            archive.writestr(zipfile.ZipInfo(name), text)  # no clock time: same in, same out
    return memory.getvalue()
