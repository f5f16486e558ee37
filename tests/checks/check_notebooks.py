"""Check that notebooks follow the course's template and are stored as left by a clean run.

    python tests/checks/check_notebooks.py [NOTEBOOK ...]

Prints one line per problem; the exit code is 1 if there are any. Without arguments all of `notebooks/` is checked.
"""

import ast
import json
import re
import statistics
import sys
from pathlib import Path

__all__ = ["check", "check_all", "notebooks", "parameter_names", "solutions"]

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE = 1_000_000  # bytes
MAX_IMAGE = 150_000  # bytes, decoded
MAX_LINES, MAX_MEDIAN = 30, 8  # lines of a code cell, and of the middle one
MAX_SETUP, PARAMETERS = 8, range(3, 9)  # lines of the setup cell, number of constants
MAX_SOLUTION, MAX_WIDTH = 20, 120  # lines of a solution to an exercise, characters of a line
ABSOLUTE = re.compile(r"(?<![\w.:/~\-])/(?:home|root|work|Users|tmp|usr|mnt|content/drive)/|\b[A-Z]:\\\\?[A-Za-z]")
LARGE_INLINE = re.compile(rf"data:image/[^\"']{{{MAX_IMAGE * 4 // 3}}}")
MAGIC = re.compile(r"^\s*[!%]", re.MULTILINE)
SOLUTION = re.compile(
    r"<details>\n<summary>Solution to (?P<number>\d+)</summary>\n\n"
    r"```python\n(?P<code>.*?)```\n\n(?P<text>.*?)\n\n</details>",
    re.DOTALL,
)


def notebooks(folder: Path = ROOT / "notebooks") -> list[Path]:
    """The notebooks of the course, in order."""
    return sorted(path for path in folder.glob("*.ipynb") if not path.name.startswith("."))


def check(path: Path) -> list[str]:
    """The problems of one notebook, one sentence each."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = notebook["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError):
        return ["is not a notebook"]
    found = [*_check_file(path), *_check_metadata(notebook), *_check_order(path, cells), *_check_parameters(code)]
    found += [*_check_counts(code), *_check_exercises(cells)]
    lengths = [len(source(cell).splitlines()) for cell in code]
    if lengths and statistics.median(lengths) > MAX_MEDIAN:
        found.append(f"the median code cell has {statistics.median(lengths):g} lines, more than {MAX_MEDIAN}")
    for number, cell in enumerate(cells):
        found += [f"cell {number}: {problem}" for problem in _check_cell(cell)]
    return found


def check_all(paths: list[Path]) -> list[str]:
    """The problems of several notebooks with their names; all must share one setup cell."""
    found = [f"{path.name}: {problem}" for path in paths for problem in check(path)]
    setups = {path.name: setup_cell(path) for path in paths}
    for name, setup in setups.items():
        first = next(iter(setups))
        if setup != setups[first]:
            found.append(f"{name}: its setup cell differs from that of {first}")
    return found


def setup_cell(path: Path) -> str | None:
    """Source of the cell that begins with `# setup`."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError):
        return None
    return next((source(cell) for cell in cells if source(cell).startswith("# setup")), None)


def parameter_names(cells: list[dict]) -> list[str]:
    """Names assigned in the cell tagged `parameters`."""
    for cell in cells:
        if "parameters" in cell.get("metadata", {}).get("tags", []):
            assigned = [node for node in ast.parse(source(cell)).body if isinstance(node, ast.Assign)]
            return [target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)]
    return []


def solutions(cells: list[dict]) -> list[tuple[int, str]]:
    """Number of the exercise and code of each folded solution in the last cell."""
    return [(int(found["number"]), found["code"]) for found in SOLUTION.finditer(source(cells[-1]))] if cells else []


def source(cell: dict) -> str:
    """Source of a cell, which notebooks store as a string or as lines."""
    return "".join(cell["source"])


def _check_file(path: Path) -> list[str]:
    size = path.stat().st_size
    return [f"has {size / 1e6:.2f} MB, more than {MAX_FILE / 1e6:g} MB"] if size > MAX_FILE else []


def _check_metadata(notebook: dict) -> list[str]:
    extra = set(notebook.get("metadata", {})) - {"kernelspec"}
    found = [f"its metadata has {', '.join(sorted(extra))}; only kernelspec stays"] if extra else []
    if notebook.get("metadata", {}).get("kernelspec", {}).get("name") != "python3":
        found.append("its kernel is not python3")
    return found


def _check_order(path: Path, cells: list[dict]) -> list[str]:
    """The first cells of the template: title and setup."""
    found = []
    number = path.name[:2]
    if not cells or cells[0]["cell_type"] != "markdown" or not source(cells[0]).startswith(f"# {number} "):
        found.append(f"the first cell is not a title '# {number} ...'")
    setup = source(cells[1]) if len(cells) > 1 else ""
    if not setup.startswith("# setup"):
        found.append("the second cell does not begin with '# setup'")
    elif len(setup.splitlines()) > MAX_SETUP:
        found.append(f"the setup cell has more than {MAX_SETUP} lines")
    return found


def _check_parameters(code: list[dict]) -> list[str]:
    tagged = [cell for cell in code if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        return [f"{len(tagged)} cells are tagged 'parameters', not one"]
    names = parameter_names(tagged)
    found = []
    if len(names) not in PARAMETERS:
        found.append(f"{len(names)} parameters, not {PARAMETERS.start} to {PARAMETERS.stop - 1}")
    if any(name != name.upper() for name in names):
        found.append("parameters are not in UPPER_CASE")
    for line in source(tagged[0]).splitlines():
        if re.match(r"[A-Z_0-9]+ *=", line) and "#" not in line:
            found.append(f"the parameter in '{line}' has no comment")
    return found


def _check_counts(code: list[dict]) -> list[str]:
    counts = [cell.get("execution_count") for cell in code]
    return [] if counts == list(range(1, len(code) + 1)) else ["was not run from top to bottom in one go"]


def _check_exercises(cells: list[dict]) -> list[str]:
    """Exercises in the last cell, at least one with a folded solution; `test_notebooks.py` runs the solutions."""
    text = source(cells[-1]) if cells else ""
    numbers = {
        int(number) for number in re.findall(r"^(\d+)\. ", text.partition("## Try it yourself")[2], re.MULTILINE)
    }
    if not numbers:
        return ["its last cell has no exercises below '## Try it yourself'"]
    solved = solutions(cells)
    if len(solved) != text.count("<details>") or not solved:
        return ["its exercises have no folded solution, or one that is not written as in CONTRIBUTING.md"]
    found = [f"a solution to {number}, which is no exercise" for number, _ in solved if number not in numbers]
    for number, code in solved:
        lines = code.splitlines()
        if len(lines) > MAX_SOLUTION or any(len(line) > MAX_WIDTH for line in lines):
            found.append(
                f"the solution to {number} has more than {MAX_SOLUTION} lines or {MAX_WIDTH} characters in one"
            )
        try:
            ast.parse(code)
        except SyntaxError:
            found.append(f"the solution to {number} is not Python")
    return found


def _check_cell(cell: dict) -> list[str]:
    extra = set(cell.get("metadata", {})) - {"tags"}
    found = [f"metadata {', '.join(sorted(extra))}; only tags stay"] if extra else []
    text = source(cell)
    if ABSOLUTE.search(text):
        found.append("contains an absolute path")
    if cell["cell_type"] != "code":
        return found
    if len(text.splitlines()) > MAX_LINES:
        found.append(f"{len(text.splitlines())} lines, more than {MAX_LINES}")
    if MAGIC.search(text) and not text.startswith("# setup"):
        found.append("uses ! or %, which may wait for input or hide what happens")
    if "outputs" not in cell:
        return [*found, "has no list of outputs"]
    return found + [problem for output in cell["outputs"] for problem in _check_output(output)]


def _check_output(output: dict) -> list[str]:
    if output["output_type"] == "error":
        return [f"ended with {output.get('ename', 'an error')}"]
    data = output.get("data", {"text/plain": output.get("text", "")})
    private = output.get("metadata", {}).get("private") and any(kind.startswith("image/") for kind in data)
    found = ["holds a private picture: `run_notebooks.py --write` leaves it out"] if private else []
    for kind, content in data.items():
        text = content if isinstance(content, str) else "".join(content) if isinstance(content, list) else str(content)
        if kind.startswith("image/"):
            size = len(text) if "svg" in kind else len(text) * 3 // 4
            if size > MAX_IMAGE:
                found.append(f"a picture has {size // 1000} kB, more than {MAX_IMAGE // 1000} kB")
        elif ABSOLUTE.search(text):
            found.append("its output contains an absolute path")
        if kind == "text/html" and LARGE_INLINE.search(text):
            found.append("a picture inside HTML is too large")
    return found


def main(arguments: list[str]) -> int:
    """Check and print."""
    found = check_all([Path(name) for name in arguments] or notebooks())
    print("\n".join(found) or "the notebooks are in order")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
