"""A report in one HTML file: what was found and decided, with pictures, readable anywhere."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from dashboard.detector.places.detections import Detection
from dashboard.detector.products.finished import Finished
from dashboard.detector.review.decisions import Verdict
from dashboard.detector.scenes.grey import grey
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.tiling import Box

CREDIT = "HiRISE pictures: credit NASA/JPL-Caltech/University of Arizona."
PICTURED = 300  # places with a picture, 10 kB each; a report of thousands could not be sent
OVERVIEW = 1000  # px
RUST = "#C4552D"
ORDER = (Verdict.HARDWARE, Verdict.UNSURE, Verdict.UNREVIEWED, Verdict.ARTEFACT, Verdict.NATURAL)
STYLE = """
body {background:#141414;color:#E4E1DC;font:15px/1.5 system-ui,sans-serif;max-width:1100px;
  margin:2rem auto;padding:0 1.2rem}
h1 {font-size:1.5rem;margin-bottom:.2rem} h2 {font-size:1.15rem;margin-top:2rem}
p, dt, small {color:#A29D97} dl {display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}
dd {margin:0;overflow-wrap:anywhere} img {display:block;width:100%;border-radius:3px}
.pictures {display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:1rem}
figure {margin:0;break-inside:avoid} figcaption {font-size:.85rem;padding-top:.3rem}
pre {white-space:pre-wrap;overflow-wrap:anywhere;color:#A29D97;font-size:.8rem}
@media print {body {background:#fff;color:#000} p,dt,small,pre {color:#444}}
"""


def report(finished: Finished, record: Mapping[str, Any]) -> str:
    """The whole report; its pictures are inside, so that it needs no other file and no internet."""
    scene, settings = finished.scene, finished.settings
    said = [finished.decision(found).verdict for found in finished.detections]
    facts = {
        "scene": f"{scene.name}, {scene.width:,} x {scene.height:,} px",
        "CRS": scene.crs_name or "none: positions in pixels only",
        **({"note": "; ".join(scene.notes)} if scene.notes else {}),
        "model": finished.store.model_name,
        "coverage": finished.coverage.words,
        "threshold": f"{settings.sigma:g} sigma by the rule {settings.rule}",
        "places listed": f"{len(said):,}" + (" confirmed" if finished.confirmed else ""),
        "reviewed": f"{sum(map(bool, said)):,}",
        "hardware": f"{said.count(Verdict.HARDWARE):,}",
        "scanned": finished.store.created.replace("T", " ")[:16] + " UTC",
    }
    rows = "".join(f"<dt>{name}</dt><dd>{html.escape(text)}</dd>" for name, text in facts.items())
    written = json.dumps(record, indent=1, allow_nan=False)
    parts = [
        f"<h1>{html.escape(scene.name)}</h1>",
        "<p>Places found by Needle, and what became of them.</p>",
        f"<dl>{rows}</dl>",
        f'<img alt="The scene with its places" src="{_overview(finished)}">',
        *_sections(finished),
        f"<h2>Record of the run</h2><pre>{html.escape(written)}</pre>",
        f"<p>{html.escape(CREDIT)}</p>",
    ]
    head = f'<meta charset="utf-8"><title>{html.escape(scene.name)}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _sections(finished: Finished) -> list[str]:
    """The places by their verdict, the most telling first; pictures as far as there is room."""
    left, sections = PICTURED, []
    for verdict in ORDER:
        listed = [
            detection
            for detection in finished.detections
            if finished.decision(detection).verdict is verdict
        ]
        if not listed:
            continue
        title = (verdict.value or "not reviewed").capitalize()
        shown = listed[:left]
        left -= len(shown)
        figures = "".join(_figure(finished, found) for found in shown)
        rest = len(listed) - len(shown)
        more = f"<p>{rest:,} more are in the table only.</p>" if rest else ""
        sections.append(
            f'<h2>{title}, {len(listed):,}</h2><div class="pictures">{figures}</div>{more}'
        )
    return sections


def _figure(finished: Finished, found: Detection) -> str:
    decision, scene = finished.decision(found), finished.scene
    where = f"x {found.x:,.0f}, y {found.y:,.0f} px"
    if found.lon is not None and found.lat is not None:
        where = f"{found.lon:.5f}° E, {abs(found.lat):.5f}° {'N' if found.lat >= 0 else 'S'}"
    words = [f"<b>{found.rank}</b> · {found.sigma:.1f} sigma", html.escape(decision.name), where]
    signed = f"{decision.reviewer}, {decision.made[:10]}" if decision.reviewer else ""
    words += [html.escape(decision.note), f"<small>{html.escape(signed)}</small>"]
    picture = _close_up(scene, found)
    caption = "<br>".join(word for word in words if word)
    image = f'<img alt="Place {found.rank}" src="{picture}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _close_up(scene: Scene, found: Detection) -> str:
    side = max(96, 3 * found.box.width)
    left, top = int(found.x) - side // 2, int(found.y) - side // 2
    dn = scene.read_around(Box(left, top, left + side, top + side))
    return _url(Image.fromarray(grey(dn, scene.stretch)))


def _overview(finished: Finished) -> str:
    """The scene with a ring a place, filled where it was called hardware."""
    scene = finished.scene
    patch = scene.overview(OVERVIEW)
    shown = np.where(patch.valid, grey(patch.dn, scene.stretch), 20).astype(np.uint8)
    picture = Image.fromarray(shown).convert("RGB")
    pen, scale = ImageDraw.Draw(picture), picture.width / scene.width
    for found in finished.detections:
        x, y = found.x * scale, found.y * scale
        hit = finished.decision(found).verdict is Verdict.HARDWARE
        pen.ellipse((x - 5, y - 5, x + 5, y + 5), RUST if hit else None, RUST, 2)
    return _url(picture)


def _url(picture: Image.Image) -> str:
    memory = io.BytesIO()
    picture.save(memory, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode()
