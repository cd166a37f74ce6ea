"""Pictures on their way in: uploads staged to disk, the operator's folder, the demo scene."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from dashboard.detector import (
    BEGINNING,
    OptionError,
    SceneNotFound,
    StoreError,
    bound,
    format_of,
    needle_home,
)

DEMO = Path(__file__).resolve().parents[1] / "demo" / "landing-site.jp2"
PIECE = 1 << 20  # bytes of an upload copied at a time
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".jp2", ".j2k", ".img", ".lbl", ".cub")


def stage(upload: BinaryIO, name: str) -> Path:
    """The path of an upload copied to disk piece by piece, under the checksum of its content.

    Raises:
        UnknownFormat: its first bytes are of no picture; nothing is copied.
        StoreError: it cannot be written; nothing of it is left.
    """
    upload.seek(0)
    format_of(upload.read(BEGINNING), name)
    folder = needle_home() / "uploads"
    suffix = Path(name).suffix.lower()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as work:
            staged = Path(work, "upload")
            digest = _copy(upload, staged)
            known = suffix if suffix in SUFFIXES else ""
            found = staged.replace(folder / f"{digest[:16]}{known}")
        bound(folder, found)
        return found
    except OSError as error:
        raise StoreError(
            f"{name}: cannot be kept in {folder} ({error.strerror}); make room or set NEEDLE_HOME"
        ) from error


def _copy(upload: BinaryIO, target: Path) -> str:
    """Copies an upload piece by piece; the SHA-256 of it."""
    digest = hashlib.sha256()
    upload.seek(0)
    with target.open("wb") as file:
        while piece := upload.read(PIECE):
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def operators_folder() -> Path | None:
    """The folder whose pictures the pages may offer: `$NEEDLE_SCENES`; None where it is not set.

    Raises:
        OptionError: it is set to what is no folder.
    """
    named = os.environ.get("NEEDLE_SCENES")
    if not named:
        return None
    folder = Path(named).expanduser().resolve()
    if not folder.is_dir():
        raise OptionError(f"NEEDLE_SCENES is {named!r}, which is no folder")
    return folder


def pictures_in(folder: Path) -> list[str]:
    """The pictures under a folder, as paths relative to it."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    real = folder.resolve()  # a link that leads out of the folder is not offered
    inside = (path for path in found if path.is_file() and path.resolve().is_relative_to(real))
    return sorted(str(path.relative_to(folder)) for path in inside)


def picture_in(folder: Path, name: str) -> Path:
    """The path of a picture under a folder, and never of one outside it.

    Raises:
        SceneNotFound: it is not there, or the name leads out of the folder.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise SceneNotFound(f"{name}: no such picture in the folder of scenes")
    return path
