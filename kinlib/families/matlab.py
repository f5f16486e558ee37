"""Cell arrays of MATLAB's files (version 5), read in a process of its own.

SciPy's reader is not hardened against damaged files, and its documentation says so: an unknown type code makes version
1.17 read beyond a table, which ends the interpreter. Here it ends a child process, and the file counts as unreadable.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["read_cells"]

PATIENCE = 60.0  # seconds for a file; a good one takes a second

# One line of JSON for each file: its rows, or the name of the error.
CHILD = """
import json, sys
import numpy as np
from scipy.io import loadmat

def plain(cell):  # MATLAB wraps values in arrays of one element
    while isinstance(cell, np.ndarray):
        cell = cell.flat[0] if cell.size else None
    return cell.item() if isinstance(cell, np.generic) else cell

for path in sys.argv[2:]:
    try:
        line = json.dumps([[plain(cell) for cell in row] for row in loadmat(path)[sys.argv[1]]], default=str)
    except Exception as error:
        line = json.dumps(type(error).__name__)
    print(line, flush=True)
"""


def read_cells(paths: Sequence[Path], name: str) -> list[list[list] | str]:
    """The rows of the cell array `name` of each file, or what went wrong, in one word.

    Cells are strings, numbers or None.
    """
    found: list[list[list] | str] = []
    while len(found) < len(paths):
        left = [str(path) for path in paths[len(found) :]]
        found += _read_some(left, name)
    return found


def _read_some(paths: list[str], name: str) -> list[list[list] | str]:
    """What a child has read; where it died, that file is unreadable, and later ones are left out."""
    command = [sys.executable, "-c", CHILD, name, *paths]
    try:
        child = subprocess.run(command, capture_output=True, timeout=PATIENCE * len(paths), check=False)
        output = child.stdout
    except subprocess.TimeoutExpired as late:
        output = late.stdout or b""
    lines = [json.loads(line) for line in output.splitlines(keepends=True) if line.endswith(b"\n")]
    return lines if len(lines) == len(paths) else [*lines, "crash"]
