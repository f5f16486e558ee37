"""The notebooks' setup cell on Colab: it keeps the runtime's torch, NumPy and Pillow, and brings what the course lacks.

Colab itself cannot be run here. What can: the cell's own commands, in an environment in which the versions of a Colab
runtime (19 August 2026) are installed by name only, and pip asked what it would do.
"""

import json
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import check_notebooks
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from kinlib.runtime import config

ROOT = config.project_root()
COLAB = {
    **{"torch": "2.11.0+cu128", "torchvision": "0.26.0+cu128", "numpy": "2.1.3", "pillow": "11.3.0"},
    **{"scipy": "1.16.3", "pandas": "2.2.3", "opencv-python": "5.0.0.93", "opencv-python-headless": "5.0.0.93"},
    **{"scikit-learn": "1.6.1", "scikit-image": "0.25.2", "matplotlib": "3.10.0", "ipywidgets": "7.7.1"},
    **{"accelerate": "1.14.0", "pooch": "1.9.0", "ipython": "7.34.0"},
}
ABSENT = ("torchmetrics", "tyro", "facenet-pytorch")  # what that runtime is known to lack, and every notebook needs
KEPT = ("torch", "torchvision", "numpy", "pillow", "scipy", "pandas", "opencv-python")


def commands() -> list[str]:
    """The shell commands of the setup cell, which is the same in all notebooks."""
    cell = check_notebooks.setup_cell(check_notebooks.notebooks()[0])
    return [line.strip().removeprefix("!") for line in cell.splitlines() if line.strip().startswith("!")]


def installs() -> str:
    """The names that the setup cell installs, with their versions where it gives one."""
    return " ".join(part.split("&&")[0] for line in commands() for part in line.split("pip install ")[1:])


def freeze(line: str, listed: str) -> list[str]:
    """What the setup cell keeps of a list of `pip freeze`, by its own pattern."""
    pattern = re.search(r'grep -iE "([^"]+)"', line)[1]
    return [one for one in listed.splitlines() if re.search(pattern, one, re.IGNORECASE)]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory) -> Path:
    """Python of an environment that claims to have Colab's packages; they are names and versions only."""
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name, version in COLAB.items():
        place = packages / f"{name.replace('-', '_')}-{version}.dist-info"
        place.mkdir()
        (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (place / "INSTALLER").write_text("pip\n")
        (place / "RECORD").write_text("")
    return folder / "bin" / "python"


def pip(runtime: Path, *words: str) -> subprocess.CompletedProcess:
    """pip of this environment, looking at the other one."""
    command = [sys.executable, "-m", "pip", "--python", str(runtime), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=900)


def test_colab_s_versions_are_allowed():
    """pyproject.toml has lower bounds; none of them is above what the runtime has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {canonicalize_name(one.name): one for one in map(Requirement, project["dependencies"])}
    for name in sorted(set(COLAB) & set(wanted)):
        assert wanted[name].specifier.contains(Version(COLAB[name]).public), name


def test_the_setup_cell_installs_what_colab_lacks():
    assert all(re.search(rf"\b{name}\b", installs()) for name in ABSENT)
    pinned = dict(
        line.split("==") for line in (ROOT / "requirements-nodeps.txt").read_text().splitlines() if "==" in line
    )
    assert f"facenet-pytorch=={pinned['facenet-pytorch'].split(';')[0].strip()}" in installs()
    assert re.search(r"--no-deps facenet-pytorch", installs())


def test_the_runtime_s_versions_are_written_down_before_anything_is_installed(runtime):
    (keeping,) = [line for line in commands() if "keep.txt" in line and "freeze" in line]
    assert commands().index(keeping) < min(n for n, line in enumerate(commands()) if "pip install" in line)
    kept = freeze(keeping, pip(runtime, "freeze").stdout + "torchaudio==2.11.0\ntorch @ file:///content/torch.whl\n")
    names = {re.split(" @|==", line)[0].lower() for line in kept}
    assert names == {*KEPT, "opencv-python-headless"}
    assert "torch @ file:///content/torch.whl" in kept  # a runtime may have it from a file


@pytest.mark.slow
def test_pip_would_touch_nothing_that_colab_brings(runtime, tmp_path):
    (keeping,) = [line for line in commands() if "freeze" in line]
    keep, report = tmp_path / "keep.txt", tmp_path / "report.json"
    keep.write_text("\n".join(freeze(keeping, pip(runtime, "freeze").stdout)))
    names = re.search(r"keep\.txt ([\w -]+?) &&", " ".join(commands()))[1].split()
    done = pip(runtime, "install", "--dry-run", "--report", str(report), "-c", str(keep), *names)
    if done.returncode and "ResolutionImpossible" not in done.stderr and "conflict" not in done.stderr:
        pytest.skip("no package index can be reached")
    assert not done.returncode, done.stderr[-2000:]
    changed = {canonicalize_name(one["metadata"]["name"]) for one in json.loads(report.read_text())["install"]}
    assert set(map(canonicalize_name, names)) <= changed
    assert not changed & set(COLAB)
