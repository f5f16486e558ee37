"""Every notebook runs from top to bottom, offline, with the values of smoke_values.json; its exercises can be solved.

Notebooks run in a copy of the project, so that figures and numbers from small settings never replace the stored ones.
Notebooks that read a data set run a second time on a set outside the project, with the values of `ELSEWHERE`. Such a
set may hold photographs of real people, so nothing may be stored.
"""

import hashlib
import json
import re
import shutil
import time
from pathlib import Path

import nbformat
import pytest
from check_notebooks import notebooks
from run_notebooks import clean, copy_project, execute

ROOT = Path(__file__).resolve().parents[1]
CELL_LIMIT = 900  # seconds; stops a cell that hangs
FAMILIES = ("NORVUMI", "ALDETTI", "HALVUYE")  # the last with a child of two houses
ELSEWHERE = {
    "01_families": {"NUM_FACES": 6},
    "02_trios": {"NUMBER": 5, "NUM_SHOWN": 3},
    "03_keypoints_and_pose": {"NUM_PHOTOS": 40, "NUM_SHRUNK": 4, "NUM_DEGRADED": 12},
    "04_upscaling": {"NUM_PHOTOS": 3},
    "05_alignment": {"NUM_PHOTOS": 20, "NUM_ORIGINALS": 3, "NUM_FAMILIES": 1},
}
SMOKE = json.loads((ROOT / "tests" / "smoke_values.json").read_text())  # notebook -> its parameters


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project, with the data linked; notebooks in it import the copied kinlib and write beside it."""
    copy = copy_project(tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(copy))
        patch.setenv("KINLIB_STORE", "1")
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")  # an unused port: a download in a kernel fails at once
        yield copy


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Some of the studio's families, outside the project."""
    return copy_families(ROOT / "data" / "studio" / "families", tmp_path_factory.mktemp("elsewhere"))


def copy_families(source, folder):
    """Copy `FAMILIES` with their part of the list."""
    parts = re.split(r"^(?=0\tFAMI)", (source / "FAMILY101.txt").read_text(), flags=re.MULTILINE)
    kept = [part for part in parts if part.split("\n")[0].partition("FAMI\t")[2] in FAMILIES]
    (folder / "FAMILY101.txt").write_text("".join(kept))
    for family in FAMILIES:
        shutil.copytree(source / family, folder / family)
    return folder


def contents(*folders):
    """Every file below some folders, with a hash."""
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def stored_since(project, moment):
    """Names of the numbers written after a moment."""
    return {file.name for file in (project / "report" / "numbers").iterdir() if file.stat().st_mtime >= moment}


def pictures(notebook):
    """Outputs that hold a picture."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    return [output for output in outputs if any(k.startswith("image/") for k in output.data) or "base64" in str(output)]


def test_smoke_values_belong_to_notebooks():
    assert set(SMOKE) | set(ELSEWHERE) <= {path.stem for path in notebooks()}


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.name for path in notebooks()])
def test_notebook_runs(name, project, tmp_path):
    path, before = project / "notebooks" / name, time.time()
    execute(path, tmp_path / name, SMOKE.get(path.stem, {}), cell_limit=CELL_LIMIT, solved=True)
    assert stored_since(project, before) >= {f"{path.stem}.json"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ELSEWHERE)
def test_nothing_of_real_families_is_stored(name, project, elsewhere, tmp_path, monkeypatch):
    stored = project / "figures", project / "report" / "numbers"
    for variable in ("KINLIB_CACHE", "TMPDIR"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("KINLIB_FAMILY101", str(elsewhere))
    before = contents(*stored)
    execute(project / "notebooks" / f"{name}.ipynb", tmp_path / "out.ipynb", ELSEWHERE[name], cell_limit=CELL_LIMIT)
    assert contents(*stored) == before
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".jpg", ".jpeg", ".png", ".webp")]
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert pictures(notebook)  # they are shown
    assert not pictures(clean(notebook))
