"""State that the pages share: the worker, the open scan, cached models, pictures and scores."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from weakref import WeakSet

import streamlit as st

from dashboard.background.downloads import Downloads
from dashboard.background.idle import WhenIdle
from dashboard.background.jobs import Asker, Worker
from dashboard.background.learning import learned_models
from dashboard.detector import (
    DEFAULT_MODEL,
    DEFAULT_RULE,
    RULES,
    Detection,
    Finished,
    Model,
    ModelError,
    Roughness,
    ScanSettings,
    ScanStore,
    Scene,
    ScoreMap,
    SigmaMap,
    Survey,
    Triptych,
    give_back,
    list_models,
    list_scans,
    pool,
    sigma_map,
    survey,
    triptychs,
)
from dashboard.drawing import pictures
from dashboard.session import access, address

SIGMA = 3.0  # the article's
HIDDEN = "hidden"  # what the address says of likely artefacts where they are not listed
TRIPTYCHS_KEPT = 200  # some 200 kB each
SCANS_IDLE = 300.0  # s after which scans that nobody looks at leave memory


@st.cache_resource(show_spinner=False)
def worker() -> Worker:
    """The one worker of this server."""
    return Worker()


def asker() -> Asker:
    """Who looks at this page: whose scans are whose, and who is an operator."""
    address = st.get_option("server.address")
    found = access.visitor_of(st.context.headers, st.context.cookies, address)
    return Asker(found.name, found.operator) if found else Asker(operator=False)


def keep(scene: Scene) -> None:
    """Keeps the scene that this session shows in the cache, until it shows another or ends."""
    known: dict[str, object] = st.session_state.setdefault("pinned", {})
    if str(scene.path) not in known:
        known.clear()
        known[str(scene.path)] = scene.pin()


@st.cache_resource(show_spinner=False)
def downloads() -> Downloads:
    """The downloads of this server."""
    return Downloads()


def model(name: str = DEFAULT_MODEL) -> Model:
    """A model by name or path, loaded once for all sessions and again when its file changes."""
    return pool.get(name)


def model_names() -> list[str]:
    """The models there are, the default first."""
    names = [path.stem for path in list_models()]
    return sorted(names, key=lambda name: (name != DEFAULT_MODEL, name))


def models() -> dict[str, str]:
    """The models there are by name, those of `exported/` first, then what has learned a scene.

    To a name that several scenes have, a part of what the scene is kept under is added.
    """
    found = {name: name for name in model_names()}
    for path in learned_models():
        name = path.stem if path.stem not in found else f"{path.stem} {path.parent.name[:6]}"
        found[name] = str(path)
    return found


def open_scan(store: ScanStore) -> None:
    """Make a scan the one that Review and Results show."""
    st.session_state.pop(address.STRANGER, None)
    if st.session_state.get("scan") != store.key:
        st.session_state["scan"] = store.key
        for part in ("filter", "review_go", "review_why"):
            st.session_state.pop(part, None)


def current_store() -> ScanStore | None:
    """The open scan: the one chosen, that of the address, else the newest; None without any.

    None, too, where the address names one that is not here: no other scan is shown in its place.
    """
    found = address.scan_of_key(st.session_state.get("scan")) or address.scan_of_address()
    if found is None and not address.stranger():
        found = next((store for store in list_scans() if store.done), None)
    return found


def sigma() -> float:
    """The threshold of this session; that of the URL at its beginning, else 3."""
    if "sigma" not in st.session_state:
        try:
            given = float(st.query_params.get("sigma", SIGMA))
        except ValueError:
            given = SIGMA
        st.session_state["sigma"] = given if 0 <= given < math.inf else SIGMA
    return float(st.session_state["sigma"])


def set_sigma(value: float) -> None:
    """Keep the threshold for the other pages."""
    st.session_state["sigma"] = value


def rule() -> str:
    """The rule of this session by which a score becomes a sigma; that of the URL at first."""
    if "rule" not in st.session_state:
        given = st.query_params.get("rule", DEFAULT_RULE)
        st.session_state["rule"] = given if given in RULES else DEFAULT_RULE
    return str(st.session_state["rule"])


def set_rule(value: str) -> None:
    """Keep the rule for the other pages."""
    st.session_state["rule"] = value


def artefacts() -> bool:
    """Whether this session lists likely artefacts; it does where the address does not hide them."""
    return bool(
        st.session_state.setdefault("artefacts", st.query_params.get("artefacts") != HIDDEN)
    )


def set_artefacts(value: bool) -> None:
    """Keep the choice for the other pages."""
    st.session_state["artefacts"] = value


def keep_address(store: ScanStore | None, **more: str) -> None:
    """Puts the open scan, how it is read, and what a page says of itself into the address."""
    if not artefacts():
        more["artefacts"] = HIDDEN
    address.keep(store, sigma(), rule(), **more)


@dataclass(frozen=True, eq=False)
class OpenScan:
    """The open scan with all that its pages need; nothing in it is scored again."""

    store: ScanStore
    scene: Scene
    scores: ScoreMap

    def sigma_map(self, rule: str) -> SigmaMap:
        """The scores in sigma by a rule; ranked once for every threshold."""
        return _sigma_map(self.store.key, self.store.done, rule, self)

    def ground(self) -> Survey:
        """The survey of the scene's ground, cell by cell."""
        return _survey(self.store.key, self)

    def roughness(self, found: Detection) -> str:
        """One of the `ROUGHNESS`: how rough the ground around a place is."""
        return _roughness(self.store.key, self.store.done, self).word(found.row, found.col)

    def at(self, sigma: float) -> Finished:
        """The scan with a threshold, by the rule of this session."""
        settings = ScanSettings(
            self.store.model_name,
            self.store.stride,
            sigma=sigma,
            rule=rule(),
            artefacts=artefacts(),
        )
        return self.by(settings)

    def by(self, settings: ScanSettings) -> Finished:
        """The scan with all that settings decide after it."""
        return _load_finished(self.store.key, self.store.done, settings, self)

    def model(self) -> Model:
        """The network that scanned.

        Raises:
            ModelError: its file is gone, or holds another network now.
        """
        found = model(self.store.record.model_path)
        if found.sha256 != self.store.record.model_sha256:
            raise ModelError(f"{self.store.model_name}: the model has changed since; scan again")
        return found


def current_scan() -> OpenScan | None:
    """The open scan, which stays open in this session; None where there is none.

    Raises:
        DamagedScene: the ingested picture is gone.
    """
    store = current_store()
    if store is None:
        return None
    st.session_state["scan"] = store.key
    found = of_store(store)
    keep(found.scene)
    return found


def of_store(store: ScanStore) -> OpenScan:
    """A finished scan with all that pages need of it.

    Raises:
        DamagedScene: the ingested picture is gone.
    """
    _scans_idle.wanted()
    return _load_scan(store.key, store.done, store)


@st.cache_resource(show_spinner=False, max_entries=2)  # scores of a whole scene: 292 MB
def _load_scan(key: str, done: int, _store: ScanStore) -> OpenScan:
    found = OpenScan(_store, _store.scene(), _store.scores())
    _opened.add(found)
    return found


@st.cache_resource(show_spinner=False, max_entries=8)
def _load_finished(key: str, done: int, settings: ScanSettings, _scan: OpenScan) -> Finished:
    sigmas = _scan.sigma_map(settings.rule)
    finished = Finished(
        _scan.store,
        _scan.scene,
        _scan.scores,
        settings,
        sigmas=sigmas,
        surveyed=_scan.ground(),
    )
    return replace(finished, doubted=_doubts(key, done, settings.rule, finished))


@st.cache_resource(show_spinner=False, max_entries=len(RULES))
def _doubts(key: str, done: int, rule: str, _finished: Finished) -> tuple[str, ...]:
    return _finished.doubts  # the same at every threshold


@st.cache_resource(show_spinner=False, max_entries=len(RULES))  # so that they can be compared
def _sigma_map(key: str, done: int, rule: str, _scan: OpenScan) -> SigmaMap:
    return sigma_map(_scan.scores, rule)


@st.cache_resource(show_spinner=False, max_entries=4)
def _roughness(key: str, done: int, _scan: OpenScan) -> Roughness:
    return Roughness.of(_scan.scores, _scan.ground())


@st.cache_resource(show_spinner="Looking over the ground", max_entries=4)
def _survey(key: str, _scan: OpenScan) -> Survey:
    return survey(_scan.scene)


@st.cache_data(show_spinner=False, max_entries=8)
def overview(sha256: str, size: tuple[int, int], _scene: Scene) -> pictures.Bytes:
    """The overview picture of a scene, fitted into a width and a height in px."""
    return pictures.overview(_scene, *size)


@st.cache_data(show_spinner=False, max_entries=8)
def score_ends(key: str, done: int, _scores: ScoreMap) -> tuple[float, float]:
    """The scores of a scan that are shown darkest and brightest."""
    return pictures.ends(_scores)


def triptych_pictures(scan: OpenScan, tiles: list[tuple[int, int]]) -> list[bytes]:
    """A PNG of the triptych of each tile `(row, col)`."""
    return [pictures.triptych(triptych(scan, tile), scan.scene) for tile in tiles]


def triptych(scan: OpenScan, tile: tuple[int, int]) -> Triptych:
    """The triptych of a tile `(row, col)`; the network runs where it was not shown lately.

    Raises:
        ModelError: the network that scanned is gone.
    """
    return _triptych(scan.store.key, *tile, scan)


@st.cache_resource(show_spinner=False, max_entries=TRIPTYCHS_KEPT)
def _triptych(key: str, row: int, col: int, _scan: OpenScan) -> Triptych:
    (shown,) = triptychs(_scan.scene, _scan.model(), [_scan.scores.grid.at(row, col).read])
    return shown


_opened: WeakSet[OpenScan] = WeakSet()  # sessions that have gone may hold some for minutes


def let_scans_go() -> None:
    """Forgets what was worked out for open scans, and hands its memory to the system."""
    for cached in (_load_scan, _load_finished, _doubts, _sigma_map, _roughness, _survey, _triptych):
        cached.clear()
    give_back(*(scan.scores.values for scan in list(_opened)))


_scans_idle = WhenIdle(SCANS_IDLE, let_scans_go)
