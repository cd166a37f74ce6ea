"""Models ready to run, shared by all of a process: pages and worker use the same sessions."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from dashboard.detector.models.model import Model, find_model
from dashboard.detector.system.memory import give_back

MOST = 2  # models that are kept; each has three sessions on a CPU
IDLE = 900.0  # seconds after which a model that nobody asked for is let go

Key = tuple[str, int, str]  # file, its time of change, device


@dataclass
class _Kept:
    model: Model
    asked: float  # when it was asked for last, by `time.monotonic`


class ModelPool:
    """Loaded models, at most so many; what was unused for longest, or for long, is let go."""

    def __init__(
        self,
        most: int = MOST,
        idle: float = IDLE,
        load: Callable[[str, str], Model] = Model.load,
    ) -> None:
        self._most, self._idle, self._load = most, idle, load
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None

    def get(self, name: str, device: str = "auto") -> Model:
        """The model of a name or a file, loaded once, and again when its file changes.

        Raises:
            ModelError: no such file, not a network, or not one of Needle's.
            DeviceError: the device asked for does not work.
        """
        path = find_model(name)
        key = str(path), path.stat().st_mtime_ns, device
        with self._lock:
            if key not in self._kept:
                for old in [k for k in self._kept if k[::2] == key[::2]]:  # the file has changed
                    del self._kept[old]
                self._kept[key] = _Kept(self._load(str(path), device), 0.0)
            self._kept[key].asked = time.monotonic()
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            self._watch()
            return self._kept[key].model

    def rest(self) -> None:
        """Hands what the networks have kept to compute with to the system, after a scan."""
        with self._lock:
            models = [kept.model for kept in self._kept.values()]
        for model in models:
            model.shrink()
        give_back()

    def _watch(self) -> None:
        """Has what is unused let go in time; a timer runs while there is a model."""
        if self._timer is None:
            self._timer = threading.Timer(self._idle, self._sweep)
            self._timer.daemon = True
            self._timer.start()

    def _sweep(self) -> None:
        with self._lock:
            self._timer = None
            oldest = time.monotonic() - self._idle
            for key in [key for key, kept in self._kept.items() if kept.asked <= oldest]:
                del self._kept[key]
            if self._kept:
                self._watch()
        give_back()


pool = ModelPool()
