"""Guesses at age, sex, origin and emotion of the studio's photographs against what is true of them."""

import json
from collections.abc import Sequence

import pandas as pd

from kinlib.studio.appearance.emotions import emotion
from kinlib.studio.datasets.family_album import FamilyAlbum

__all__ = ["compare", "truth_of"]

SEXES = {"female": "Woman", "male": "Man"}
WORDS = ("gender", "race", "emotion")


def truth_of(album: FamilyAlbum, images: Sequence[str]) -> pd.DataFrame:
    """What is true of photographs of the family set, with the names that `faces.demography` uses.

    Args:
        album: the families with their truth.
        images: paths as in `album.truth`, relative to the families.

    Returns:
        One row a photograph: `age` (years), `gender` ("Woman" or "Man"), `race` (founder population; missing for people
        of mixed ancestry, for whom no single one is right), `emotion`; missing where no face is shown.
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


def compare(found: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """How far guesses are from the truth, and how far the best constant guess would be.

    Args:
        found: with DeepFace's columns, as from `faces.demography.analyse`.
        truth: as from `truth_of`, in the same order.

    Returns:
        `age_error` (mean absolute, years), `age_error_guess` (everybody of the median age), and for gender, race and
        emotion the share of right answers, such as `gender_right` and `gender_right_guess` (always the most frequent).
        Missing truths are left aside.
    """
    ages = truth["age"].to_numpy(dtype=float)
    off = pd.Series(found["age"].to_numpy(dtype=float) - ages).abs()
    result = {
        "age_error": float(off.mean()),
        "age_error_guess": float((truth["age"] - truth["age"].median()).abs().mean()),
    }
    for word in WORDS:
        right = truth[word].notna().to_numpy()
        answers = found[f"dominant_{word}"].to_numpy()[right]
        true = truth[word].to_numpy()[right]
        shares = pd.Series(true, dtype=object).value_counts(normalize=True)
        result[f"{word}_right"] = float((answers == true).mean()) if right.any() else float("nan")
        result[f"{word}_right_guess"] = float(shares.iloc[0]) if right.any() else float("nan")
    return result
