"""Measure what a photograph takes on one core, and write the tables of docs/scale.md.

    python tests/checks/measure_scale.py

Seconds are the processor's, not the clock's, so that other work on the machine counts less.
"""

import json
import platform
import re
import resource
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from unittest.mock import patch

from kinlib.prepare import list_photos, prepare
from kinlib.prepare.scale import Measured, estimate, measure, rented_cost
from kinlib.runtime import config

__all__ = ["NUMBERS", "PAGE", "tables", "write_page"]

ROOT = config.project_root()
NUMBERS, PAGE = ROOT / "report" / "numbers" / "scale.json", ROOT / "docs" / "scale.md"
PHOTOS, MILLION = 64, 1_000_000
WARM = 32  # photographs of the first part, in whose seconds networks are warmed up
CORES = (2, 16, 64, 256)
CORE_PRICE = 0.04  # dollars an hour for one rented core: an assumption
CARD_RATES, CARD_PRICES = (25, 50, 100), (0.4, 1.0, 2.5)  # photographs a second, dollars an hour: assumptions
GB = 1e9


def main() -> None:
    listing = list_photos(config.data_dir() / "studio" / "families")
    photos = listing.photos[:: len(listing) // (PHOTOS + WARM)][: PHOTOS + WARM]
    clocked = patch("kinlib.prepare.stages.time.perf_counter", time.process_time)
    with tempfile.TemporaryDirectory() as folder, clocked:
        list(prepare(replace(listing, photos=photos[:WARM]), Path(folder, "warm"), workers=1, device="cpu"))
        list(prepare(replace(listing, photos=photos[WARM:]), Path(folder, "out"), workers=1, device="cpu"))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        measured = measure(Path(folder, "out"), memory)
    about = {"processor": platform.processor() or platform.machine(), "python": platform.python_version()}
    NUMBERS.write_text(json.dumps({**asdict(measured), "machine": about}, indent=1) + "\n")
    write_page()


def write_page() -> None:
    """Put the tables of the numbers into the page."""
    text = PAGE.read_text()
    for name, table in tables().items():
        before, after = f"<!-- {name} -->\n", "<!-- end -->"
        text = re.sub(f"{before}(?:(?!{after}).)*{after}", f"{before}{table}\n{after}", text, flags=re.DOTALL)
    PAGE.write_text(text)


def tables() -> dict[str, str]:
    """The page's tables by name, as Markdown."""
    numbers = json.loads(NUMBERS.read_text())
    numbers.pop("machine")
    measured = Measured(**numbers)
    spent = {stage: seconds for stage, seconds in measured.seconds.items() if seconds > 0}
    stages = [(stage, f"{1000 * seconds:.1f}") for stage, seconds in spent.items()]
    stages += [("**all**", f"**{1000 * sum(spent.values()):.0f}**")]
    plans = [(workers, estimate(measured, MILLION, workers, CORE_PRICE)) for workers in CORES]
    cores = []
    for workers, plan in plans:
        row = (workers, f"{plan.rate:.0f}", _hours(plan.hours), f"{plan.memory / GB:.0f}")
        cores.append((*row, f"{plan.written / 1e6:.1f}", f"{plan.cost:.2f}"))
    cards = [(rate, *(f"{rented_cost(MILLION, rate, price):.0f}" for price in CARD_PRICES)) for rate in CARD_RATES]
    plan = plans[0][1]
    disk = [
        ("rows, with code and embedding", f"{measured.row / 1000:.1f} kB", f"{measured.row * MILLION / GB:.1f} GB"),
        ("aligned faces, JPEG of 256 px", f"{measured.face / 1000:.1f} kB", f"{measured.face * MILLION / GB:.1f} GB"),
        ("**all**", f"**{(measured.row + measured.face) / 1000:.1f} kB**", f"**{plan.storage / GB:.1f} GB**"),
    ]
    return {
        "stages": _markdown(("stage", "ms of one core"), stages),
        "disk": _markdown(("", "a photograph", "a million"), disk),
        "cores": _markdown(("cores", "photographs a second", "time", "memory, GB", "written, MB/s", "cost, $"), cores),
        "cards": _markdown(("photographs a second", *(f"at ${price:g} an hour" for price in CARD_PRICES)), cards),
    }


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def _markdown(head: tuple, rows: list[tuple]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


if __name__ == "__main__":
    main()
