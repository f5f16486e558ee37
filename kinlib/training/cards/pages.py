"""The tables in README.md and data/README.md, made from what training and rendering wrote.

`python -m kinlib.training.cards.pages` fills every part of a page that stands between `<!-- NAME:begin -->` and
`<!-- NAME:end -->`, where NAME is one of `TABLES`, so that no figure is ever typed by hand.
"""

import re

from kinlib.io.files import write_bytes
from kinlib.runtime import config
from kinlib.studio.datasets.card import studio_table
from kinlib.training.cards.model_cards import flat_figures, model_cards, read_reports
from kinlib.training.cards.words import ROWS, TITLES

__all__ = ["PAGES", "TABLES", "fill", "fill_all", "weights_table"]

PAGES = ("README.md", "data/README.md")
MARKED = re.compile(r"(<!-- (\w+):begin -->\n).*?(<!-- \2:end -->)", re.DOTALL)


def weights_table() -> str:
    """Markdown: what was measured on people that no network was trained on (preset studio)."""
    reports = read_reports()
    people = reports["encoder"]["figures"]["people"]
    lines = [f"| preset `studio`, {people:.0f} held-out rendered people | |", "|---|---|"]
    for name, report in reports.items():
        if name == "upscaler_esrgan":  # not used, only compared with
            continue
        figures = flat_figures(name, report)
        title = "" if name == "encoder" else f"{TITLES[name].lower()}: "
        for key, (words, form) in ROWS[name].items():
            if key in figures:
                label = words.format(**figures)
                lines.append(f"| {label if label.startswith('...') else title + label} | {form.format(figures[key])} |")
    return "\n".join(lines) + "\n"


TABLES = {
    "weights": weights_table,
    "cards": model_cards,
    "studio": lambda: studio_table(config.data_dir() / "studio"),
}


def fill(page: str) -> str:
    """A page's text with its marked parts made anew."""
    return MARKED.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], page)


def fill_all() -> None:
    """Fill all pages in place."""
    for name in PAGES:
        path = config.project_root() / name
        write_bytes(path, fill(path.read_text(encoding="utf-8")).encode())


if __name__ == "__main__":
    fill_all()
