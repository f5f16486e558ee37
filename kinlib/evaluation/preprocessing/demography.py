"""Predicted age, sex, population and emotion of the studio's photographs evaluated against ground truth."""

import json
from collections.abc import Sequence

import pandas as pd

from kinlib.studio.appearance.emotions import emotion
from kinlib.studio.datasets.family_album import FamilyAlbum

__all__ = ["score_predictions", "true_labels"]

SEXES = {"female": "Woman", "male": "Man"}
WORDS = ("gender", "race", "emotion")


def true_labels(album: FamilyAlbum, images: Sequence[str]) -> pd.DataFrame:
    """Ground truth of photographs of the family set, in the vocabulary of `kinlib.faces.demography`.

    Args:
        album: the families with their ground truth.
        images: paths as in `album.truth`, relative to the families.

    Returns:
        One row a photograph: `age` (years), `gender` ("Woman" or "Man"), `race` (founder population; missing for people
        of mixed ancestry, who have no single one) and `emotion`. All are missing where no face is shown.
    """
    rows = album.truth.set_index("file").loc[list(images)]
    people = album.people.set_index("name")
    shown = rows["attributes"].notna()
    population = rows["name"].map(people["population"])
    return pd.DataFrame(
        {
            "age": rows["age"].where(shown),
            "gender": rows["name"].map(people["sex"]).map(SEXES).where(shown),
            "race": population.where(shown & (population != "mixed")),
            "emotion": [_emotion(text) if ok else None for text, ok in zip(rows["attributes"], shown, strict=True)],
        },
        index=rows.index,
    )


def _emotion(attributes: str) -> str:
    return emotion(json.loads(attributes)["expression"])


def score_predictions(predicted: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """Mean absolute error of the age and accuracy of the classes, each beside that of the best constant prediction.

    Args:
        predicted: DeepFace's columns, as from `kinlib.faces.demography.analyse`.
        truth: as from `true_labels`, in the same order.

    Returns:
        `age_mae` (years) and `age_mae_baseline` (always the median age); for gender, race and emotion the accuracy,
        such as `gender_accuracy`, and `gender_accuracy_baseline` (always the most frequent class). Photographs without
        a true label are left out.
    """
    ages = truth["age"].to_numpy(dtype=float)
    off = pd.Series(predicted["age"].to_numpy(dtype=float) - ages).abs()
    result = {
        "age_mae": float(off.mean()),
        "age_mae_baseline": float((truth["age"] - truth["age"].median()).abs().mean()),
    }
    for word in WORDS:
        labelled = truth[word].notna().to_numpy()
        classes = predicted[f"dominant_{word}"].to_numpy()[labelled]
        true = truth[word].to_numpy()[labelled]
        shares = pd.Series(true, dtype=object).value_counts(normalize=True)
        result[f"{word}_accuracy"] = float((classes == true).mean()) if labelled.any() else float("nan")
        result[f"{word}_accuracy_baseline"] = float(shares.iloc[0]) if labelled.any() else float("nan")
    return result
