"""Each notebook takes at most three minutes in its test setting, on a machine that does nothing else."""

import json
import time
from pathlib import Path

import pytest
from check_notebooks import notebooks
from run_notebooks import copy_project, execute

LIMIT = 180  # seconds
SMOKE = json.loads((Path(__file__).resolve().parents[1] / "smoke_values.json").read_text())


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = copy_project(tmp_path_factory.mktemp("project"))
        patch.setenv("PYTHONPATH", str(folder))
        yield folder


@pytest.mark.parametrize("name", [path.stem for path in notebooks()])
def test_notebook(name, project, tmp_path):
    start = time.perf_counter()
    execute(project / "notebooks" / f"{name}.ipynb", tmp_path / "out.ipynb", SMOKE.get(name, {}), cell_limit=LIMIT)
    seconds = time.perf_counter() - start
    print(f"\n{name}: {seconds:.0f} s")
    assert seconds < LIMIT
