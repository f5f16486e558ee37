"""Models of attributes on codes: planted ones are found in held-out families, and a family's face is not one."""

import numpy as np
import pandas as pd
import pytest
import torch

from kinlib.evaluation.edits.latent_models import evaluate, feature_steps, is_class, learning_curve
from kinlib.runtime.errors import KinlibError

LAYERS, FAMILIES, EACH = 2, 12, 20


@pytest.fixture(scope="module")
def planted():
    """Codes with a face for each family and an attribute along one direction."""
    rng = torch.Generator().manual_seed(0)
    count = FAMILIES * EACH
    families = np.repeat(np.arange(FAMILIES), EACH)
    faces = torch.randn(FAMILIES, LAYERS, 512, generator=rng)[families]
    age = torch.randn(count, generator=rng)
    direction = torch.randn(LAYERS, 512, generator=rng)
    codes = faces + age[:, None, None] * direction + 0.3 * torch.randn(count, LAYERS, 512, generator=rng)
    return codes, age.numpy().astype(float), direction, families


def test_planted_attributes_are_found(planted):
    codes, age, _, families = planted
    own = np.random.default_rng(1).normal(size=FAMILIES)[families]  # the same for all of a family
    features = pd.DataFrame({"age": age, "old": (age > 0).astype(float), "surname": own})
    found = evaluate(codes, features, families)
    assert list(found["metric"]) == ["R2", "accuracy", "R2"]
    assert found.loc["age", "score"] > 0.9 and found.loc["old", "score"] > 0.75
    assert found.loc["surname", "score"] < 0.2  # of unseen families nobody knows it
    assert (found["low"] <= found["score"]).all() and (found["score"] <= found["high"]).all()
    assert found.loc["old", "share"] == pytest.approx((age > 0).mean())


def test_learning_curve_rises(planted):
    codes, age, _, families = planted
    curve = learning_curve(codes, age, families, [1, 6], repeats=2, num_held_out=4)
    mean = curve.groupby("families")[["held_out", "fitted"]].mean()
    assert mean.loc[6, "held_out"] > mean.loc[1, "held_out"] and (mean["fitted"] > mean["held_out"]).all()


def test_steps_hold_the_other_features_fixed(planted):
    """A feature that merely goes with another one gets no step of its own."""
    codes, age, direction, _ = planted
    other = 0.8 * age + np.random.default_rng(2).normal(size=len(age))
    steps = feature_steps(codes, pd.DataFrame({"age": age, "other": other}))
    assert steps.shape == (2, LAYERS, 512)
    cosine = float((steps[0] * direction).sum() / steps[0].norm() / direction.norm())
    assert cosine > 0.9 and steps[1].norm() < 0.3 * steps[0].norm()


def test_classes():
    assert is_class(np.array([0.0, 1.0, 1.0])) and not is_class(np.array([0.0, 0.5]))


def test_refusals(planted):
    codes, age, _, families = planted
    with pytest.raises(KinlibError, match="at least 5 are needed"):
        evaluate(codes[:40], pd.DataFrame({"age": age[:40]}), families[:40])
    with pytest.raises(KinlibError, match="12 families are not enough for 10 and 4 held out"):
        learning_curve(codes, age, families, [10], num_held_out=4)
