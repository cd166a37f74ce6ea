"""Memory that is free inside the process goes back to the system."""

from __future__ import annotations

import mmap
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import Model
from dashboard.detector.files.formats import CACHE_BYTES
from dashboard.detector.system.memory import give_back

PIECES, SIZE = 50_000, 2_000  # 100 MB in pieces that the allocator keeps


def held() -> int:
    """Bytes of memory that this process holds."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:"))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators need no asking")
def test_what_is_free_between_what_is_used_goes_back() -> None:
    pieces = [bytearray(SIZE) for _ in range(PIECES)]
    kept = pieces[:: PIECES // 20]  # so that nothing can be cut off at the end
    full = held()
    del pieces
    give_back()
    assert held() < full - PIECES * SIZE // 2
    assert len(kept) == 20


def test_gdal_keeps_few_blocks_wherever_scenes_are_read() -> None:
    code = (
        "import dashboard.detector, rasterio\n"
        "from rasterio.env import get_gdal_config\n"
        "with rasterio.Env():\n"
        "    print(get_gdal_config('GDAL_CACHEMAX'))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "GDAL_CACHEMAX"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == CACHE_BYTES


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators need no asking")
def test_a_network_at_rest_keeps_little_of_what_it_computed_with() -> None:
    model = Model.load("guarded", "cpu")
    side = 2 * model.card.margin + 512
    dn = np.random.default_rng(0).normal(100, 10, (1, 1, side, side)).astype(np.float32)
    give_back()
    before = held()
    model.score(dn, 100.0, 10.0)
    full = held()
    model.shrink()
    give_back()
    assert held() - before < (full - before) / 2


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="the system cannot be told")
def test_what_was_read_of_a_mapped_array_goes_back_and_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "scores.npy"
    np.save(path, np.arange(10_000_000, dtype=np.float32))  # 40 MB
    array = np.asarray(np.load(path, mmap_mode="r"))
    total = array.sum()
    full = held()
    give_back(array[1:])
    assert held() < full - 30_000_000
    assert array.sum() == total


def test_arrays_in_memory_stay_as_they_are() -> None:
    array = np.arange(1000)
    give_back(array, array.reshape(10, 100)[2:])
    assert array.sum() == 499_500


THREADS = """
import sys, threading
import numpy as np
from dashboard.detector.system.memory import give_back, avoid_fragments
from tests.detector.system.test_memory import held
avoid_fragments()
before, gate = held(), threading.Barrier(4)
def work():
    for _ in range(2):  # glibc maps the first, and takes the like of it from its arena then
        array = np.ones(3_000_000)
        gate.wait()
        del array
    gate.wait()
    give_back()
    gate.wait()
workers = [threading.Thread(target=work) for _ in range(4)]
[worker.start() for worker in workers]
[worker.join() for worker in workers]
print((held() - before) >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have no arenas")
def test_what_threads_have_freed_goes_back_to_its_end() -> None:
    done = subprocess.run(
        [sys.executable, "-c", THREADS], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 24  # MB: less than one of the four arrays


LARGE = """
import numpy as np
from dashboard.detector.system.memory import avoid_fragments
from tests.detector.system.test_memory import held
avoid_fragments()
before, kept = held(), []
for _ in range(3):  # by itself glibc maps the first alone
    array = np.ones(3_000_000)
    kept.append(bytes(100_000))  # lies behind it
    del array
print((held() - before) >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators do otherwise")
def test_large_arrays_go_back_at_once_whatever_lies_behind_them() -> None:
    done = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 12  # MB: half an array
