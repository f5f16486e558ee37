"""Refuse files that are too large for the repository: 1 MB each, with more room where the project needs it.

python tests/checks/check_sizes.py FILE ...
"""

import sys
from pathlib import Path

LIMITS = {"data/weights/": 40e6, "data/": 5e6, "report/": 5e6, "": 1e6}  # bytes by folder, the first that fits


def too_large(name: str) -> str | None:
    """A sentence if the file is above the limit of its folder."""
    path = Path(name)
    limit = next(limit for folder, limit in LIMITS.items() if path.as_posix().startswith(folder))
    if not path.is_file() or path.stat().st_size <= limit:
        return None
    return f"{name} has {path.stat().st_size / 1e6:.1f} MB, more than {limit / 1e6:g} MB"


if __name__ == "__main__":
    problems = [problem for problem in map(too_large, sys.argv[1:]) if problem]
    print("\n".join(problems), end="\n" if problems else "")
    sys.exit(bool(problems))
