"""The tables in README.md and data/README.md, made from what training and rendering wrote.

`python -m kinlib.training.cards.pages` fills every part of a page that stands between `<!-- NAME:begin -->` and
`<!-- NAME:end -->`, where NAME is one of `TABLES`, so that no number is ever typed by hand.
"""

import re

from kinlib.io.files import write_bytes
from kinlib.runtime import config
from kinlib.studio.datasets.card import studio_table
from kinlib.training.cards.model_cards import flat_metrics, model_cards, read_reports
from kinlib.training.catalogue import cards

__all__ = ["PAGES", "TABLES", "fill", "fill_all", "weights_table"]

PAGES = ("README.md", "data/README.md")
# Group 1: the opening mark, 2: the table's name, 3: the closing mark.
MARKED = re.compile(r"(<!-- (\w+):begin -->\n).*?(<!-- \2:end -->)", re.DOTALL)


def weights_table() -> str:
    """Markdown: metrics of the bundled networks on held-out people (preset studio)."""
    reports = read_reports()
    people = reports["encoder"]["metrics"]["people"]
    lines = [f"| preset `studio`, {people:.0f} held-out rendered people | |", "|---|---|"]
    for name, report in reports.items():
        card = cards()[name]
        if card.compare_only:
            continue
        metrics = flat_metrics(name, report)
        title = "" if name == "encoder" else f"{card.title.lower()}: "
        for metric in card.metrics:
            if metric.key in metrics:
                label = metric.words.format(**metrics)
                # A row that continues the one above needs no title.
                label = label if label.startswith("...") else title + label
                lines.append(f"| {label} | {metric.form.format(metrics[metric.key])} |")
    return "\n".join(lines) + "\n"


TABLES = {
    "weights": weights_table,
    "cards": model_cards,
    "studio": lambda: studio_table(config.data_dir() / "studio"),
}


def fill(page: str) -> str:
    """A page's text with its marked parts regenerated."""
    return MARKED.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], page)


def fill_all() -> None:
    """Fill all pages in place."""
    for name in PAGES:
        path = config.project_root() / name
        write_bytes(path, fill(path.read_text(encoding="utf-8")).encode())


if __name__ == "__main__":
    fill_all()
