"""Pictures on their way in: uploads staged to disk, the operator's folder, the demo scene.

The largest upload is `maxUploadSize` in `.streamlit/config.toml`.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from dashboard.detector import (
    BEGINNING,
    OptionError,
    SceneNotFound,
    StoreError,
    bound,
    format_of,
    is_world_file_of,
    needle_home,
)

DEMO = Path(__file__).resolve().parents[1] / "demo" / "landing-site.jp2"
Upload = tuple[BinaryIO, str]  # and its name

PIECE = 1 << 20  # bytes of an upload copied at a time
PLAIN = re.compile(r"\w[\w.() -]{0,150}")  # names that may become one on disk
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".jp2", ".j2k", ".img", ".lbl", ".cub")


def stage(upload: BinaryIO, name: str, beside: Sequence[Upload] = ()) -> Path:
    """The path of an upload copied to disk piece by piece, under the checksum of its content.

    Args:
        beside: files that were dropped together with it and belong to it; they lie in one folder
            with it, in which nothing else does.

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
            if beside:
                found = _together(((upload, name), *beside), Path(work, "together"))
                bound(folder, found.parent)
                return found
            digest = _copy(upload, staged)
            known = suffix if suffix in SUFFIXES else ""
            found = staged.replace(folder / f"{digest[:16]}{known}")
        bound(folder, found)
        return found
    except OSError as error:
        raise StoreError(
            f"{name}: cannot be kept in {folder} ({error.strerror}); make room or set NEEDLE_HOME"
        ) from error


def belonging(uploads: Sequence[Upload], picture: Upload) -> list[Upload]:
    """Those of the uploads that belong to one of them: its world file, or its label's pixels."""
    return [upload for upload in uploads if upload is not picture and _belongs(upload, picture)]


def _belongs(upload: Upload, picture: Upload) -> bool:
    name, other = Path(upload[1]), Path(picture[1])
    if is_world_file_of(upload[1], picture[1]):
        return True
    pair = (name.suffix.lower(), other.suffix.lower())
    return pair == (".img", ".lbl") and name.stem.lower() == other.stem.lower()


def _together(uploads: Sequence[Upload], work: Path) -> Path:
    """The path of the first of some uploads, in a folder of their own under their checksum."""
    work.mkdir()
    plain = all(PLAIN.fullmatch(name) for _, name in uploads)
    names = [name if plain else f"picture{Path(name).suffix.lower()}" for _, name in uploads]
    digest = hashlib.sha256()
    for (upload, _), name in zip(uploads, names, strict=True):
        digest.update(f"{name} {_copy(upload, work / name)} ".encode())
    folder = work.parent.parent / f"{digest.hexdigest()[:16]}-together"
    if not folder.exists():
        work.rename(folder)
    return folder / names[0]


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
