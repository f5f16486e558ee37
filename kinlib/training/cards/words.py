"""What the bundled networks' cards say of recorded figures: words and formats, targets, and limits.

Keys are those of `figures` in data/weights/studio/*.json, by the name of the file.
"""

from collections.abc import Callable

__all__ = ["GROUP_COLUMNS", "LIMITS", "LOWER_IS_BETTER", "ROWS", "TARGETS", "TITLES", "WORST_BY"]

TITLES = {
    "encoder": "Generator and encoder",
    "directions": "Directions",
    "identity": "Identity network",
    "landmarks": "Landmark predictor",
    "parsing": "Parser",
    "demography": "Demography network",
    "upscaler": "Upscaler",
    "upscaler_esrgan": "Upscaler to compare with",
}
"""Files with figures, in the order of their cards; the generator's are the encoder's."""

_UPSCALER = {
    "families_psnr_db_x2": (
        "twofold: PSNR, {families_pictures} family photos (bicubic {families_psnr_db_x2_bicubic:.1f} dB)",
        "{:.1f} dB",
    ),
    "families_identity_x2": (
        "... cosine of identity to the original (bicubic {families_identity_x2_bicubic:.4f})",
        "{:.4f}",
    ),
    "families_psnr_db_x4": ("fourfold: PSNR (bicubic {families_psnr_db_x4_bicubic:.1f} dB)", "{:.1f} dB"),
    "families_identity_x4": (
        "... cosine of identity to the original (bicubic {families_identity_x4_bicubic:.4f})",
        "{:.4f}",
    ),
}

ROWS: dict[str, dict[str, tuple[str, str]]] = {
    "encoder": {
        "psnr_db": ("PSNR of the reconstruction", "{:.1f} dB"),
        "ssim": ("SSIM of the reconstruction", "{:.2f}"),
        "identity_cosine": ("cosine of identity between reconstruction and original", "{:.3f}"),
        "identification_rate": ("right person is the nearest of all originals", "{:.0%}"),
        "identification_rate_other_view": ("the same against another picture of each person", "{:.0%}"),
        "identification_rate_other_view_of_originals": (
            "the same with the original instead of the reconstruction",
            "{:.0%}",
        ),
        "hair_iou": (
            "hair of the reconstruction: intersection over union with the original's, as the parser sees them",
            "{:.2f}",
        ),
        "glasses_contrast": ("contrast of glasses, as a share of the original's", "{:.0%}"),
        "mtcnn_reconstructions": ("MTCNN finds a face in reconstructions", "{:.1%}"),
        "mtcnn_blends": ("... in halfway blends of two people", "{:.1%}"),
        "mtcnn_random": ("... in random samples (truncation 0.8)", "{:.1%}"),
        "frechet_reconstructions": (
            "Fréchet distance to the originals, identity features: reconstructions (other pictures of the same people "
            "{frechet_other_view:.3f})",
            "{:.3f}",
        ),
        "frechet_random": ("... of random samples (no truncation)", "{:.3f}"),
    },
    "directions": {
        "correlation_median": (
            "correlation of reading and truth, median of {count} attributes (least: {least}, {correlation_least:.2f})",
            "{:.2f}",
        ),
        "edit_median": ("share of a move by half the range that the encoder reads off the drawing, median", "{:.0%}"),
    },
    "identity": {
        "verification_auc": ("verification AUC, all pairs of pictures", "{:.3f}"),
        "verification_auc_turned": ("... of pairs turned by 30 degrees or more from each other", "{:.3f}"),
        "verification_auc_other_light": ("... of pairs whose main lamps stand at least 60 degrees apart", "{:.3f}"),
        "verification_auc_other_hair": ("... of pairs with different hair", "{:.3f}"),
        "verification_auc_other_age": ("... of pairs at least 15 years apart", "{:.3f}"),
        "verification_auc_alike": ("... where strangers have the same sex and like skin", "{:.3f}"),
        "identification_rate": ("nearest neighbour, another picture", "{:.0%}"),
    },
    "landmarks": {
        "mean": ("68 points: mean error, as a share of the distance between the outer eye corners", "{:.1f}%"),
        "median": ("68 points: median error", "{:.1f}%"),
    },
    "parsing": {
        "class_iou_mean": ("mean intersection over union of the 19 classes ({people} people)", "{:.2f}"),
        "region_iou_mean": ("the same of the 34 regions", "{:.2f}"),
        "class_accuracy": ("pixels given the right class", "{:.1%}"),
    },
    "demography": {
        "age_mae": ("mean error of the age ({people} people; guessing {guess[age_mae]:.1f})", "{:.1f} years"),
        "sex_accuracy": ("right sex", "{:.0%}"),
        "population_accuracy": ("right founder population, of five", "{:.0%}"),
        "emotion_accuracy": ("right emotion (guessing {guess[emotion_accuracy]:.0%})", "{:.0%}"),
    },
    "upscaler": _UPSCALER,
    "upscaler_esrgan": _UPSCALER,
}
"""File -> figure -> (words, format of the number)."""

LEAST_AUC = 0.98  # of telling people apart, also in the hard kinds of pairs

_UPSCALED = [f"families_{kind}_x{factor}" for factor in (2, 4) for kind in ("psnr_db", "identity")]
TARGETS: dict[str, dict[str, float | str]] = {
    "identity": dict.fromkeys((key for key in ROWS["identity"] if key.startswith("verification")), LEAST_AUC),
    "upscaler": {key: f"{key}_bicubic" for key in _UPSCALED},
}
"""File -> figure -> what it is to reach: a number, or a figure that it is to exceed."""

GROUP_COLUMNS = {
    "psnr_db": ("PSNR, dB", "{:.1f}"),
    "ssim": ("SSIM", "{:.2f}"),
    "identity_cosine": ("cosine of identity", "{:.3f}"),
    "verification_auc": ("AUC within the group", "{:.3f}"),
    "identification_rate": ("found among all", "{:.0%}"),
    "identification_rate_other_view": ("... by another picture", "{:.0%}"),
    "identification_rate_other_view_of_originals": ("... of the originals", "{:.0%}"),
    "found": ("face found", "{:.1%}"),
    "mean": ("mean error, %", "{:.1f}"),
    "class_iou_mean": ("mean IoU", "{:.3f}"),
    "class_accuracy": ("right pixels", "{:.1%}"),
    "age_mae": ("error of the age, years", "{:.1f}"),
    "sex_accuracy": ("right sex", "{:.0%}"),
    "population_accuracy": ("right population", "{:.0%}"),
    "emotion_accuracy": ("right emotion", "{:.0%}"),
    "psnr_gain_x2": ("PSNR over bicubic, twofold, dB", "{:+.2f}"),
    "identity_x2": ("cosine of identity", "{:.4f}"),
    "psnr_gain_x4": ("PSNR over bicubic, fourfold, dB", "{:+.2f}"),
    "identity_x4": ("cosine of identity", "{:.4f}"),
}
"""Figures of groups, in the order of their columns: (head, format)."""
LOWER_IS_BETTER = ("mean", "age_mae")
WORST_BY = {
    **{
        "encoder": "psnr_db",
        "directions": "age_mae",
        "identity": "verification_auc",
        "landmarks": "mean",
        "parsing": "class_iou_mean",
    },
    **{"demography": "age_mae", "upscaler": "psnr_gain_x2", "upscaler_esrgan": "psnr_gain_x2"},
}
"""File -> the figure by which its worst group is named."""


def _below(limit: float, *path: str) -> Callable[[dict], bool]:
    """Whether a recorded figure is there and below a limit."""

    def holds(report: dict) -> bool:
        value = report["figures"]
        for key in path:
            value = value.get(key, {})
        return isinstance(value, int | float) and value < limit

    return holds


def _between(low: float, high: float, *path: str) -> Callable[[dict], bool]:
    """Whether a recorded figure is there, below `high` and not below `low`."""
    under, too_low = _below(high, *path), _below(low, *path)
    return lambda report: under(report) and not too_low(report)


def _both(first: str, second: str) -> Callable[[dict], bool]:
    """Whether two figures are recorded and the first is below the second."""
    return lambda report: report["figures"].get(first, 0) < report["figures"].get(second, 0)


def _of_old_renders(report: dict) -> bool:
    return report["recipe"].get("data") == "studio-train"  # the only set before renders came with a note of their own


_RENDERS = ("Has seen renders only, none of a photograph.", None)
_OLD = (
    "Trained on renders by an older state of the studio, which knew no children, and in shape neither sex nor age; no "
    "hats, scarves or jewellery, and no backgrounds but soft ones.",
    _of_old_renders,
)
_ENLARGED = (
    "Whatever is finer than the small picture is a guess from renders: an enlargement is no evidence of how anybody "
    "looks.",
    None,
)

LIMITS: dict[str, tuple[tuple[str, Callable[[dict], bool] | None], ...]] = {
    "encoder": (
        _OLD,
        (
            "Draws {recipe[resolution]} px and has seen rendered heads only: from the encoder alone a photograph comes "
            "back as a rough render of that person.",
            None,
        ),
        (
            "The identity network and the parser that measure were losses in training, so their figures flatter this "
            "pair.",
            None,
        ),
        (
            "A reconstruction is recognised in another picture of the person less often than the original is.",
            _both("identification_rate_other_view", "identification_rate_other_view_of_originals"),
        ),
        (
            "Random samples lie further from the originals than reconstructions do: children are drawn from parents' "
            "codes, not from samples.",
            _both("frechet_reconstructions", "frechet_random"),
        ),
        ("Draws glasses faintly or not at all.", _below(0.25, "glasses_contrast")),
        ("Draws glasses paler than they are, and some hardly.", _between(0.25, 0.75, "glasses_contrast")),
        ("Some random samples are no faces to MTCNN.", _below(1.0, "mtcnn_random")),
    ),
    "directions": (
        _OLD,
        ("Straight lines in W+, of one pair only; a step along one of them may move other attributes as well.", None),
        ("Reads age badly.", _below(0.6, "age", "correlation")),
        ("Reads glasses and beards badly.", _below(0.6, "glasses", "correlation")),
    ),
    "identity": (
        _OLD,
        ("Serves as a loss and as a measure; it is not meant to recognise real people and does so badly.", None),
        ("Misses the target where heads are turned.", _below(LEAST_AUC, "verification_auc_turned")),
        ("Misses the target where the light has changed.", _below(LEAST_AUC, "verification_auc_other_light")),
        ("Misses the target where hair has changed.", _below(LEAST_AUC, "verification_auc_other_hair")),
        ("Misses the target across the years.", _below(LEAST_AUC, "verification_auc_other_age")),
        ("Misses the target among strangers who look alike.", _below(LEAST_AUC, "verification_auc_alike")),
    ),
    "landmarks": (
        _OLD,
        ("Needs a face that MTCNN has found; heads turned further than the renders' are new to it.", None),
        ("The jaw, no visible mark, is placed less surely than the rest.", _both("mean_without_jaw", "mean")),
    ),
    "parsing": (
        _RENDERS,
        ("Knows the studio's hats, glasses and hair styles, and no others.", None),
        ("Does not see earrings.", _below(0.1, "class_iou", "ear_r")),
        ("Sees necklaces badly.", _below(0.5, "class_iou", "neck_l")),
        ("Small regions are rough.", _below(0.6, "region_iou", "ear-helix")),
    ),
    "demography": (
        _RENDERS,
        ("The populations are invented: the answer says nothing about where a real person comes from.", None),
        ("Rare emotions are mistaken more often than common ones.", _both("emotion_accuracy_mean", "emotion_accuracy")),
        ("Guesses the population wrongly more often than rightly.", _below(0.5, "population_accuracy")),
    ),
    "upscaler": (
        _RENDERS,
        _ENLARGED,
        (
            "Of badly spoilt photographs (noise, blur, heavy JPEG) an enlargement keeps less of the identity than "
            "bicubic interpolation does.",
            _both("bad_identity_x4", "bad_identity_x4_bicubic"),
        ),
    ),
    "upscaler_esrgan": (
        _RENDERS,
        _ENLARGED,
        ("Made to be compared with: it knows clean reductions only, and sharpens the faults of others.", None),
    ),
}
"""File -> sentences, each with the condition on the recorded report under which it holds; None for always."""
