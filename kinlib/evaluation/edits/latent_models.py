"""Regressors and classifiers of attributes on codes, evaluated on families that they have not seen.

Step 5 of the student report's experiment (its section 6.1), with its metrics (6.2): R squared for numbers such as the
age, accuracy for classes such as glasses. Relatives share a face, so whole families are held out: a model that has
learned a family's face would otherwise be credited with knowing an attribute.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.evaluation.bootstrap import Statistic, draw_weights, estimate
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import Pipeline

__all__ = ["compress", "evaluate", "feature_steps", "is_class", "learning_curve", "linear_model"]
__all__ += ["steps_held_fixed"]

COMPONENTS = 100  # principal components of the codes: about a tenth of the photographs fitted on
RIDGE = 10.0  # penalty on standardised components: about a hundredth of the photographs, which shrinks little
FOLDS = 5  # of families


def is_class(values: np.ndarray) -> bool:
    """Whether values [N] are those of a class, 0 and 1, rather than of a number."""
    return set(np.unique(values)) <= {0.0, 1.0}


def linear_model(classes: bool) -> "Ridge | LogisticRegression":
    """Ridge regression, or logistic regression in which both classes count alike, however rare one of them is."""
    from sklearn.linear_model import LogisticRegression, Ridge

    return LogisticRegression(C=1 / RIDGE, class_weight="balanced") if classes else Ridge(RIDGE)


def compress(points: np.ndarray) -> "Pipeline":
    """Principal components of codes [N, L * 512], each scaled to variance 1; fitted."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    count = min(COMPONENTS, len(points) - 1, points.shape[1])
    return make_pipeline(PCA(count, random_state=0), StandardScaler()).fit(points)


def evaluate(codes: Tensor, features: pd.DataFrame, families: Sequence, seed: int = 0) -> pd.DataFrame:
    """Predict every feature of the pictures of held-out families, in five folds of families.

    Args:
        codes: W+ [N, L, 512].
        features: N rows, one column of numbers a feature; 0 and 1 for a class.
        families: of each picture, [N].
        seed: of the bootstrap of families.

    Returns:
        Index feature; `metric` ("R2", or "accuracy": balanced, so that guessing gives 0.5), `score` with its 95%
        interval `low`, `high` over families, and for classes the `share` of pictures that have it.

    Raises:
        KinlibError: if there are fewer families than folds.
    """
    families = np.asarray(families)
    if len(np.unique(families)) < FOLDS:
        raise KinlibError(f"models are evaluated on held-out families, of which at least {FOLDS} are needed")
    predictions = _out_of_fold(codes.flatten(1).numpy(), features, families)
    rows = {}
    for name in features:
        values, predicted = features[name].to_numpy(dtype=float), predictions[name].to_numpy()
        classes = is_class(values)
        statistic = _accuracy(predicted, values, families) if classes else _r_squared(predicted, values, families)
        score = estimate(statistic, draw_weights(len(statistic.columns), seed=seed))
        share = values.mean() if classes else np.nan
        rows[name] = ("accuracy" if classes else "R2", *score, share)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["metric", "score", "low", "high", "share"])


def learning_curve(
    codes: Tensor,
    values: np.ndarray,
    families: Sequence,
    counts: Sequence[int],
    repeats: int = 5,
    num_held_out: int = 8,
    seed: int = 0,
) -> pd.DataFrame:
    """How a regressor's R squared on held-out families grows with the number of families that it is fitted on.

    Args:
        codes: W+ [N, L, 512].
        values: the attribute, numbers [N].
        families: of each picture, [N].
        counts: numbers of families.
        repeats: random choices of families for each count; each also holds out others.
        num_held_out: families of the test set.
        seed: of the choices.

    Returns:
        One row for each count and repeat: `families`, `repeat`, `held_out` and `fitted` (R squared on held-out families
        and on those it was fitted on).

    Raises:
        KinlibError: if there are not that many families.
    """
    from sklearn.metrics import r2_score

    families, values = np.asarray(families), np.asarray(values, dtype=float)
    known = np.unique(families)
    if max(counts) + num_held_out > len(known):
        raise KinlibError(f"{len(known)} families are not enough for {max(counts)} and {num_held_out} held out")
    points, rng, rows = codes.flatten(1).numpy(), np.random.default_rng(seed), []
    for repeat in range(repeats):
        order = rng.permutation(known)
        test = np.isin(families, order[:num_held_out])
        for count in counts:
            train = np.isin(families, order[num_held_out : num_held_out + count])
            axes = compress(points[train])
            fitted = linear_model(False).fit(axes.transform(points[train]), values[train])
            scores = [r2_score(values[part], fitted.predict(axes.transform(points[part]))) for part in (test, train)]
            rows.append({"families": count, "repeat": repeat, "held_out": scores[0], "fitted": scores[1]})
    return pd.DataFrame(rows)


def feature_steps(codes: Tensor, features: pd.DataFrame) -> Tensor:
    """Change of the codes for one standard deviation of each feature, the others held fixed: [F, L, 512].

    Least squares of the codes on all features at once: what "map facial features to directional changes in the latent
    space" comes to with linear models. The bundled directions are made in the same way (`kinlib train directions`).
    """
    return steps_held_fixed(codes, ((features - features.mean()) / features.std()).to_numpy(dtype=float))


def steps_held_fixed(codes: Tensor, values: np.ndarray) -> Tensor:
    """Change of codes [N, L, 512] for one unit of each of A columns [N, A], the others held fixed: [A, L, 512].

    Least squares of the codes on all columns at once, with a constant.
    """
    x = torch.from_numpy(values).double()
    x = torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], dim=1)
    solution = torch.linalg.lstsq(x, codes.flatten(1).double()).solution  # [A + 1, L 512], the last the constant
    return solution[:-1].float().unflatten(1, codes.shape[1:])


def _out_of_fold(points: np.ndarray, features: pd.DataFrame, families: np.ndarray) -> pd.DataFrame:
    """Predictions for each picture by models that have not seen its family; N rows, one column a feature."""
    from sklearn.model_selection import GroupKFold

    predicted = pd.DataFrame(np.nan, range(len(features)), features.columns)
    for train, test in GroupKFold(FOLDS).split(points, groups=families):
        axes = compress(points[train])  # shared by all features, since it takes most of the time
        seen, unseen = axes.transform(points[train]), axes.transform(points[test])
        for column, name in enumerate(features):
            values = features[name].to_numpy(dtype=float)[train]
            predicted.iloc[test, column] = linear_model(is_class(values)).fit(seen, values).predict(unseen)
    return predicted


def _by_family(columns: dict[str, np.ndarray], families: np.ndarray) -> np.ndarray:
    """Sums of columns [N] over each family: [C, K]."""
    return pd.DataFrame(columns).groupby(families).sum().to_numpy(dtype=float)


def _r_squared(predicted: np.ndarray, values: np.ndarray, families: np.ndarray) -> Statistic:
    sums = {"n": np.ones(len(values)), "y": values, "yy": values**2, "error": (values - predicted) ** 2}
    return Statistic(_by_family(sums, families), lambda n, y, yy, error: 1 - error / (yy - y**2 / n))


def _accuracy(predicted: np.ndarray, values: np.ndarray, families: np.ndarray) -> Statistic:
    """Balanced accuracy: the mean of what is right among those with and among those without."""
    right, has = predicted == values, values == 1
    sums = {"with": has, "right_with": right & has, "without": ~has, "right_without": right & ~has}
    numbers = _by_family({name: column.astype(float) for name, column in sums.items()}, families)
    return Statistic(numbers, lambda n, a, m, b: (a / n + b / m) / 2)
