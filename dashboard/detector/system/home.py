"""Where Needle keeps what it has worked out."""

from __future__ import annotations

import os
from pathlib import Path


def needle_home() -> Path:
    """The folder of ingested scenes and stored scores: `$NEEDLE_HOME`, else `~/.needle`."""
    named = os.environ.get("NEEDLE_HOME")
    return Path(named).expanduser() if named else Path.home() / ".needle"
