"""Labels of PDS3 products and ISIS cubes: whether their pixels lie in another file, and which.

A label can name any file of the machine, and GDAL would open it. So one that names another file is
read only where that lies beside it, and never of an upload.
"""

from __future__ import annotations

import re
from pathlib import Path

from dashboard.detector.errors import SceneNotFound, UnknownFormat

LABEL_BYTES = 1 << 20  # of a label at most; those of products have some 50 kB
GDAL_READS = 4096  # bytes at a time: it may see what stands behind a label's END

CONVERT_PRODUCT = "convert the one to scan: gdal_translate IN.LBL OUT.tif"

# No part of these gives back what it has taken: a label may be a megabyte of blanks.
_POINTER = re.compile(
    r"^\^\s*+(\w++)\s*+=\s*+\(?+\s*+(\"[^\"]*\"|'[^']*'|[^\s,()<]++)", re.MULTILINE
)
_END = re.compile(r"^END$", re.MULTILINE | re.IGNORECASE)
_COMPRESSED = re.compile(r"\b(UN)?COMPRESSED_FILE\b", re.IGNORECASE)


def pixels_of(label: Path, name: str) -> str | None:
    """The name of the file that holds a PDS3 label's pixels; None where they lie in its own.

    Raises:
        UnknownFormat: the label names no image, or a compressed file, which is a picture itself.
    """
    text = label_text(label, name)
    if _COMPRESSED.search(text):
        raise UnknownFormat(
            f"{name}: a label whose picture lies compressed in another file; give that file itself"
        )
    pointers = {key.upper(): value for key, value in _POINTER.findall(text)}
    images = [value for key, value in pointers.items() if key.endswith(("IMAGE", "QUBE"))]
    if not images:
        raise UnknownFormat(
            f"{name}: its label names no image; give the file that holds the picture"
        )
    named = {value.strip("\"'") for value in images if not value.isdigit()}
    if not named:
        return None
    if len(named) > 1:
        raise UnknownFormat(f"{name}: its label names several files; {CONVERT_PRODUCT}")
    return str(named.pop())


def check_cube(path: Path, name: str) -> None:
    """Raises `UnknownFormat` where the pixels of an ISIS cube lie in another file."""
    pointers = _POINTER.findall(label_text(path, name))
    if any(not value.isdigit() for _, value in pointers):
        raise UnknownFormat(
            f"{name}: a cube whose pixels lie in another file; make one of it with ISIS: "
            "cubeatt from=IN.cub to=OUT.cub"
        )


def label_text(path: Path, name: str) -> str:
    """A label as text, from its beginning to its END, without blank lines and indents.

    Raises:
        UnknownFormat: it does not end.
    """
    with path.open("rb") as file:
        content = file.read(LABEL_BYTES).decode("latin-1").replace("\0", "\n")
    lines = (line.strip() for line in content.splitlines())
    text = "\n".join(line for line in lines if line)
    end = _END.search(text)
    if end is None:
        raise UnknownFormat(f"{name}: its label does not end; it is damaged, or no such product")
    return text[: end.end() + GDAL_READS]


def beside(label: Path, named: str, name: str) -> Path:
    """The file beside a label that it names, however its letters are written.

    Raises:
        SceneNotFound: it is not there, or elsewhere.
    """
    if Path(named).name == named:
        for found in label.parent.iterdir():
            if found.name.lower() == named.lower() and found.is_file():
                return found
    raise SceneNotFound(
        f"{name}: its label names {named[:80]!r}, which does not lie beside it; "
        "put both in one folder"
    )


def label_beside(pixels: Path) -> Path | None:
    """The detached label of a file of pixels, which lies beside it under its name; else None."""
    for label in pixels.parent.iterdir():
        if label.stem.lower() == pixels.stem.lower() and label.suffix.lower() == ".lbl":
            return label if label.is_file() else None
    return None
