"""Figures: what is drawn is what was found."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.detector import sigma_map
from dashboard.drawing import charts
from dashboard.pages.frame import count, duration
from tests.detector.scanning.test_score_map import score_map


def test_the_histogram_draws_every_tile_and_marks_what_is_flagged() -> None:
    rng = np.random.default_rng(0)
    scores = score_map(rng.gamma(4, 1, (30, 40)))
    figure = charts.histogram(sigma_map(scores).histogram, 2)
    (bars,) = figure.data
    assert np.nansum(bars.y) == 1200
    flagged = np.array(bars.marker.color) == charts.RUST
    np.testing.assert_array_equal(flagged, np.array(bars.x) > 2)
    assert [shape.x0 for shape in figure.layout.shapes] == [2]
    assert figure.layout.yaxis.type == "log"
    assert {note.text for note in figure.layout.annotations} == {"2.0 σ"}


def test_the_tail_is_drawn_over_the_places_it_was_fitted_to() -> None:
    measured = sigma_map(score_map(np.random.default_rng(0).gamma(4, 1, (90, 90))))
    bars, places, line = charts.histogram(measured.histogram, 2, "tile", measured.tail).data
    assert sum(places.y) == len(measured.places)
    assert min(line.x) >= measured.tail.start
    expected = measured.tail.expected(measured.tail.start)
    assert sum(line.y) == pytest.approx(expected, rel=0.2)
    assert max(bars.y) > max(places.y)


def test_the_quantiles_of_a_good_fit_lie_on_the_diagonal() -> None:
    measured = sigma_map(score_map(np.random.default_rng(0).gamma(4, 1, (90, 90))))
    _, known, hidden = charts.quantiles(measured.tail).data
    np.testing.assert_allclose(known.x, known.y, atol=0.2)
    assert len(hidden.x) == measured.tail.censored


def test_an_empty_histogram_can_be_drawn() -> None:
    scores = score_map(np.full((2, 2), np.nan))
    measured = sigma_map(scores)
    charts.histogram(measured.histogram, 3, "tile", measured.tail).to_json()
    charts.quantiles(measured.tail).to_json()


def test_degrees_are_said_as_people_write_them() -> None:
    assert charts.degrees(137.4417, -4.5895) == "137.4417° E, 4.5895° S"
    assert charts.degrees(0, 12.5) == "0.0000° E, 12.5000° N"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.1, "1 s"), (89, "89 s"), (120, "2 min"), (7200, "2.0 h"), (4 * 86400, "4 days")],
)
def test_times_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_counts_agree_with_their_nouns() -> None:
    assert [count(n, "tile") for n in (0, 1, 1200)] == ["0 tiles", "1 tile", "1,200 tiles"]


def test_the_scores_around_a_find_are_drawn_in_colours_that_no_theme_replaces() -> None:
    around = np.full((5, 5), -1.0)
    around[2, 2], around[0, 0] = 7, np.nan
    (heat,) = charts.neighbours(around, 4, 0.25).data
    assert (heat.zmin, heat.zmax) == (0, 7)
    assert all(colour.startswith("rgb") for _, colour in heat.colorscale)
    assert heat.colorscale[0][1] == "rgb(0, 0, 4)"
    assert list(heat.x) == [-2, -1, 0, 1, 2]
