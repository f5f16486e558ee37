"""Every notebook runs from top to bottom, offline, in under three minutes, with the values of smoke_values.json.

They run in a copy of the project, so that figures and numbers made with small settings never replace the real ones.
"""

import json
import shutil
import time
from pathlib import Path

import pytest
from check_notebooks import notebooks
from run_notebooks import execute

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 180  # seconds
COPIED = ("kinlib", "notebooks", "figures", "report")
SMOKE = json.loads((ROOT / "tests" / "smoke_values.json").read_text())  # notebook -> its parameters


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project, with the data linked; notebooks in it import the copied kinlib and write beside it."""
    copy = tmp_path_factory.mktemp("project")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
            )
    (copy / "data").symlink_to(ROOT / "data", target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(copy))
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")  # nobody listens there: a download in a kernel fails at once
        yield copy


def test_smoke_values_belong_to_notebooks():
    assert set(SMOKE) <= {path.stem for path in notebooks()}


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.name for path in notebooks()] or [None])
def test_notebook_runs(name, project, tmp_path):
    if name is None:
        pytest.skip("no notebooks yet")
    start = time.monotonic()
    path = project / "notebooks" / name
    execute(path, tmp_path / name, SMOKE.get(path.stem, {}), cell_limit=LIMIT)
    assert time.monotonic() - start < LIMIT
