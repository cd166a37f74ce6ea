"""Pictures on their way in: uploads staged to disk, the operator's folder, the demo scene."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from dashboard.detector import OptionError, SceneNotFound, needle_home

DEMO = Path(__file__).with_name("demo") / "landing-site.jp2"
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".jp2", ".j2k")


def stage(upload: BinaryIO, name: str) -> Path:
    """The path of an upload copied to disk piece by piece, under the checksum of its content."""
    folder = needle_home() / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    upload.seek(0)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".part-", delete=False) as part:
        shutil.copyfileobj(upload, part, 1 << 20)
    staged = Path(part.name)
    with staged.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    suffix = Path(name).suffix.lower()
    return staged.replace(folder / f"{digest[:16]}{suffix if suffix in SUFFIXES else ''}")


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
    return sorted(str(path.relative_to(folder)) for path in found if path.is_file())


def picture_in(folder: Path, name: str) -> Path:
    """The path of a picture under a folder, and never of one outside it.

    Raises:
        SceneNotFound: it is not there, or the name leads out of the folder.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise SceneNotFound(f"{name}: no such picture in the folder of scenes")
    return path
