"""Notes that say what a folder or a file holds."""

from pathlib import Path

import pytest

from kinlib.io.resume import read_record
from kinlib.runtime.errors import KinlibError


def test_records_are_whole_or_refused(tmp_path: Path):
    path = tmp_path / "study.json"
    path.write_text('{"lines": {}}')
    assert read_record(path) == read_record(path, "lines") == {"lines": {}}
    for wanted in ("curve",), ("lines", "curve"):
        with pytest.raises(KinlibError, match=r"study.json' is missing or damaged: restore it"):
            read_record(path, *wanted)
    with pytest.raises(KinlibError, match="missing or damaged"):
        read_record(tmp_path / "absent.json")
