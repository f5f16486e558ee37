"""Imports go one way, and `import kinlib` is cheap."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "kinlib"

# From the bottom to the top. A module imports from its own unit and from lower layers only. A unit is a sub-package of
# kinlib or a module directly in it; within the studio, a sub-package of the studio or a module directly in it.
LAYERS = [
    ["runtime"],
    ["io"],
    ["checkpoints"],
    ["figures"],
    ["families", "studio", "faces", "gan"],
    ["inheritance", "editing", "search", "attractiveness"],
    ["evaluation"],
    ["training"],
    ["kinship"],
    ["session", "prepare", "benchmark"],
    ["couples"],
    ["widgets", "demo", "report"],
    ["cli"],
]
INSIDE = {
    "studio": [
        ["colour", "head", "labels", "person", "vectors"],
        ["clothing", "genetics", "rendering", "shape"],
        ["appearance", "atlas", "pedigree"],
        ["hair"],
        ["skin"],
        ["render"],
        ["datasets"],
        ["lesson"],
    ],
    "training": [["data"], ["engine"], ["catalogue"], ["recipes"], ["cards", "experiments"]],
}
MOST_ROOMS = 26  # directly in kinlib
MOST_MODULES = 20  # in one folder, `__init__.py` not counted
LEVEL = {unit: level for level, units in enumerate(LAYERS) for unit in units}

# Imported inside the function that needs them: optional, heavy, or with side effects of their own.
LATE = {"facenet_pytorch", "realesrgan", "basicsr", "deepface", "gradio", "ray"}
ONLY_IN = {"matplotlib": {"figures"}, "seaborn": {"figures"}, "gradio": {"demo"}}


def unit_of(module: str) -> str | None:
    """`kinlib.gan.encoder` -> `gan`; None for kinlib itself and for everything else."""
    parts = module.split(".")
    return parts[1] if parts[0] == "kinlib" and len(parts) > 1 else None


def imported(tree: ast.Module, package: str) -> list[str]:
    """Full names of all modules that are imported anywhere in a file."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*parents, *([node.module] if node.module else [])])
            names += [f"{module}.{alias.name}" if module == "kinlib" else module for alias in node.names]
    return [name for name in names if name not in ("kinlib.__version__", "kinlib.Kinship")]


def early_imports(tree: ast.Module) -> set[str]:
    """Top names of what a file imports when it is imported itself (that is, outside functions)."""
    found, waiting = set(), list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
    return found


def files() -> list[Path]:
    """All modules but `kinlib/__init__.py`, which only names what is loaded on demand."""
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    relative = path.relative_to(ROOT).with_suffix("")
    module = ".".join(relative.parts)
    unit = unit_of(module)
    assert unit in LEVEL, f"give '{unit}' a place in LAYERS"
    tree = ast.parse(path.read_text())
    package = ".".join(relative.parts[:-1])
    for name in imported(tree, package):
        other = unit_of(name)
        if other is None or other == unit:
            continue
        assert other in LEVEL, f"give '{other}' a place in LAYERS"
        assert LEVEL[other] < LEVEL[unit], f"{module} imports {name}, which is not below it"


@pytest.mark.parametrize("package", INSIDE)
def test_imports_inside_a_package_go_one_way(package):
    level = {unit: number for number, units in enumerate(INSIDE[package]) for unit in units}
    for path in sorted((PACKAGE / package).rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[1] == "__init__":
            continue
        assert parts[1] in level, f"give '{parts[1]}' a place in INSIDE"
        for name in imported(ast.parse(path.read_text()), "kinlib"):
            other = name.split(".")
            if other[:2] != ["kinlib", package] or len(other) < 3 or other[2] == parts[1] or other[2] not in level:
                continue
            assert level[other[2]] < level[parts[1]], f"{path} imports {name}, which is not below it"


def test_rooms_can_be_seen_at_a_glance():
    rooms = [path for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    assert len(rooms) <= MOST_ROOMS
    for folder in {path.parent for path in PACKAGE.rglob("*.py")}:
        modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= MOST_MODULES, folder


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_special_libraries_are_imported_where_they_belong(path):
    tree = ast.parse(path.read_text())
    unit = unit_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for name in {name.split(".")[0] for name in imported(tree, "kinlib")}:
        assert unit in ONLY_IN.get(name, {unit}), f"{name} belongs into {ONLY_IN[name]}"
    own = {name for name, units in ONLY_IN.items() if unit in units}  # a unit that is imported late may import its own
    assert not (LATE - own) & early_imports(tree), "import these inside the function that needs them"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_web_page_is_imported_inside_functions(path):
    """It imports gradio, which takes seconds."""
    unit = unit_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    early = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = imported(ast.Module(early, []), "kinlib")
    assert unit == "demo" or not [name for name in names if name.startswith("kinlib.demo")]


def test_importing_kinlib_is_cheap():
    """No libraries, no files, no sockets: an audit hook listens while kinlib is imported."""
    code = """
import sys
seen = []
def listen(event, args):
    if event in ("open", "socket.connect"):
        seen.append((event, str(args[0])))
sys.addaudithook(listen)
import kinlib
heavy = {"torch", "numpy", "PIL", "cv2", "requests", "pooch"} & set(sys.modules)
other = [event for event in seen if event[0] != "open" or not event[1].endswith((".py", ".pyc", "kinlib"))]
assert not heavy, heavy
assert not [event for event in other if ".pyc." not in event[1]], other
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_public_names_of_the_package():
    """What `kinlib.__all__` promises can be loaded on demand; anything else is an AttributeError."""
    import kinlib

    assert "Kinship" in kinlib.__all__
    with pytest.raises(AttributeError):
        _ = kinlib.no_such_name
