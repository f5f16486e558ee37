"""The files that set up the project agree with each other and name no machine."""

import os
import re
import shutil
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = ["help", "setup", "demo", "test", "bench", "notebooks", "report", "lab", "train", "format", "clean"]


def requirements(name: str) -> dict[str, Requirement]:
    """The requirements of a file, by normalised name."""
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    found = [Requirement(line) for line in lines if line]
    return {canonicalize_name(one.name): one for one in found}


def wanted() -> list[Requirement]:
    """Everything that pyproject.toml asks for, extras included."""
    return [Requirement(line) for line in chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())]


def pin(requirement: Requirement) -> str:
    """The one version that a line allows."""
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


def test_pyproject_has_lower_bounds_only():
    for requirement in wanted():
        assert [one.operator for one in requirement.specifier] == [">="], requirement


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-nodeps.txt"])
def test_requirements_are_names_and_versions(name):
    for line in (ROOT / name).read_text().splitlines():
        assert re.fullmatch(r"(#.*)?|[a-z0-9-]+==[a-z0-9.]+(; python_version < \"[0-9.]+\")?", line), line
    assert requirements(name)


def test_every_dependency_is_pinned_to_an_allowed_version():
    pinned = requirements("requirements.txt")
    names = {canonicalize_name(one.name) for one in wanted()}
    assert names == set(pinned)
    for requirement in wanted():
        assert requirement.specifier.contains(pin(pinned[canonicalize_name(requirement.name)])), requirement


def test_packages_that_would_downgrade_others_are_installed_alone():
    alone = requirements("requirements-nodeps.txt")
    assert {"facenet-pytorch", "realesrgan", "deepface"} <= set(alone)
    assert not set(alone) & set(requirements("requirements.txt"))
    assert "--no-deps -r requirements-nodeps.txt" in (ROOT / "Makefile").read_text()


def test_one_package_provides_cv2():
    everything = {**requirements("requirements.txt"), **requirements("requirements-nodeps.txt")}
    assert [name for name in everything if name.startswith("opencv")] == ["opencv-python-headless"]


def test_environment_repeats_nothing():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    plain = [one for one in environment["dependencies"] if isinstance(one, str)]
    (pip,) = [one["pip"] for one in environment["dependencies"] if isinstance(one, dict)]
    assert pip == ["-r requirements.txt"]
    assert "pip" in plain
    (python,) = [one for one in plain if one.startswith("python")]
    assert python.startswith("python" + PROJECT["requires-python"])
    assert {re.split("[<>=]", one)[0] for one in plain} == {"python", "pip"}


def test_make_alone_lists_every_command():
    shown = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    assert set(TARGETS) <= set(phony)
    for target in phony:
        assert re.search(rf"^  {target} +\S", shown, re.MULTILINE), f"make does not list '{target}'"


@pytest.mark.parametrize("python", ["no-such-python", "python3-too-old", "python3-without-venv"])
def test_setup_says_which_python_it_needs(python, tmp_path):
    """Stand-ins for what a bare machine may have: nothing, Python 3.9, Debian's python3 without python3-venv."""
    answers = {"python3-too-old": "exit 1", "python3-without-venv": 'case "$2" in *ensurepip*) exit 1;; esac'}
    if python in answers:
        (tmp_path / python).write_text(f"#!/bin/sh\n{answers[python]}\n")
        (tmp_path / python).chmod(0o755)
        python = str(tmp_path / python)
    command = ["make", "-s", "setup", f"VENV={tmp_path}/venv", f"PYTHON={python}"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.returncode == 2
    assert "install" in found.stderr.lower()
    assert ("apt install python3-venv" in found.stderr) == python.endswith("without-venv")


def test_ci_runs_the_tests():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()
    assert re.search(r"^make test$", script.read_text(), re.MULTILINE)


def stand_ins(folder: Path, *programs: str) -> Path:
    """A checkout with `.ci/run` and stand-ins for make, pip and further programs, which write down their calls."""
    checkout = folder / "checkout"
    script = '#!/bin/sh\necho "$(basename $0) $* ${KINLIB_ICT_DIR:-none}" >> calls\n'
    for place in (".venv/bin/python", *(f"bin/{name}" for name in ("make", *programs))):
        program = checkout / place
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(script)
        program.chmod(0o755)
    (checkout / ".ci").mkdir()
    (checkout / ".ci" / "run").write_bytes((ROOT / ".ci" / "run").read_bytes())
    return checkout


@pytest.mark.parametrize("installer", [True, False])
def test_ci_asks_for_a_browser_and_goes_on_without(tmp_path, installer):
    """With a path that holds no Chromium: apt-get is called where it is there, and nothing fails where it is not."""
    checkout = stand_ins(tmp_path, *(["apt-get"] if installer else []))
    for name in ("bash", "basename", "dirname", "timeout"):
        (checkout / "bin" / name).symlink_to(shutil.which(name))
    environment = os.environ | {"PATH": str(checkout / "bin")}
    subprocess.run(["bash", checkout / ".ci" / "run"], env=environment, check=True, timeout=60, capture_output=True)
    asked = [line for line in (checkout / "calls").read_text().splitlines() if line.startswith("apt-get")]
    assert [line.split()[1] for line in asked] == (["update", "install"] if installer else [])


@pytest.mark.parametrize("given", [None, "/elsewhere"])
@pytest.mark.parametrize("beside", [True, False])
def test_ci_finds_the_head_model_beside_the_checkout(tmp_path, beside, given):
    """With stand-ins for make and pip: the tests get the folder that lies there, unless another was named."""
    checkout = stand_ins(tmp_path, "chromium")
    head = tmp_path / "shared" / "ict-facekit"
    if beside:
        head.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if name != "KINLIB_ICT_DIR"}
    environment |= {"PATH": f"{checkout / 'bin'}:{os.environ['PATH']}"} | ({"KINLIB_ICT_DIR": given} if given else {})
    subprocess.run(["bash", checkout / ".ci" / "run"], env=environment, check=True, timeout=60)
    calls = (checkout / "calls").read_text().splitlines()
    assert [line.split()[:2] for line in calls] == [["make", "setup"], ["python", "-m"], ["make", "test"]]
    assert calls[-1].split()[-1] == (given or (str(head) if beside else "none"))


def text_files() -> list[Path]:
    """Files of the project (tracked, or new and not ignored) that are text."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    found = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and b"\0" not in path.read_bytes()[:4096]:
            found.append(path)
    return found


def test_no_registry_hosts_and_no_paths_of_one_machine():
    hosts = ["pypi" + ".org", "python" + "hosted", "conda." + "anaconda", "registry." + "npmjs"]
    folders = "|".join(["ho" + "me/", "ro" + "ot/", "wo" + "rk/", "Us" + "ers/", "opt/" + "py", "tmp/" + "bash"])
    pattern = re.compile("|".join(map(re.escape, hosts)) + rf"|(?<![\w.)}}~-])/(?:{folders})")
    for path in text_files():
        text = path.read_text(encoding="utf-8", errors="replace")
        found = pattern.search(text)
        assert not found, f"{path.relative_to(ROOT)} contains {found[0]!r}"
