"""Arguments that the studies of trainings share."""

import argparse
from pathlib import Path

__all__ = ["study_parser"]


def study_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with `--data`, `--run` and `--record`, to which a study adds its own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder of renders")
    parser.add_argument("--run", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--record", action="store_true", help="keep the numbers beside the bundled data")
    return parser
