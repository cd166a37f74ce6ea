"""Arrays that are written through a map take their room before that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector.system.arrays_on_disk import write_array
from tests.disks import small_disk

ROOT = Path(__file__).resolve().parents[3]
WRITES = """
import sys
import numpy as np
from pathlib import Path
from dashboard.detector.system.arrays_on_disk import write_array
path = Path(sys.argv[1])
try:
    write_array(path, (2000, 2000), "f4", 0.0)
except OSError as error:
    sys.exit(f"no room: {error.strerror}")
np.load(path, mmap_mode="r+")[:] = 1  # where a block is missing, this ends the process
"""


@pytest.mark.parametrize(("dtype", "fill"), [("f4", np.nan), ("f2", 0.0)])
def test_an_array_holds_one_value_and_has_its_blocks(
    tmp_path: Path, dtype: str, fill: float
) -> None:
    path = tmp_path / "array.npy"
    write_array(path, (700, 1100, 2), dtype, fill)
    found = np.load(path, mmap_mode="r+")
    assert (found.shape, found.dtype) == ((700, 1100, 2), np.dtype(dtype))
    np.testing.assert_array_equal(found, np.full((700, 1100, 2), fill, dtype))
    if sys.platform == "linux":
        assert 512 * path.stat().st_blocks >= path.stat().st_size


def test_a_full_disk_is_an_error_and_no_death(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        command = [sys.executable, "-c", WRITES, str(disk / "array.npy")]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.strip()) == (1, "no room: No space left on device")
