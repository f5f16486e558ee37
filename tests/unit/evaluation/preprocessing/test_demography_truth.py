"""Scoring predictions of age, sex, population and emotion, by hand and on the bundled families."""

import numpy as np
import pandas as pd
import pytest

from kinlib.evaluation.preprocessing.demography import score_predictions, true_labels
from kinlib.faces.demography import EMOTIONS, GENDERS, POPULATIONS
from kinlib.studio.datasets.family_album import load_album


def table(ages, genders, races, emotions):
    return pd.DataFrame({"age": ages, "gender": genders, "race": races, "emotion": emotions})


def as_found(truth):
    return truth.rename(columns={name: f"dominant_{name}" for name in ("gender", "race", "emotion")})


def test_by_hand():
    truth = table(
        [10, 20, 60, None], ["Man", "Man", "Woman", None], ["amber", None, "dune", None], ["sad"] * 3 + [None]
    )
    found = as_found(
        table(
            [12, 20, 50, 33],
            ["Man", "Woman", "Woman", "Man"],
            ["amber", "dune", "cedar", "dune"],
            ["sad", "sad", "fear", "sad"],
        )
    )
    assert score_predictions(found, truth) == pytest.approx(
        {
            **{"age_mae": 4, "age_mae_baseline": (10 + 0 + 40) / 3},
            **{"gender_accuracy": 2 / 3, "gender_accuracy_baseline": 2 / 3},
            **{"race_accuracy": 1 / 2, "race_accuracy_baseline": 1 / 2},
            **{"emotion_accuracy": 2 / 3, "emotion_accuracy_baseline": 1},
        }
    )


def test_nothing_known():
    truth = table([None], [None], [None], [None])
    assert all(
        np.isnan(value)
        for value in score_predictions(as_found(table([1.0], ["Man"], ["dune"], ["sad"])), truth).values()
    )


def test_the_bundled_families():
    album = load_album()
    truth = true_labels(album, album.truth["file"])
    assert truth.index.tolist() == album.truth["file"].tolist()
    empty = album.truth["fault"].eq("faceless").to_numpy()
    assert truth[empty].isna().all(axis=None) and truth.loc[~empty, ["age", "gender", "emotion"]].notna().all(axis=None)
    assert set(truth["gender"].dropna()) == set(GENDERS) and set(truth["race"].dropna()) == set(POPULATIONS)
    assert set(truth["emotion"].dropna()) <= set(EMOTIONS) and truth["emotion"].nunique() > 3
    mixed = set(album.people.loc[album.people["population"] == "mixed", "name"])
    assert truth.loc[album.truth["name"].isin(mixed).to_numpy(), "race"].isna().all() and mixed
    perfect = score_predictions(as_found(truth), truth)
    assert perfect["age_mae"] == 0 and perfect["gender_accuracy"] == perfect["race_accuracy"] == 1
    assert perfect["emotion_accuracy"] == 1 > perfect["emotion_accuracy_baseline"]
