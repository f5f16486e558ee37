"""Cell arrays of MATLAB's files; a damaged one must not end the interpreter."""

import struct

import numpy as np
import pytest
from scipy.io import savemat

from kinlib.families.matlab import read_cells

DOUBLE, UNKNOWN = struct.pack("<I", 9), struct.pack("<I", 8)  # type codes of an element


@pytest.fixture
def good(tmp_path):
    cells = np.empty((2, 4), dtype=object)
    cells[0] = [np.array([[1.0]]), np.array([[0.0]]), "fd_001_1.jpg", "fd_002_2.jpg"]
    cells[1] = [np.array([[2]]), np.empty((0, 0)), "ü.jpg", ""]
    savemat(tmp_path / "good.mat", {"pairs": cells})
    return tmp_path / "good.mat"


def test_values_are_plain(good):
    (rows,) = read_cells([good], "pairs")
    assert rows[0] == [1.0, 0.0, "fd_001_1.jpg", "fd_002_2.jpg"] and rows[1][:3] == [2, None, "ü.jpg"]


def test_damaged_files_say_so_and_the_others_are_read(good, tmp_path):
    """The first of them ends SciPy's reader with a segmentation fault."""
    content = good.read_bytes()
    (tmp_path / "deadly.mat").write_bytes(content.replace(DOUBLE, UNKNOWN, 1))
    (tmp_path / "short.mat").write_bytes(content[:200])
    (tmp_path / "text.mat").write_text("no MATLAB file")
    paths = [tmp_path / name for name in ("deadly.mat", "good.mat", "short.mat", "deadly.mat", "text.mat")]
    first, rows, *others = read_cells(paths, "pairs")
    assert first == "crash" and len(rows) == 2 and all(isinstance(one, str) for one in others)
    assert read_cells([good], "kin") == ["KeyError"] and read_cells([], "pairs") == []
