"""Pictures on their way in: staged whole, under their content; never from outside the folder."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from dashboard.background import uploads
from dashboard.detector import OptionError, SceneNotFound, StoreError, UnknownFormat, ingest
from dashboard.pages import choose
from tests.detector import rasters
from tests.detector.files.test_planetary_formats import pds3
from tests.detector.files.test_world_files import PLACE, laid

PNG = b"\x89PNG\r\n\x1a\n"


def test_an_upload_is_staged_once_whatever_its_name(home: Path) -> None:
    content = PNG + bytes(range(256)) * 9000
    first = uploads.stage(io.BytesIO(content), "Mars.PNG")
    again = uploads.stage(io.BytesIO(content), "other.png")
    assert first == again
    assert first.read_bytes() == content
    assert first.suffix == ".png"
    assert list((home / "uploads").iterdir()) == [first]


@pytest.mark.parametrize("name", ["../../evil.sh", "picture", "a/b.php", ".png", "x.png/../y"])
def test_a_name_from_outside_never_becomes_a_path(home: Path, name: str) -> None:
    staged = uploads.stage(io.BytesIO(PNG), name)
    assert staged.parent == home / "uploads"
    assert staged.suffix in ("", *uploads.SUFFIXES)


def test_an_upload_that_was_read_before_is_staged_whole() -> None:
    upload = io.BytesIO(PNG + b"picture")
    upload.read()
    assert uploads.stage(upload, "a.png").read_bytes() == PNG + b"picture"


@pytest.mark.parametrize("content", [b"", b"This is no picture.", PNG[:4]])
def test_what_is_no_picture_is_refused_before_it_is_copied(home: Path, content: bytes) -> None:
    with pytest.raises(UnknownFormat, match=r"^big.jp2: "):
        uploads.stage(io.BytesIO(content + bytes(1 << 20) * bool(content)), "big.jp2")
    assert not (home / "uploads").exists()


def test_an_upload_that_breaks_off_leaves_nothing(home: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > uploads.PIECE:
                raise OSError(28, "No space left on device")
            return super().read(size)

    with pytest.raises(StoreError, match=r"a.png: cannot be kept .*No space left"):
        uploads.stage(Broken(PNG + bytes(5 << 20)), "a.png")
    assert list((home / "uploads").iterdir()) == []


def dropped(folder: Path, *names: str) -> list[uploads.Upload]:
    return [(io.BytesIO((folder / name).read_bytes()), name) for name in names]


def together(folder: Path, *names: str) -> Path:
    """The path of the first upload of some that are dropped together."""
    given = dropped(folder, *names)
    return uploads.stage(*given[0], uploads.belonging(given, given[0]))


def test_a_world_file_that_is_dropped_with_its_picture_places_it(tmp_path: Path) -> None:
    laid(tmp_path, "a.png", ".pgw")
    scene = ingest(together(tmp_path, "a.png", "a.pgw", "a.prj"))
    assert scene.transform == pytest.approx(tuple(PLACE)[:6])
    assert scene.crs is not None
    assert "placed by a.pgw and a.prj" in scene.notes[-1]
    for alone in (together(tmp_path, "a.png"), uploads.stage(*dropped(tmp_path, "a.png")[0])):
        assert ingest(alone).transform is None


def test_uploads_stay_within_their_bound(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEEDLE_CACHE_GB", "0.00002")
    for number in range(4):
        last = uploads.stage(io.BytesIO(PNG + bytes([number]) * 9000), f"{number}.png")
        os.utime(last, (number + 1e9, number + 1e9))
    left = [path for path in (home / "uploads").iterdir() if not path.name.startswith(".")]
    assert 0 < len(left) < 4
    assert last in left


def test_what_was_dropped_together_lies_apart_from_all_else(tmp_path: Path, home: Path) -> None:
    laid(tmp_path, "a.png", ".pgw")
    first = together(tmp_path, "a.png", "a.pgw", "a.prj")
    assert together(tmp_path, "a.png", "a.pgw", "a.prj") == first
    assert sorted(one.name for one in first.parent.iterdir()) == ["a.pgw", "a.png", "a.prj"]
    assert list((home / "uploads").iterdir()) == [first.parent]
    other = together(tmp_path, "a.png", "a.pgw")
    assert other.parent != first.parent
    assert ingest(other).crs is None


@pytest.mark.parametrize("stem", ["../../evil", "a/b", "火星", "new\nline", ".hidden"])
def test_no_name_that_is_dropped_with_another_becomes_a_path(
    tmp_path: Path, home: Path, stem: str
) -> None:
    laid(tmp_path, "a.png", ".pgw")
    given = [
        (one, f"{stem}{Path(name).suffix}") for one, name in dropped(tmp_path, "a.png", "a.pgw")
    ]
    path = uploads.stage(*given[0], uploads.belonging(given, given[0]))
    assert path.parent.parent == home / "uploads"
    assert len(list(path.parent.iterdir())) == 2
    assert ingest(path).transform is not None


@pytest.mark.parametrize(
    ("one", "other", "belongs"),
    [
        ("a.pgw", "a.png", True),
        ("a.PRJ", "a.png", True),
        ("a.tfw", "a.tif", True),
        ("a.wld", "a.jp2", True),
        ("map.img", "MAP.LBL", True),
        ("a.tfw", "a.png", False),
        ("b.pgw", "a.png", False),
        ("a.jpg", "a.png", False),
        ("a.png", "a.pgw", False),
    ],
)
def test_what_belongs_together(one: str, other: str, belongs: bool) -> None:
    given = [(io.BytesIO(), name) for name in (one, other)]
    assert uploads.belonging(given, given[1]) == given[:1] * belongs


def test_a_label_that_is_dropped_with_its_pixels_is_read(tmp_path: Path) -> None:
    pixels = rasters.ground(300, 400)
    (tmp_path / "map.lbl").write_bytes(pds3(pixels, '"MAP.IMG"'))
    (tmp_path / "map.img").write_bytes(pixels.tobytes())
    scene = ingest(together(tmp_path, "map.lbl", "map.img"))
    assert scene.driver == "PDS"
    with pytest.raises(UnknownFormat, match="label whose pixels lie in"):
        ingest(together(tmp_path, "map.lbl"))


def test_the_page_takes_what_belongs_together_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid(tmp_path, "a.png", ".pgw")
    laid(tmp_path, "b.png", ".wld", crs=False)
    files = []
    for upload, name in dropped(tmp_path, "a.pgw", "b.png", "a.png", "a.prj"):
        upload.name, upload.file_id = name, name  # type: ignore[attr-defined]
        files.append(upload)
    page = SimpleNamespace(session_state={}, file_uploader=lambda *_, **__: files)
    monkeypatch.setattr(choose, "st", page)
    found = choose._uploads()
    assert [one.name for one in found] == ["b.png", "a.png"]
    assert [ingest(one.path).crs is None for one in found] == [True, False]
    assert choose._uploads() == found


def test_the_operators_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEEDLE_SCENES", raising=False)
    assert uploads.operators_folder() is None
    monkeypatch.setenv("NEEDLE_SCENES", str(tmp_path / "absent"))
    with pytest.raises(OptionError, match="no folder"):
        uploads.operators_folder()
    monkeypatch.setenv("NEEDLE_SCENES", str(tmp_path))
    folder = uploads.operators_folder()
    assert folder == tmp_path.resolve()
    (folder / "deep").mkdir()
    for name in ("b.jp2", "deep/a.TIF", "notes.txt"):
        (folder / name).touch()
    assert uploads.pictures_in(folder) == ["b.jp2", "deep/a.TIF"]
    assert uploads.picture_in(folder, "deep/a.TIF") == folder / "deep" / "a.TIF"


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    secret = tmp_path / "secret.png"
    secret.touch()
    (folder / "link.png").symlink_to(secret)
    for name in ("../secret.png", str(secret), "link.png", "absent.png", "."):
        with pytest.raises(SceneNotFound, match="no such picture"):
            uploads.picture_in(folder, name)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_a_link_that_leads_out_of_the_folder_is_not_offered(tmp_path: Path) -> None:
    folder, outside = tmp_path / "scenes", tmp_path / "outside.png"
    folder.mkdir()
    for path in (outside, folder / "inside.png"):
        path.write_bytes(b"x")
    (folder / "link.png").symlink_to(outside)
    (folder / "alias.png").symlink_to(folder / "inside.png")
    assert uploads.pictures_in(folder) == ["alias.png", "inside.png"]
