"""The tables in README.md and data/README.md, made from what training and rendering wrote.

`python -m kinlib.training.card` fills every part of a page that stands between `<!-- NAME:begin -->` and
`<!-- NAME:end -->`, where NAME is one of `TABLES`, so that no figure is ever typed by hand.
"""

import json
import re
from pathlib import Path

from kinlib import config
from kinlib.studio.card import studio_table

__all__ = ["TABLES", "fill", "fill_all", "weights_table"]

PAGES = ("README.md", "data/README.md")
MARKED = re.compile(r"(<!-- (\w+):begin -->\n).*?(<!-- \2:end -->)", re.DOTALL)

PAIR_ROWS = {
    "psnr_db": ("PSNR of the reconstruction", "{:.1f} dB"),
    "ssim": ("SSIM of the reconstruction", "{:.2f}"),
    "identification_rate": ("right person is the nearest of all originals", "{:.0%}"),
    "identification_rate_other_view": ("the same against another picture of each person", "{:.0%}"),
    "identification_rate_other_view_of_originals": (
        "the same with the original instead of the reconstruction",
        "{:.0%}",
    ),
    "mtcnn_reconstructions": ("MTCNN finds a face in reconstructions", "{:.1%}"),
    "mtcnn_blends": ("... in halfway blends of two people", "{:.1%}"),
    "mtcnn_random": ("... in random samples (truncation 0.8)", "{:.1%}"),
    "frechet_reconstructions": (
        "Fréchet distance to the originals, identity features: reconstructions (other pictures of the same people "
        "{frechet_other_view:.3f})",
        "{:.3f}",
    ),
    "frechet_random": ("... of random samples (no truncation)", "{:.3f}"),
}
IDENTITY_ROWS = {
    "verification_auc": ("identity network: verification AUC, all pairs of pictures", "{:.3f}"),
    "verification_auc_turned": ("... of pairs turned by 30 degrees or more from each other", "{:.3f}"),
    "verification_auc_other_hair": ("... of pairs with different hair", "{:.3f}"),
    "verification_auc_other_age": ("... of pairs at least 15 years apart", "{:.3f}"),
    "verification_auc_alike": ("... where strangers have the same sex and like skin", "{:.3f}"),
    "identification_rate": ("identity network: nearest neighbour, another picture", "{:.0%}"),
}
LANDMARK_ROWS = {
    "mean": ("68 points: mean error, as a share of the distance between the outer eye corners", "{:.1f}%"),
    "median": ("68 points: median error", "{:.1f}%"),
}
PARSING_ROWS = {
    "class_iou_mean": ("parser: mean intersection over union of the 19 classes ({people} people)", "{:.2f}"),
    "region_iou_mean": ("parser: the same of the 34 regions", "{:.2f}"),
    "class_accuracy": ("parser: pixels given the right class", "{:.1%}"),
}
DEMOGRAPHY_ROWS = {
    "age_mae": ("demography network: mean error of the age ({people} people)", "{:.1f} years"),
    "sex_accuracy": ("demography network: right sex", "{:.0%}"),
    "population_accuracy": ("demography network: right founder population, of five", "{:.0%}"),
    "emotion_accuracy": ("demography network: right emotion", "{:.0%}"),
}
UPSCALER_ROWS = {
    "families_psnr_db_x2": (
        "upscaler, twofold: PSNR, {families_pictures} family photos (bicubic {families_psnr_db_x2_bicubic:.1f} dB)",
        "{:.1f} dB",
    ),
    "families_identity_x2": (
        "... cosine of identity to the original (bicubic {families_identity_x2_bicubic:.4f})",
        "{:.4f}",
    ),
    "families_psnr_db_x4": ("upscaler, fourfold: PSNR (bicubic {families_psnr_db_x4_bicubic:.1f} dB)", "{:.1f} dB"),
    "families_identity_x4": (
        "... cosine of identity to the original (bicubic {families_identity_x4_bicubic:.4f})",
        "{:.4f}",
    ),
}
OTHERS = (
    *(("identity", IDENTITY_ROWS), ("landmarks", LANDMARK_ROWS)),
    *(("parsing", PARSING_ROWS), ("demography", DEMOGRAPHY_ROWS), ("upscaler", UPSCALER_ROWS)),
)


def weights_table() -> str:
    """Markdown: what was measured on people that no network was trained on (preset studio)."""
    folder = config.data_dir() / "weights" / "studio"
    pair = _figures(folder / "encoder.json")
    lines = [f"| preset `studio`, {pair['people']:.0f} held-out rendered people | |", "|---|---|"]
    for file, rows in (("encoder", PAIR_ROWS), *OTHERS):
        figures = _figures(folder / f"{file}.json")
        for key, (words, form) in rows.items():
            if key in figures:
                lines.append(f"| {words.format(**figures)} | {form.format(figures[key])} |")
    return "\n".join(lines) + "\n"


TABLES = {"weights": weights_table, "studio": lambda: studio_table(config.data_dir() / "studio")}


def fill(page: str) -> str:
    """A page's text with its marked parts made anew."""
    return MARKED.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], page)


def fill_all() -> None:
    """Fill all pages in place."""
    for name in PAGES:
        path = config.project_root() / name
        path.write_text(fill(path.read_text()))


def _figures(path: Path) -> dict:
    return json.loads(path.read_text())["figures"] if path.exists() else {}


if __name__ == "__main__":
    fill_all()
