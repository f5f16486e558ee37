"""Every bundled network: the recipe that trains it, and the template of its model card.

A new network needs two things: a module in `kinlib.training.recipes` with its settings and `train(settings)`, and an
entry in `NETWORKS`. Command line, model cards and the tables of the README files follow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from kinlib.runtime.errors import KinlibError
from kinlib.training.engine.settings import RecipeSettings

__all__ = ["NETWORKS", "Card", "Column", "Limit", "Metric", "Network", "cards", "settings_of"]


@dataclass(frozen=True)
class Metric:
    """A row of a card.

    Attributes:
        key: in `metrics` of the network's record.
        words: what it is; a format string over all metrics. A row that continues the one above begins with "...".
        form: format of the number.
        target: what it is to reach: a number, or the key of a metric that it is to exceed.
    """

    key: str
    words: str
    form: str
    target: float | str | None = None


@dataclass(frozen=True)
class Column:
    """A column of the table of metrics by group: key in the record, head, format of the number."""

    key: str
    words: str
    form: str
    lower_is_better: bool = False


@dataclass(frozen=True)
class Limit:
    """A sentence on what a network cannot do, and the condition on its record under which it holds."""

    sentence: str
    holds: Callable[[dict], bool] = lambda report: True


@dataclass(frozen=True)
class Card:
    """The template of a model card.

    Attributes:
        title: of the card.
        metrics: its rows.
        columns: of the table by group; the worst group is named by the first.
        limits: sentences, each shown where it holds.
    """

    title: str
    metrics: tuple[Metric, ...]
    columns: tuple[Column, ...]
    limits: tuple[Limit, ...]


@dataclass(frozen=True)
class Network:
    """An entry of `NETWORKS`.

    Attributes:
        recipe: "module:Settings" in `kinlib.training.recipes`.
        card: for the record NAME.json; None where it belongs to another network's card.
    """

    recipe: str
    card: Card | None = None


def settings_of(name: str) -> type[RecipeSettings]:
    """The dataclass with the settings of one network.

    Raises:
        KinlibError: if the name is unknown.
    """
    if name not in NETWORKS:
        raise KinlibError(f"unknown network '{name}': choose one of {', '.join(NETWORKS)}")
    module, settings = NETWORKS[name].recipe.split(":")
    return getattr(import_module(f"kinlib.training.recipes.{module}"), settings)


def cards() -> dict[str, Card]:
    """The templates by the name of the record, in the order of the cards."""
    return {name: network.card for name, network in NETWORKS.items() if network.card is not None}


def _below(limit: float, *path: str) -> Callable[[dict], bool]:
    """Whether a recorded metric is there and below a limit."""

    def holds(report: dict) -> bool:
        value = report["metrics"]
        for key in path:
            value = value.get(key, {})  # nested metrics: those of single classes, attributes
        return isinstance(value, int | float) and value < limit

    return holds


def _between(low: float, high: float, *path: str) -> Callable[[dict], bool]:
    """Whether a recorded metric is there, below `high` and not below `low`."""
    under, too_low = _below(high, *path), _below(low, *path)
    return lambda report: under(report) and not too_low(report)


def _both(first: str, second: str) -> Callable[[dict], bool]:
    """Whether two metrics are recorded and the first is below the second."""
    return lambda report: report["metrics"].get(first, 0) < report["metrics"].get(second, 0)


# ---- what several cards share ---------------------------------------------------------------------------------------

LEAST_AUC = 0.98  # target of verification, also for the hard kinds of pairs: set before the network was trained

_RENDERS = Limit("Was trained on renders only, on no photograph.")
# Shown on the cards of both upscalers.
_ENLARGED = Limit(
    "Detail finer than the small picture is a prediction learned from renders: an enlargement is no evidence of how "
    "anybody looks."
)
_AGE = Column("age_mae", "error of the age, years", "{:.1f}", lower_is_better=True)
_SEX = Column("sex_accuracy", "right sex", "{:.0%}")
_FOUND = "found among all"

_UPSCALER_METRICS = (
    Metric(
        "families_psnr_db_x2",
        "twofold: PSNR, {families_pictures} family photos (bicubic {families_psnr_db_x2_bicubic:.1f} dB)",
        "{:.1f} dB",
    ),
    Metric(
        "families_identity_x2",
        "... cosine of identity to the original (bicubic {families_identity_x2_bicubic:.4f})",
        "{:.4f}",
    ),
    Metric("families_psnr_db_x4", "fourfold: PSNR (bicubic {families_psnr_db_x4_bicubic:.1f} dB)", "{:.1f} dB"),
    Metric(
        "families_identity_x4",
        "... cosine of identity to the original (bicubic {families_identity_x4_bicubic:.4f})",
        "{:.4f}",
    ),
)
_UPSCALER_COLUMNS = (
    Column("psnr_gain_x2", "PSNR over bicubic, twofold, dB", "{:+.2f}"),
    Column("identity_x2", "cosine of identity", "{:.4f}"),
    Column("psnr_gain_x4", "PSNR over bicubic, fourfold, dB", "{:+.2f}"),
    Column("identity_x4", "cosine of identity", "{:.4f}"),
)


# All kinds of pairs have the same target.
def _verification(key: str, words: str) -> Metric:
    return Metric(f"verification_auc{key}", words, "{:.3f}", LEAST_AUC)


# ---- the cards ------------------------------------------------------------------------------------------------------

_PAIR = Card(
    title="Generator and encoder",
    metrics=(
        Metric("psnr_db", "PSNR of the reconstruction", "{:.1f} dB"),
        Metric("ssim", "SSIM of the reconstruction", "{:.2f}"),
        Metric("identity_cosine", "cosine of identity between reconstruction and original", "{:.3f}"),
        Metric("identification_rate", "right person is the nearest of all originals", "{:.0%}"),
        Metric("identification_rate_other_view", "the same against another picture of each person", "{:.0%}"),
        Metric(
            "identification_rate_other_view_of_originals",
            "the same with the original instead of the reconstruction",
            "{:.0%}",
        ),
        Metric(
            "hair_iou",
            "hair of the reconstruction: intersection over union with the original's, as the parser segments them",
            "{:.2f}",
        ),
        Metric("glasses_contrast", "contrast of glasses, as a share of the original's", "{:.0%}"),
        Metric("mtcnn_reconstructions", "MTCNN finds a face in reconstructions", "{:.1%}"),
        Metric("mtcnn_blends", "... in halfway blends of two people", "{:.1%}"),
        Metric("mtcnn_random", "... in random samples (truncation 0.8)", "{:.1%}"),
        Metric(
            "frechet_reconstructions",
            "Fréchet distance to the originals, identity features: reconstructions (other pictures of the same people "
            "{frechet_other_view:.3f})",
            "{:.3f}",
        ),
        Metric("frechet_random", "... of random samples (no truncation)", "{:.3f}"),
    ),
    columns=(
        Column("psnr_db", "PSNR, dB", "{:.1f}"),
        Column("ssim", "SSIM", "{:.2f}"),
        Column("identity_cosine", "cosine of identity", "{:.3f}"),
        Column("identification_rate", _FOUND, "{:.0%}"),
        Column("identification_rate_other_view", "... by another picture", "{:.0%}"),
        Column("identification_rate_other_view_of_originals", "... of the originals", "{:.0%}"),
    ),
    limits=(
        Limit(
            "Generates {recipe[resolution]} px and was trained on rendered heads only: from the encoder alone the "
            "reconstruction of a photograph is a rough render of that person."
        ),
        Limit(
            "The identity network and the parser that measure were losses in training, so their metrics flatter this "
            "pair."
        ),
        Limit(
            "A reconstruction is recognised in another picture of the person less often than the original is.",
            _both("identification_rate_other_view", "identification_rate_other_view_of_originals"),
        ),
        Limit(
            "Random samples lie further from the originals than reconstructions do: children are synthesised from "
            "parents' codes, not from samples.",
            _both("frechet_reconstructions", "frechet_random"),
        ),
        # By eye: below a quarter of the contrast glasses cannot be made out.
        Limit("Generates glasses faintly or not at all.", _below(0.25, "glasses_contrast")),
        Limit("Generates glasses paler than they are, and some hardly.", _between(0.25, 0.75, "glasses_contrast")),
        Limit("MTCNN finds no face in some random samples.", _below(1.0, "mtcnn_random")),
    ),
)

_DIRECTIONS = Card(
    title="Directions",
    metrics=(
        Metric(
            "correlation_median",
            "correlation of reading and truth, median of {count} attributes (least: {least}, {correlation_least:.2f})",
            "{:.2f}",
        ),
        Metric(
            "edit_median",
            "share of a move by half the range that the encoder reads back, median",
            "{:.0%}",
        ),
    ),
    columns=(_AGE, _SEX),
    limits=(
        Limit("Straight lines in W+, of one pair only; a step along one of them may change other attributes as well."),
        # Below 0.6 a reading explains little more than a third of the variance.
        Limit("Reads age badly.", _below(0.6, "age", "correlation")),
        Limit("Reads glasses and beards badly.", _below(0.6, "glasses", "correlation")),
    ),
)

_IDENTITY = Card(
    title="Identity network",
    metrics=(
        _verification("", "verification AUC, all pairs of pictures"),
        _verification("_turned", "... of pairs whose yaw differs by 30 degrees or more"),
        _verification("_other_light", "... of pairs whose main lamps are at least 60 degrees apart"),
        _verification("_other_hair", "... of pairs with different hair"),
        _verification("_other_age", "... of pairs at least 15 years apart"),
        _verification("_alike", "... where strangers have the same sex and like skin"),
        Metric("identification_rate", "nearest neighbour, another picture", "{:.0%}"),
    ),
    columns=(
        Column("verification_auc", "AUC within the group", "{:.3f}"),
        Column("identification_rate", _FOUND, "{:.0%}"),
    ),
    limits=(
        Limit("Serves as a loss and as a measure; it is not meant to recognise real people and does so badly."),
        Limit("Misses the target where the yaw differs.", _below(LEAST_AUC, "verification_auc_turned")),
        Limit("Misses the target where the light has changed.", _below(LEAST_AUC, "verification_auc_other_light")),
        Limit("Misses the target where hair has changed.", _below(LEAST_AUC, "verification_auc_other_hair")),
        Limit("Misses the target across the years.", _below(LEAST_AUC, "verification_auc_other_age")),
        Limit("Misses the target among strangers who look alike.", _below(LEAST_AUC, "verification_auc_alike")),
    ),
)

_LANDMARKS = Card(
    title="Landmark predictor",
    metrics=(
        Metric("mean", "68 points: mean error, as a share of the distance between the outer eye corners", "{:.1f}%"),
        Metric("median", "68 points: median error", "{:.1f}%"),
    ),
    # The error first: by it the worst group is named.
    columns=(
        Column("mean", "mean error, %", "{:.1f}", lower_is_better=True),
        Column("found", "face found", "{:.1%}"),
    ),
    limits=(
        Limit("Needs a face that MTCNN has detected; it was trained on no pose beyond those of the renders."),
        Limit(
            "The error of the jaw, which is not a visible feature, is larger than that of the rest.",
            _both("mean_without_jaw", "mean"),
        ),
    ),
)

_PARSING = Card(
    title="Parser",
    metrics=(
        Metric("class_iou_mean", "mean intersection over union of the 19 classes ({people} people)", "{:.2f}"),
        Metric("region_iou_mean", "the same of the 34 regions", "{:.2f}"),
        Metric("class_accuracy", "pixels given the right class", "{:.1%}"),
    ),
    columns=(
        Column("class_iou_mean", "mean IoU", "{:.3f}"),
        Column("class_accuracy", "right pixels", "{:.1%}"),
    ),
    limits=(
        _RENDERS,
        Limit("Was trained on the studio's hats, glasses and hair styles, and on no others."),
        # Thresholds of IoU by eye: below 0.1 hardly any is found, below 0.5 errors exceed the overlap.
        Limit("Does not find earrings.", _below(0.1, "class_iou", "ear_r")),
        Limit("Segments necklaces badly.", _below(0.5, "class_iou", "neck_l")),
        Limit("Small regions are rough.", _below(0.6, "region_iou", "ear-helix")),
    ),
)

_DEMOGRAPHY = Card(
    title="Demography network",
    metrics=(
        Metric("age_mae", "mean error of the age ({people} people; guessing {guess[age_mae]:.1f})", "{:.1f} years"),
        Metric("sex_accuracy", "right sex", "{:.0%}"),
        Metric("population_accuracy", "right founder population, of five", "{:.0%}"),
        Metric("emotion_accuracy", "right emotion (guessing {guess[emotion_accuracy]:.0%})", "{:.0%}"),
    ),
    columns=(
        _AGE,
        _SEX,
        Column("population_accuracy", "right population", "{:.0%}"),
        Column("emotion_accuracy", "right emotion", "{:.0%}"),
    ),
    limits=(
        _RENDERS,
        Limit("The populations are invented: the answer says nothing about where a real person comes from."),
        Limit(
            "Rare emotions are mistaken more often than common ones.",
            _both("emotion_accuracy_mean", "emotion_accuracy"),
        ),
        Limit("The population is predicted wrongly more often than rightly.", _below(0.5, "population_accuracy")),
    ),
)

_UPSCALER = Card(
    title="Upscaler",
    # Each metric is to exceed that of bicubic interpolation.
    metrics=tuple(Metric(row.key, row.words, row.form, f"{row.key}_bicubic") for row in _UPSCALER_METRICS),
    columns=_UPSCALER_COLUMNS,
    limits=(
        _RENDERS,
        _ENLARGED,
        Limit(
            "Of badly degraded photographs (noise, blur, heavy JPEG) an enlargement keeps less of the identity than "
            "bicubic interpolation does.",
            _both("bad_identity_x4", "bad_identity_x4_bicubic"),
        ),
    ),
)

_UPSCALER_ESRGAN = Card(
    title="Upscaler for comparison",
    metrics=_UPSCALER_METRICS,
    columns=_UPSCALER_COLUMNS,
    limits=(
        _RENDERS,
        _ENLARGED,
        Limit("Bundled for comparison: trained on clean reductions only, it sharpens noise and JPEG artefacts."),
    ),
)

_SAMPLER = Card(
    title="Sampler of children's codes",
    metrics=(
        Metric(
            "energy_score_album_sampler",
            "energy score, {couples} held-out couples, parents in freely taken photographs (mask "
            "{energy_score_album_mask:.3f})",
            "{:.3f}",
        ),
        Metric(
            "energy_score_portrait_sampler",
            "... parents in portraits (mask {energy_score_portrait_mask:.3f})",
            "{:.3f}",
        ),
        Metric(
            "right_album_sampler",
            "children assigned to their own parents among all couples', parents in freely taken photographs "
            "(true siblings {right_siblings:.0%})",
            "{:.0%}",
        ),
    ),
    columns=(),
    limits=(
        _RENDERS,
        Limit("Gives grown-up children in one light and pose, and other parents of a child as young as these."),
        Limit("Trained in part by what the identity network sees, by which the benchmark scores children as well."),
        Limit("Holds codes unlike those of the training set to its range, so that such parents count for less."),
    ),
)

_WEIGHTS = Card(
    title="Network of blend weights",
    metrics=(
        Metric(
            "loss_neural",
            "similarity loss of generated children, {couples} held-out couples (average {loss_average:.3f}, mask "
            "{loss_mask:.3f})",
            "{:.3f}",
        ),
    ),
    columns=(),
    limits=(
        _RENDERS,
        Limit("Gives every couple one child: no siblings, no chance."),
        Limit("A child between its parents' codes; what neither parent shows cannot appear."),
    ),
)

_GENES = Card(
    title="Gene encoder and gene decoder",
    metrics=(
        Metric(
            "variance_latent_genes",
            "variance of the codes of {people} held-out people that their genes keep",
            "{:.0%}",
        ),
        Metric("variance_image_genes", "... that genes of their pictures keep", "{:.0%}"),
        Metric("gene_variance", "variance of the pictures' genes that genes of the codes explain", "{:.0%}"),
    ),
    columns=(),
    limits=(
        _RENDERS,
        Limit(
            "Genes of codes explain less than half of the variance of the pictures' genes.",
            _below(0.5, "gene_variance"),
        ),
    ),
)

_VAE = Card(
    title="Variational autoencoder",
    metrics=(
        Metric("psnr_db", "PSNR of the reconstruction ({people} people)", "{:.1f} dB"),
        Metric("identity_cosine", "cosine of identity between reconstruction and original", "{:.3f}"),
        Metric(
            "identification_rate_other_view",
            "nearest of all other pictures is the same person's (originals: "
            "{identification_rate_other_view_of_originals:.0%})",
            "{:.0%}",
        ),
        Metric(
            "frechet_reconstructions",
            "Fréchet distance to the originals, identity features: reconstructions (other pictures of the same people "
            "{frechet_other_view:.3f})",
            "{:.3f}",
        ),
        Metric("frechet_random", "... of random samples", "{:.3f}"),
        Metric("frechet_half_way", "... of faces half-way between two people", "{:.3f}"),
        Metric("mtcnn_random", "MTCNN finds a face in random samples", "{:.1%}"),
        Metric("mtcnn_half_way", "... in faces half-way between two people", "{:.1%}"),
    ),
    columns=(),
    limits=(
        _RENDERS,
        Limit("Small and soft pictures of {recipe[size]} px: for searching a face, not for looking at skin."),
        Limit("Shows expressions faintly: along its vector of smiles a face hardly smiles (by eye)."),
        Limit("The identity network that measures was a loss in training, so its metrics flatter this network."),
        Limit("A reconstruction is a likeness made of what many faces share: it is no evidence of how anybody looks."),
    ),
)

_PICKS = Card(
    title="Learned step of a face search",
    metrics=(
        Metric(
            "identity_cosine_last",
            "cosine of identity between the place that it finds and the face seen, simulated witnesses of {people} "
            "held-out people, last round (first {identity_cosine_first:.2f}); as the surrogate sees faces",
            "{:.2f}",
        ),
        Metric("surrogate_cosine", "cosine of the surrogate's embeddings to those of decoded faces", "{:.2f}"),
    ),
    columns=(),
    limits=(
        _RENDERS,
        Limit("Has met simulated witnesses only, who look through the identity network; people pick otherwise."),
        Limit("Belongs to one search space: that of the bundled autoencoder."),
    ),
)

_ATTRACTIVENESS = Card(
    title="Network of mean ratings",
    metrics=(
        Metric(
            "mae",
            "mean error of the mean rating, from 1 to 5 ({people} people; guessing {guess:.2f})",
            "{:.2f}",
        ),
        Metric(
            "pearson",
            "correlation of predicted and true mean ratings ({pearson_low:.2f} to {pearson_high:.2f})",
            "{:.2f}",
        ),
    ),
    columns=(
        Column("mae", "mean error", "{:.2f}", lower_is_better=True),
        Column("predicted", "mean predicted rating", "{:.2f}"),
        Column("rated", "mean true rating", "{:.2f}"),
    ),
    limits=(
        _RENDERS,
        Limit("Predicts what simulated raters were told to like: it says nothing about what people like."),
        Limit("A score is no property of a person: it changes with the panel of raters, and with light and camera."),
        Limit("Was trained on grown-ups only, and is not to be applied to pictures of children."),
        Limit("Is offered by `kinlib rate` for folders of pictures and used nowhere else in the project."),
    ),
)

_EDITOR = Card(
    title="Editing network",
    metrics=(
        Metric(
            "background_psnr_db", "PSNR of the background of {pictures} held-out pictures after edits", "{:.1f} dB", 35
        ),
        Metric(
            "error_changed",
            "error against {pairs} true edits in the region that changes, levels of 255 (left as it is: "
            "{error_changed_untouched:.1f})",
            "{:.1f}",
        ),
        Metric("error_rest", "... in the rest of the picture", "{:.2f}"),
        Metric("attention_iou", "intersection over union of the attention mask and the region that changes", "{:.2f}"),
    ),
    columns=(),
    limits=(
        _RENDERS,
        Limit("Draws 64 px: what is new in a picture, such as glasses or bangs, is soft at a photograph's own size."),
        Limit("What lies within the mask is invented, and no evidence of how anybody would look."),
    ),
)

_EDIT_ATTRIBUTES = Card(
    title="Network of editing attributes",
    metrics=(
        Metric(
            "accuracy_mean",
            "right answers, mean over attributes ({people} people; the commoner answer {guess_mean:.0%})",
            "{:.1%}",
            0.94,
        ),
        Metric("accuracy_balanced", "... where faces with and without an attribute count the same", "{:.1%}"),
        Metric("accuracy_least", "... of the attribute read worst", "{:.1%}"),
    ),
    columns=(),
    limits=(
        _RENDERS,
        Limit("Bushy eyebrows, pale skin and youth are thresholds in the studio: at them, any reader errs."),
        Limit("Its answers are about a picture, such as hair that is covered or lit; they say nothing of a person."),
    ),
)

# In the order of the cards.
NETWORKS = {
    "generator": Network("generator:GeneratorSettings"),
    "pair": Network("pair:PairSettings"),
    "encoder": Network("encoder:EncoderSettings", _PAIR),  # the pair's recipe writes encoder.json as well
    "restyle": Network("restyle:RestyleSettings"),  # so does this one
    "directions": Network("directions:DirectionSettings", _DIRECTIONS),
    "identity": Network("identity:IdentitySettings", _IDENTITY),
    "landmarks": Network("landmarks:LandmarkSettings", _LANDMARKS),
    "parsing": Network("parsing:ParsingSettings", _PARSING),
    "demography": Network("demography:DemographySettings", _DEMOGRAPHY),
    "weights": Network("weights:WeightsSettings", _WEIGHTS),
    "sampler": Network("sampler:SamplerSettings", _SAMPLER),
    "genes": Network("genes:GeneSettings", _GENES),
    "vae": Network("vae:VAESettings", _VAE),
    "picks": Network("picks:PickSettings", _PICKS),
    "attractiveness": Network("attractiveness:AttractivenessSettings", _ATTRACTIVENESS),
    "editor": Network("editor:EditorSettings", _EDITOR),
    "edit_attributes": Network("edit_attributes:EditAttributesSettings", _EDIT_ATTRIBUTES),
    "upscaler": Network("upscaler:UpscalerSettings", _UPSCALER),
    "upscaler_esrgan": Network("upscaler:EsrganSettings", _UPSCALER_ESRGAN),
}
"""By name: what `kinlib train NAME` offers, and the record's name where there is a card."""
