"""Who looks at a page under test: `AppTest` has no browser, and mocks what it would send."""

from __future__ import annotations

import pytest

from dashboard.background.jobs import Asker
from dashboard.session import state


@pytest.fixture(autouse=True)
def one_visitor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The only visitor of a server for this machine alone."""
    monkeypatch.setattr(state, "asker", Asker)
