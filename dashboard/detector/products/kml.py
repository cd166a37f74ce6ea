"""Confirmed places as KML, for globes."""

from __future__ import annotations

from xml.sax.saxutils import escape

from dashboard.detector.products.finished import Finished
from dashboard.detector.review.decisions import Verdict


def kml(finished: Finished, credit: str) -> str:
    """A placemark a place that a reviewer calls hardware, in areocentric degrees of -180 to 180.

    Without a CRS there is no place on a globe, and no placemark.
    """
    marks = []
    for found in finished.detections:
        said = finished.decision(found)
        if said.verdict is not Verdict.HARDWARE or found.lon is None or found.lat is None:
            continue
        name = _text(said.name or f"place {found.rank}")
        about = _text(
            f"{said.note}\n{found.sigma:.1f} sigma; x {found.x:g}, y {found.y:g} px of "
            f"{finished.scene.name}; {said.reviewer} {said.made[:10]}".strip()
        )
        lon = (found.lon + 180) % 360 - 180
        marks.append(
            f"<Placemark><name>{name}</name><description>{about}</description><Point>"
            f"<coordinates>{lon:.8f},{found.lat:.8f}</coordinates></Point></Placemark>\n"
        )
    head = f"<name>{_text(finished.scene.name)}</name><description>{_text(credit)}</description>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{head}\n'
        f"{''.join(marks)}</Document></kml>\n"
    )


def _text(words: str) -> str:
    """Words as XML may hold them."""
    kept = (letter if letter >= " " or letter in "\n\t" else " " for letter in words)
    return escape("".join(kept).encode("utf-8", "replace").decode())
