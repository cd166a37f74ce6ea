"""What every test of the pages leaves as it found it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import streamlit as st


@pytest.fixture(autouse=True)
def streamlits_own() -> Iterator[None]:
    """What Streamlit leaves behind in the process: its caches, and a `__main__` of its own."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
    st.cache_data.clear()
    st.cache_resource.clear()
