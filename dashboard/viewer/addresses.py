"""Addresses of what the server gives besides the pages: tiles and pictures of scans."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from dashboard.detector import ScanStore

TILES = "/tiles"


def base() -> str:
    """The path that all addresses begin with; empty where they begin at the server's root."""
    path = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""


def tiles() -> str:
    """Where the tiles of all scans are served from."""
    return f"{base()}{TILES}"


def tiles_of(scan: ScanStore) -> str:
    """Where the tiles of a scan are served from."""
    return f"{tiles()}/{scan.key}"


def verdicts() -> str:
    """Where the verdicts of scans are read and filed; the key of a scan is added."""
    return f"{base()}/verdicts"


def places() -> str:
    """Where is said what is known of places."""
    return f"{base()}/places"


def places_of(store: ScanStore) -> str:
    """Where is said what is known of a scan's places."""
    return f"{places()}/{store.key}"


def products() -> str:
    """Where the files of all scans are served from."""
    return f"{base()}/products"


def product_of(store: ScanStore, name: str, **how: str) -> str:
    """Where a file of a scan is served, and how the scan is read for it."""
    return f"{products()}/{store.key}/{name}?{urlencode(how)}"
