"""State that every test of the pages leaves as it found it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import streamlit as st

from dashboard.background.jobs import Asker
from dashboard.session import state


@pytest.fixture(autouse=True)
def streamlits_own() -> Iterator[None]:
    """Clears what Streamlit leaves in the process: its caches, and a `__main__` of its own."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(autouse=True)
def asker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who looks at the pages; Streamlit's tests have no cookies that name one."""
    monkeypatch.setattr(state, "asker", lambda: Asker("somebody", operator=True))
