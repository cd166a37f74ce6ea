"""Tiles: what the map asks for is the scene and its scores, in the right place."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from dashboard.detector import Box, Grid, Model, ScanStore, Scene, ScoreMap, grey
from dashboard.drawing import pictures
from dashboard.viewer import addresses
from tests.dashboard.client import Client
from tests.detector.scans import finish_scan

Scenes = Callable[..., Scene]


@pytest.fixture
def store(scene_of: Scenes, model: Model) -> ScanStore:
    return finish_scan(scene_of(), model, stride=16)


@pytest.fixture
def client() -> Client:
    return Client()


def picture(client: Client, address: str) -> np.ndarray:
    answer = client.get(address)
    assert answer.status == 200, answer.content
    assert "immutable" in answer.headers["cache-control"]
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_native_tiles_are_the_scene_to_the_last_pixel(client: Client, store: ScanStore) -> None:
    scene, at = store.scene(), addresses.tiles_of(store)
    whole = grey(scene.read(Box(0, 0, scene.width, scene.height)).dn, scene.stretch)
    whole = np.maximum(whole, pictures.STRIPE + 6)  # nodata alone is darker
    rows = []
    for row in range(3):
        rows.append(np.hstack([picture(client, f"{at}/ground/0/{col}/{row}") for col in range(4)]))
    np.testing.assert_array_equal(np.vstack(rows), whole)


def test_the_overview_tile_shows_the_object_where_it_is(client: Client, store: ScanStore) -> None:
    tile = picture(client, f"{addresses.tiles_of(store)}/ground/2/0/0")
    assert tile.shape == (600 // 4, 800 // 4)
    assert tile[290 // 4 + 1 : 310 // 4 - 1, 390 // 4 + 1 : 410 // 4 - 1].min() > 230
    scores = picture(
        client, f"{addresses.tiles_of(store)}/scores/2/0/0?ends={_ends(store)}&done={store.done}"
    )
    y, x = np.unravel_index(scores[..., :3].sum(axis=2).argmax(), scores.shape[:2])
    assert abs(4 * x - 400) < 48
    assert abs(4 * y - 300) < 48


def _ends(store: ScanStore) -> str:
    low, high = pictures.ends(store.scores())
    return f"{low},{high}"


def test_a_place_is_shown_in_the_middle_of_its_picture_even_at_the_border(
    client: Client, store: ScanStore
) -> None:
    for x, y in ((400, 300), (0, 0), (799, 599)):
        tile = picture(client, f"{addresses.tiles_of(store)}/place/96/{x}/{y}")
        assert tile.shape == (96, 96)
    assert (
        picture(client, f"{addresses.tiles_of(store)}/place/96/400/300")[46:50, 46:50].min() > 230
    )


def test_a_picture_is_stretched_as_it_is_asked_for(client: Client, store: ScanStore) -> None:
    low, high = store.scene().stretch
    address = f"{addresses.tiles_of(store)}/place/96/100/100"
    plain, brighter = (
        picture(client, address),
        picture(client, f"{address}?stretch={low},{high / 2}"),
    )
    assert brighter.mean() > plain.mean() + 20


@pytest.mark.parametrize(
    "wrong",
    [
        "none/ground/0/0/0",
        "..%2F..%2Fetc/ground/0/0/0",
        "KEY/ground/0/99/0",
        "KEY/ground/99/0/1",
        "KEY/secrets/0/0/0",
        "KEY/scores/0/0/0",
        "KEY/scores/0/0/0?ends=a,b",
        "KEY/place/5000/10/10",
        "KEY/place/96/10000/10",
        "KEY/place/96/-10/10",
        "KEY/ground/25/0/0",
        "KEY/ground/100000000/0/0",
        pytest.param(f"KEY/ground/0/{'9' * 5000}/0", id="5000 digits"),
        pytest.param(f"KEY/place/96/{'1' * 5000}/0", id="5000 digits of a place"),
        "KEY/ground/0/%D9%A3/0",  # a digit, of another script
        "KEY/ground/0/0/0?stretch=nan,1",
        "KEY/ground/0/0/0?stretch=0,inf",
        "KEY/scores/0/0/0?ends=-inf,inf",
        "../ground/0/0/0",
        "%00/ground/0/0/0",
        pytest.param(f"{'a' * 5000}/ground/0/0/0", id="a long key"),
    ],
)
def test_what_is_not_there_is_said_in_a_line(client: Client, store: ScanStore, wrong: str) -> None:
    began = time.monotonic()
    answer = client.get(f"/tiles/{wrong.replace('KEY', store.key)}")
    assert answer.status == 404
    said = answer.content.decode().strip()
    assert len(said.splitlines()) == 1
    assert len(said) < 200
    assert time.monotonic() - began < 5


def test_tiles_of_scores_hold_the_strongest_of_what_they_cover() -> None:
    rng = np.random.default_rng(0)
    grid = Grid(1100, 900, 64, 4)
    values = rng.random((grid.rows, grid.cols), np.float32)
    values[3:9, 5:20] = np.nan
    scores = ScoreMap(values, grid, 12)
    for shrink in (1, 2, 4, 8):
        side = 256 * shrink
        for box in (Box(0, 0, side, side), Box(768, 512, 768 + side, 512 + side)):
            tile = pictures.scores_tile(scores, box, (0.0, 1.0))
            for row, col in rng.integers(0, 256, (60, 2)):
                # The scores whose cells begin in the pixel, or the one that holds it.
                left, top = box.x_min + col * shrink, box.y_min + row * shrink
                first = [np.floor((at - grid.origin) / 4) for at in (left, top)]
                last = [np.floor((at + shrink - grid.origin) / 4) for at in (left, top)]
                (x0, y0), (x1, y1) = np.int64(first), np.int64(np.maximum(last, np.add(first, 1)))
                part = values[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
                known = part[np.isfinite(part)]
                if not known.size:
                    assert tile[row, col, 3] == 0
                    continue
                level = int(255 * known.max())
                np.testing.assert_array_equal(tile[row, col, :3], pictures.MAGMA[level])


@pytest.mark.parametrize("name", ["", "review", "results", "models"])
def test_a_page_comes_with_its_style(client: Client, name: str) -> None:
    text = client.get(f"/{name}?sigma=4").content.decode()
    assert ".needle-header {" in text.partition("<body>")[2].partition("</style>")[0]
    assert "<title>Needle</title>" in text
    assert '<div id="root">' in text


@pytest.mark.parametrize("name", ["favicon.png", "_stcore"])
def test_what_is_streamlits_own_is_let_through(client: Client, name: str) -> None:
    assert client.get(f"/{name}").content == b"Streamlit's"


@pytest.mark.parametrize("name", ["scan", "scan/", "nothing", "Review", "//evil"])
def test_the_address_of_no_page_leads_to_the_first(client: Client, name: str) -> None:
    answer = client.get(f"/{name}?sigma=4&scene=a b.png")
    assert answer.status == 307
    assert answer.headers["location"] == "/?sigma=4&scene=a%20b.png"


def test_what_draws_is_loaded_and_out_of_the_collectors_way_before_there_are_visitors() -> None:
    said = (
        "import gc, sys; from dashboard import server; server.make_ready();"
        "print('plotly.graph_objs._bar' in sys.modules, gc.get_freeze_count())"
    )
    command = [sys.executable, "-c", said]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded, frozen = ended.stdout.split()
    assert loaded == "True"
    assert int(frozen) > 100_000  # objects


def test_what_was_expected_at_a_place_and_what_is_measured_there(
    client: Client, store: ScanStore
) -> None:
    row, col = 10, 14
    picture = client.get(f"{addresses.tiles_of(store)}/expected/{row}/{col}?stretch=90,200")
    assert np.asarray(Image.open(io.BytesIO(picture.content))).shape == (128, 2 * 128 + 4, 3)
    lines = client.get(f"{addresses.places_of(store)}/{row}/{col}").json["lines"]
    assert lines
    assert client.get(f"{addresses.places_of(store)}/9999/0").status == 404
