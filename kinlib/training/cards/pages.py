"""The tables in README.md, data/README.md and docs/, made from what training and rendering wrote.

`python -m kinlib.training.cards.pages` fills every part of a page that stands between `<!-- NAME:begin -->` and
`<!-- NAME:end -->`, where NAME is one of `TABLES`, so that no number is ever typed by hand.
"""

import re

from kinlib.evaluation.heredity import board
from kinlib.io.files import write_bytes
from kinlib.runtime import config
from kinlib.studio.datasets.card import studio_table
from kinlib.training.cards.model_cards import model_cards, read_reports

__all__ = ["PAGES", "TABLES", "fill", "fill_all", "readme_rows"]

PAGES = ("README.md", "data/README.md", "docs/benchmark.md")
# Group 1: the opening mark, 2: the table's name, 3: the closing mark.
MARKED = re.compile(r"(<!-- (\w+):begin -->\n).*?(<!-- \2:end -->)", re.DOTALL)


README_ROWS = (
    ("encoder", "psnr_db", "reconstruction: PSNR ({people:.0f} people)", "{:.1f} dB"),
    ("encoder", "identity_cosine", "reconstruction: cosine similarity of identity embeddings", "{:.3f}"),
    (
        "encoder",
        "identification_rate_other_view",
        "reconstruction: nearest neighbour among other pictures is the same person "
        "(originals: {identification_rate_other_view_of_originals:.0%})",
        "{:.0%}",
    ),
    ("encoder", "glasses_contrast", "reconstruction: contrast of glasses, relative to the original", "{:.0%}"),
    (
        "encoder",
        "frechet_reconstructions",
        "reconstructions: Fréchet distance of identity embeddings to the originals "
        "(other pictures of the same people: {frechet_other_view:.3f})",
        "{:.3f}",
    ),
    ("identity", "verification_auc", "identity network: verification AUC ({people:.0f} people)", "{:.3f}"),
    ("parsing", "class_iou_mean", "parser: mean IoU of 19 classes", "{:.2f}"),
    ("landmarks", "mean", "landmark predictor: mean error of 68 points / distance of outer eye corners", "{:.1f}%"),
)
"""The README's rows: record, metric, label, format. `data/README.md` has all metrics."""


def readme_rows() -> str:
    """Markdown: the few metrics of the bundled networks that the README shows."""
    reports = read_reports()
    lines = ["| preset `studio`, held-out rendered people | |", "|---|---|"]
    for name, key, label, form in README_ROWS:
        metrics = reports[name]["metrics"]
        lines.append(f"| {label.format(**metrics)} | {form.format(metrics[key])} |")
    return "\n".join(lines) + "\n"


TABLES = {
    "weights": readme_rows,
    "cards": model_cards,
    "benchmark": board.markdown,
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
