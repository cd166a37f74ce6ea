"""The processes of a training run: how many there are, on which devices, and how they end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed as dist


@dataclass(frozen=True)
class Team:
    """The processes of a run, as `torchrun` starts them; one where it does not."""

    rank: int
    world: int
    device: torch.device

    @classmethod
    def assemble(cls) -> Team:
        """Join the processes that `torchrun` started, or stand alone."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        local = int(os.environ.get("LOCAL_RANK", "0"))
        cuda = torch.cuda.is_available()
        device = torch.device("cuda", local) if cuda else torch.device("cpu")
        if world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if cuda else "gloo")
        return cls(int(os.environ.get("RANK", "0")), world, device)

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[Any]:
        """Mixed precision in bfloat16 where the device has instructions for it."""
        kind = self.device.type
        fast = kind == "cuda" or torch.cpu._is_avx512_bf16_supported()
        return torch.autocast(kind, torch.bfloat16, enabled=fast)


@contextmanager
def asked_to_stop(stop: threading.Event) -> Iterator[None]:
    """Sets `stop` when the process is interrupted or asked to end; a second time it ends at once.

    Signals reach the main thread alone; from another nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def heed(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, heed)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
