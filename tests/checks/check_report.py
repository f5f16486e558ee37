"""Does everything in the report come from somewhere, and is the PDF made from what lies here now?

    python tests/checks/check_report.py

Prints one line for each problem; the exit code is 1 if there is any.
"""

import sys

from kinlib.report.build import is_current
from kinlib.report.checks import problems
from kinlib.report.sources import read_sources
from kinlib.runtime import config

__all__ = ["check"]


def check() -> list[str]:
    """Everything that is wrong with the report, a sentence each."""
    found = problems(read_sources(config.project_root()))
    if not is_current():
        found.append("report/report.pdf was made from other figures, numbers or texts: run `kinlib report`")
    return found


if __name__ == "__main__":
    problems_found = check()
    print("\n".join(problems_found) or "the report is in order")
    sys.exit(int(bool(problems_found)))
