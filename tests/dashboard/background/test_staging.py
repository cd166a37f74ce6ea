"""Pictures on their way in: staged whole, under their content; never from outside the folder."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from dashboard.background import staging
from dashboard.detector import OptionError, SceneNotFound, StoreError, UnknownFormat

PNG = b"\x89PNG\r\n\x1a\n"


def test_an_upload_is_staged_once_whatever_its_name(home: Path) -> None:
    content = PNG + bytes(range(256)) * 9000
    first = staging.stage(io.BytesIO(content), "Mars.PNG")
    again = staging.stage(io.BytesIO(content), "other.png")
    assert first == again
    assert first.read_bytes() == content
    assert first.suffix == ".png"
    assert list((home / "uploads").iterdir()) == [first]


@pytest.mark.parametrize("name", ["../../evil.sh", "picture", "a/b.php", ".png", "x.png/../y"])
def test_a_name_from_outside_never_becomes_a_path(home: Path, name: str) -> None:
    staged = staging.stage(io.BytesIO(PNG), name)
    assert staged.parent == home / "uploads"
    assert staged.suffix in ("", *staging.SUFFIXES)


def test_an_upload_that_was_read_before_is_staged_whole() -> None:
    upload = io.BytesIO(PNG + b"picture")
    upload.read()
    assert staging.stage(upload, "a.png").read_bytes() == PNG + b"picture"


@pytest.mark.parametrize("content", [b"", b"This is no picture.", PNG[:4]])
def test_what_is_no_picture_is_refused_before_it_is_copied(home: Path, content: bytes) -> None:
    with pytest.raises(UnknownFormat, match=r"^big.jp2: "):
        staging.stage(io.BytesIO(content + bytes(1 << 20) * bool(content)), "big.jp2")
    assert not (home / "uploads").exists()


def test_an_upload_that_breaks_off_leaves_nothing(home: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > staging.PIECE:
                raise OSError(28, "No space left on device")
            return super().read(size)

    with pytest.raises(StoreError, match=r"a.png: cannot be kept .*No space left"):
        staging.stage(Broken(PNG + bytes(5 << 20)), "a.png")
    assert list((home / "uploads").iterdir()) == []


def test_the_operators_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEEDLE_SCENES", raising=False)
    assert staging.operators_folder() is None
    monkeypatch.setenv("NEEDLE_SCENES", str(tmp_path / "absent"))
    with pytest.raises(OptionError, match="no folder"):
        staging.operators_folder()
    monkeypatch.setenv("NEEDLE_SCENES", str(tmp_path))
    folder = staging.operators_folder()
    assert folder == tmp_path.resolve()
    (folder / "deep").mkdir()
    for name in ("b.jp2", "deep/a.TIF", "notes.txt"):
        (folder / name).touch()
    assert staging.pictures_in(folder) == ["b.jp2", "deep/a.TIF"]
    assert staging.picture_in(folder, "deep/a.TIF") == folder / "deep" / "a.TIF"


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    secret = tmp_path / "secret.png"
    secret.touch()
    (folder / "link.png").symlink_to(secret)
    for name in ("../secret.png", str(secret), "link.png", "absent.png", "."):
        with pytest.raises(SceneNotFound, match="no such picture"):
            staging.picture_in(folder, name)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_a_link_that_leads_out_of_the_folder_is_not_offered(tmp_path: Path) -> None:
    folder, outside = tmp_path / "scenes", tmp_path / "outside.png"
    folder.mkdir()
    for path in (outside, folder / "inside.png"):
        path.write_bytes(b"x")
    (folder / "link.png").symlink_to(outside)
    (folder / "alias.png").symlink_to(folder / "inside.png")
    assert staging.pictures_in(folder) == ["alias.png", "inside.png"]
