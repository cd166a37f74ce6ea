"""The address of a page: the open scan in plain known fields."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import streamlit as st

from dashboard.detector import NeedleError, ScanStore, list_scans, needle_home

STRANGER = "stranger"  # of the session: what its address named and is not here, in words


def scan_of_key(key: str | None) -> ScanStore | None:
    """A scan by its key; None where there is none that can be read."""
    if not key or Path(key).name != key:
        return None
    try:
        return ScanStore.open(needle_home() / "scans" / key)
    except NeedleError:
        return None


def scan_of_address() -> ScanStore | None:
    """The scan that the address names: by its key, else the newest of that scene and model."""
    asked = st.query_params
    found = scan_of_key(asked.get("scan"))
    names = {part: asked[part] for part in ("scene", "model") if part in asked}
    if found is None and names:
        found = next((store for store in list_scans() if store.done and _is(store, names)), None)
    if found is None and (names or "scan" in asked):
        what = " with ".join(names.values()) or asked["scan"]
        st.session_state.setdefault(STRANGER, f"The address names a scan that is not here: {what}.")
    return found


def _is(store: ScanStore, names: dict[str, str]) -> bool:
    return names.items() <= {"scene": store.scene_name, "model": store.model_name}.items()


def stranger() -> str:
    """That the address named a scan which is not here; empty where all is well."""
    return str(st.session_state.get(STRANGER, ""))


def several(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Those of the known words that a field of the address names, in their own order."""
    asked = st.query_params.get(name, "").split(",")
    return tuple(word for word in known if word in asked)


def numbers(name: str) -> tuple[float, float] | None:
    """The two numbers of a field of the address; None where there are not two."""
    try:
        low, high = (float(part) for part in st.query_params.get(name, "").split(","))
    except ValueError:
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def keep(store: ScanStore | None, sigma: float, rule: str, **more: str) -> None:
    """Puts what is open and shown into the address, so that it can be sent to a colleague."""
    said: dict[str, str] = {}
    if store:
        said = {"scene": store.scene_name, "model": store.model_name, "scan": store.key}
        said |= {"sigma": f"{sigma:g}", "rule": rule}
    said |= more
    if st.query_params.to_dict() != said:
        st.query_params.from_dict(said)
