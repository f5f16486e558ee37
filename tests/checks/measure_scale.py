"""Measure what a photograph and a couple's children take on one core, and write the tables of docs/scale.md.

    python tests/checks/measure_scale.py             # all
    python tests/checks/measure_scale.py children    # generation only; the other numbers stay

Seconds are the processor's, not the clock's, so that other work on the machine counts less.
"""

import json
import platform
import re
import resource
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from unittest.mock import patch

from kinlib.couples import ChildSettings, Couple, generate
from kinlib.evaluation.heredity import load_reference
from kinlib.prepare import list_photos, prepare
from kinlib.prepare.scale import Measured, estimate, measure, rented_cost
from kinlib.runtime import config

__all__ = ["NUMBERS", "PAGE", "tables", "write_page"]

ROOT = config.project_root()
NUMBERS, PAGE = ROOT / "report" / "numbers" / "scale.json", ROOT / "docs" / "scale.md"
PHOTOS, MILLION = 64, 1_000_000
WARM = 32  # photographs of the first part, in whose seconds networks are warmed up
COUPLES, METHOD = 13, "per_dimension"  # the first couple warms the networks up
FEW, MANY = 1, 9  # children of each couple; the difference is what children take
SIBLINGS = 8  # of the example
ROLES = ("father", "mother")
CORES = (2, 16, 64, 256)
CORE_PRICE = 0.04  # dollars an hour for one rented core: an assumption
CARD_RATES, CARD_PRICES = (25, 50, 100), (0.4, 1.0, 2.5)  # photographs a second, dollars an hour: assumptions
GB = 1e9


def main(only: str = "") -> None:
    numbers = json.loads(NUMBERS.read_text()) if only else measure_photographs()
    numbers["children"] = measure_children()
    numbers["machine"] = {"processor": platform.processor() or platform.machine(), "python": platform.python_version()}
    NUMBERS.write_text(json.dumps(numbers, indent=1) + "\n")
    write_page()


def measure_photographs() -> dict:
    """What `kinlib prepare` takes."""
    listing = list_photos(config.data_dir() / "studio" / "families")
    photos = listing.photos[:: len(listing) // (PHOTOS + WARM)][: PHOTOS + WARM]
    clocked = patch("kinlib.prepare.stages.time.perf_counter", time.process_time)
    with tempfile.TemporaryDirectory() as folder, clocked:
        list(prepare(replace(listing, photos=photos[:WARM]), Path(folder, "warm"), workers=1, device="cpu"))
        list(prepare(replace(listing, photos=photos[WARM:]), Path(folder, "out"), workers=1, device="cpu"))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return asdict(measure(Path(folder, "out"), memory))


def measure_children() -> dict:
    """What `kinlib couples` takes: seconds of a couple's photographs, seconds and bytes of a child."""
    reference = load_reference()
    root = config.data_dir()
    names = reference.couples[:COUPLES]
    pictures = {name: [str(Path(reference.picture(name, role)).resolve()) for role in ROLES] for name in names}
    couples = [Couple(name, *pictures[name], root) for name in names]
    seconds, sizes = {}, []
    for n in (FEW, MANY):
        generate._networks.cache_clear()  # with the photographs that it has encoded
        jobs = [generate.CoupleJob(0, couple, ChildSettings(n=n, method=METHOD), False, "cpu") for couple in couples]
        generate.generate_couple(jobs[0])
        begun = time.process_time()
        made = [generate.generate_couple(job) for job in jobs[1:]]
        seconds[n] = (time.process_time() - begun) / len(made)
        sizes += [len(content) for one in made for content in one.pictures.values()]
    child = (seconds[MANY] - seconds[FEW]) / (MANY - FEW)
    return {"couple": seconds[FEW] - FEW * child, "child": child, "picture": sum(sizes) / len(sizes)}


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
    children = numbers.pop("children")
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
    made = [
        ("photographs of a couple: read, aligned, encoded", f"{1000 * children['couple']:.0f} ms"),
        ("each child: generated, compressed", f"{1000 * children['child']:.1f} ms"),
        ("a picture of a child, PNG of 256 px", f"{children['picture'] / 1000:.0f} kB"),
        (f"100,000 couples, {SIBLINGS} children of each, on 16 cores", _hours(_many(children) / 16 / 3600)),
    ]
    return {
        "children": _markdown(("", "one core"), made),
        "stages": _markdown(("stage", "ms of one core"), stages),
        "disk": _markdown(("", "a photograph", "a million"), disk),
        "cores": _markdown(("cores", "photographs a second", "time", "memory, GB", "written, MB/s", "cost, $"), cores),
        "cards": _markdown(("photographs a second", *(f"at ${price:g} an hour" for price in CARD_PRICES)), cards),
    }


def _many(children: dict) -> float:
    """Seconds of one core for 100,000 couples."""
    return 100_000 * (children["couple"] + SIBLINGS * children["child"])


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def _markdown(head: tuple, rows: list[tuple]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
