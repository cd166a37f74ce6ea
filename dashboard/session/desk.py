"""The reviewer's desk: what is decided about the open scan, what is shown of it, what is chosen."""

from __future__ import annotations

import getpass
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice

import streamlit as st

from dashboard.detector import (
    ROUGHNESS,
    Change,
    Decision,
    Detection,
    Finished,
    Measure,
    Subject,
    Verdict,
    Verdicts,
    measure,
)
from dashboard.session import address, state

ON_A_PAGE = 24
MEASURES_KEPT = 20_000
CHOSEN, SELECTION, PAGE, TURNS, FILTER, REVIEWER = (
    "selected",
    "selection",
    "page_of_gallery",
    "turns_of_gallery",
    "filter",
    "reviewer",
)

Place = tuple[float, float]
Range = tuple[float, float]


def spot(found: Detection) -> Place:
    """What a detection's verdict is filed under."""
    return found.x, found.y


OPEN = "open"  # what the address calls a place without a verdict


@dataclass(frozen=True)
class Filter:
    """Which finds are shown; an empty filter shows all. A range includes its ends."""

    verdicts: tuple[Verdict, ...] = ()
    sigma: Range | None = None
    size: Range | None = None  # px, length of what stands out
    brightness: Range | None = None  # a part of the ground's DN
    ground: tuple[str, ...] = ()  # of the `ROUGHNESS`

    @property
    def measures(self) -> bool:
        """True where finds must be measured to be filtered."""
        return self.size is not None or self.brightness is not None

    @classmethod
    def of_address(cls) -> Filter:
        """The filter that the address names; what it does not know shows all."""
        words = {verdict or OPEN: verdict for verdict in Verdict}
        return cls(
            verdicts=tuple(words[word] for word in address.several("verdict", words)),
            sigma=address.numbers("sigmas"),
            size=address.numbers("size"),
            brightness=address.numbers("brightness"),
            ground=address.several("ground", ROUGHNESS),
        )

    def said(self) -> dict[str, str]:
        """The filter as the address names it; only what it filters by."""
        verdicts = ",".join(verdict or OPEN for verdict in self.verdicts)
        ranges = {"sigmas": self.sigma, "size": self.size, "brightness": self.brightness}
        said = {"verdict": verdicts, "ground": ",".join(self.ground)}
        # Every digit: a range includes its ends, which are measures of places.
        said |= {name: f"{ends[0]},{ends[1]}" for name, ends in ranges.items() if ends}
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True)
class Desk:
    """One reviewer's view of a scan at a threshold, as it is during one run of a page."""

    scan: state.Opened
    finished: Finished
    decisions: Mapping[Place, Decision]
    shown: Sequence[Detection]
    chosen: Detection | None
    verdicts: Verdicts = field(default_factory=Verdicts)

    @property
    def subject(self) -> Subject:
        return subject(self.finished)

    def decision(self, found: Detection) -> Decision:
        """What is decided about a find; an empty decision where nothing is."""
        return self.decisions.get(spot(found)) or Decision(spot(found))

    def verdict(self, found: Detection) -> Verdict:
        """The verdict on a find."""
        decision = self.decisions.get(spot(found))
        return decision.verdict if decision else Verdict.UNREVIEWED

    @cached_property
    def reviewed(self) -> int:
        """How many places beyond the threshold have a verdict, whatever is shown."""
        return sum(map(bool, map(self.verdict, self.finished.detections)))

    @cached_property
    def index(self) -> int:
        """Where the chosen find is among those shown."""
        places = (index for index, found in enumerate(self.shown) if found is self.chosen)
        return next(places, 0)

    @cached_property
    def unreviewed(self) -> Detection | None:
        """The next find without a verdict after the chosen one, from the first on at the end."""
        ahead = chain(islice(self.shown, self.index + 1, None), islice(self.shown, self.index))
        return next((found for found in ahead if not self.verdict(found)), None)


def lay(scan: state.Opened, finished: Finished) -> Desk:
    """The desk as this session left it.

    Raises:
        StoreError: the verdicts cannot be read.
    """
    decisions = Verdicts().current(subject(finished))
    wanted = current_filter()
    shown = _shown(finished, decisions, wanted)
    if wanted.ground:
        shown = [found for found in shown if scan.roughness(found) in wanted.ground]
    return Desk(scan, finished, decisions, shown, _chosen(shown))


def subject(finished: Finished) -> Subject:
    """What verdicts on a scan are about."""
    record = finished.store.record
    return Subject(record.scene_sha256, record.model_sha256)


def _shown(
    finished: Finished, decisions: Mapping[Place, Decision], wanted: Filter
) -> list[Detection]:
    if wanted == Filter():
        return finished.detections
    measured = measures(finished) if wanted.measures else {}
    return [found for found in finished.detections if _passes(found, decisions, wanted, measured)]


def _passes(
    found: Detection,
    decisions: Mapping[Place, Decision],
    wanted: Filter,
    measured: Mapping[Place, Measure | None],
) -> bool:
    decision = decisions.get(spot(found))
    verdict = decision.verdict if decision else Verdict.UNREVIEWED
    if wanted.verdicts and verdict not in wanted.verdicts:
        return False
    if not _within(found.sigma, wanted.sigma):
        return False
    if not wanted.measures:
        return True
    size = measured[spot(found)]
    if size is None:
        return False
    return _within(size.length, wanted.size) and _within(size.brightness, wanted.brightness)


def _within(value: float, ends: Range | None) -> bool:
    return ends is None or ends[0] <= value <= ends[1]


def measures(finished: Finished) -> dict[Place, Measure | None]:
    """The measures of all places beyond the threshold; each is taken once."""
    kept = _measures(finished.scene.sha256, finished.scores.window)
    for found in finished.detections:
        if spot(found) not in kept:
            kept[spot(found)] = measure(finished.scene, found)
    return kept


@st.cache_resource(show_spinner=False, max_entries=4)
def _measures(scene: str, window: int) -> dict[Place, Measure | None]:
    return {}


def measure_of(finished: Finished, found: Detection) -> Measure | None:
    """The measure of one place."""
    kept = _measures(finished.scene.sha256, finished.scores.window)
    if spot(found) not in kept:
        kept[spot(found)] = measure(finished.scene, found)
    return kept[spot(found)]


def current_filter() -> Filter:
    """The filter of this session."""
    found = st.session_state.get(FILTER)
    return found if isinstance(found, Filter) else Filter()


def set_filter(wanted: Filter) -> None:
    """Show other finds; the gallery begins anew."""
    if wanted != current_filter():
        st.session_state[FILTER] = wanted
        turn_to(1)


def _chosen(shown: Sequence[Detection]) -> Detection | None:
    """The find that is shown large: the one chosen, else the strongest."""
    place = st.session_state.get(CHOSEN)
    for found in shown:
        if spot(found) == place:
            return found
    return shown[0] if shown else None


def choose(desk: Desk, place: Place) -> None:
    """Show a find large, and the page of the gallery that it is on."""
    st.session_state[CHOSEN] = place
    for index, found in enumerate(desk.shown):
        if spot(found) == place:
            turn_to(index // ON_A_PAGE + 1)


def choose_like(desk: Desk, sigma: float) -> None:
    """Choose the find whose sigma is nearest to a given one."""
    if desk.shown:
        choose(desk, spot(min(desk.shown, key=lambda found: abs(found.sigma - sigma))))


def turn_to(page: int) -> None:
    """Show a page of the gallery; the buttons of its pages begin anew where it is another."""
    if st.session_state.get(PAGE) != page:
        st.session_state[PAGE] = page
        st.session_state[TURNS] = turns() + 1


def turns() -> int:
    """How often the gallery was turned by something else than its own buttons."""
    return int(st.session_state.get(TURNS, 0))


def page_of_gallery(desk: Desk) -> int:
    """The page that the gallery shows, from 1."""
    last = max(1, math.ceil(len(desk.shown) / ON_A_PAGE))
    return min(max(1, int(st.session_state.get(PAGE) or 1)), last)


def selection() -> set[Place]:
    """The finds that are selected."""
    return set(st.session_state.get(SELECTION, ()))


def select(places: Iterable[Place]) -> None:
    """Select these finds and no others."""
    st.session_state[SELECTION] = set(places)


def reviewer() -> str:
    """The name that verdicts are signed with: what was entered, else the server's user."""
    given = str(st.session_state.get(REVIEWER, "")).strip()
    return given or _user()


@st.cache_data(show_spinner=False)
def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "reviewer"


def judge(desk: Desk, verdict: Verdict) -> None:
    """File a verdict on the chosen find and go on to the next without one."""
    if desk.chosen is None:
        return
    decide(desk, [spot(desk.chosen)], Change(verdict=verdict))
    following = desk.unreviewed
    if verdict and following:
        choose(desk, spot(following))


def decide(desk: Desk, places: Iterable[Place], change: Change) -> None:
    """File one action; an error is kept for the page to show."""
    desk.verdicts.decide(desk.subject, [(place, change) for place in places], reviewer())


def undo(desk: Desk) -> None:
    """Take this reviewer's last action back and show its place."""
    places = desk.verdicts.undo(desk.subject, reviewer())
    if places:
        choose(desk, places[0])
