"""Trait by trait: mean, variance and frequencies of a method's children against those of the couple's true children.

Numerical traits are compared by mean and variance within each family; the unit is the true standard deviation within
families, so that half a unit means the same for a nose and for a skin tone. Categorical traits (iris, colour of the
hair, sex) are compared by the frequencies of their values. A missing value is left out of its trait.
"""

import numpy as np
import pandas as pd

from kinlib.evaluation.bootstrap import Statistic, mean, ratio
from kinlib.runtime.errors import KinlibError

__all__ = ["category_statistics", "common_traits", "number_statistics", "numerical", "trait_statistics"]


def numerical(table: pd.DataFrame) -> list[str]:
    """The numerical columns; Boolean ones are categories."""
    types = pd.api.types
    return [
        name for name, kind in table.dtypes.items() if types.is_numeric_dtype(kind) and not types.is_bool_dtype(kind)
    ]


def common_traits(generated: pd.DataFrame, true: pd.DataFrame) -> list[str]:
    """The traits that both tables have, in the order of the reference.

    Raises:
        KinlibError: if they share none, or hold numbers in one table and categories in the other.
    """
    names = [name for name in true.columns if name in generated.columns]
    if not names:
        raise KinlibError("the children's traits and the reference's have no column in common")
    kinds = [set(numerical(table[names])) for table in (generated, true)]
    if mixed := kinds[0] ^ kinds[1]:
        raise KinlibError(f"the trait '{min(mixed)}' must be a number, or a category, in both tables")
    return names


def trait_statistics(generated: list[pd.DataFrame], true: list[pd.DataFrame]) -> dict[tuple[str, str], Statistic]:
    """Every comparison of every common trait, by (trait, measure).

    Args:
        generated: a method's children, one table a couple, one row a child.
        true: the true children of the same couples.

    Raises:
        KinlibError: as `common_traits`, or if a couple's children lack a column.
    """
    names = common_traits(generated[0], true[0])
    for table in generated:
        if missing := [name for name in names if name not in table]:
            raise KinlibError(f"the children of some couples lack the trait '{missing[0]}'")
    numbers = set(numerical(true[0]))
    statistics = {}
    for name in names:
        mine, theirs = ([table[name] for table in tables] for tables in (generated, true))
        found = number_statistics(mine, theirs) if name in numbers else category_statistics(mine, theirs)
        statistics |= {(name, measure): statistic for measure, statistic in found.items()}
    return statistics


def number_statistics(generated: list[pd.Series], true: list[pd.Series]) -> dict[str, Statistic]:
    """Comparisons of one numerical trait; one column of children for each couple.

    Returns:
        bias: mean difference of the family means, in true standard deviations within families.
        rmse: root mean square of these differences, less the sampling noise of finite numbers of children, not below 0.
        variance_ratio: variance within families, generated over true.
        correlation: of the generated and the true family means, over couples.
    """
    means, variances, errors = (np.array(part) for part in zip(*map(_moments, generated), strict=True))
    true_means, true_variances, true_errors = (np.array(part) for part in zip(*map(_moments, true), strict=True))
    difference = means - true_means
    excess = np.square(difference) - errors - true_errors
    products = np.column_stack([means, true_means, np.square(means), np.square(true_means), means * true_means])
    return {
        "bias": Statistic(np.column_stack([difference, true_variances]), lambda d, v: d / np.sqrt(v), 0.0),
        "rmse": Statistic(np.column_stack([excess, true_variances]), lambda e, v: np.sqrt(np.maximum(e, 0) / v), 0.0),
        "variance_ratio": ratio(variances, true_variances, 1.0),
        "correlation": Statistic(products, _correlation, 1.0),
    }


def category_statistics(generated: list[pd.Series], true: list[pd.Series]) -> dict[str, Statistic]:
    """Comparisons of one categorical trait; one column of children for each couple.

    Returns:
        total_variation: half the sum of the absolute differences of frequencies, 0 to 1. Finite numbers of children
            alone make it positive; `ideal` is about what a perfect method would get.
        brier: sum of the squared differences of the frequencies, unbiased: the Brier score of the generated
            frequencies, less that of the true ones.
    """
    rows = [_frequency_distances(mine, theirs) for mine, theirs in zip(generated, true, strict=True)]
    variation, chance, brier = np.array(rows).T
    finite = chance[np.isfinite(chance)]
    return {
        "total_variation": mean(variation, float(finite.mean()) if len(finite) else float("nan")),
        "brier": mean(brier, 0.0),
    }


def _moments(column: pd.Series) -> tuple[float, float, float]:
    """Mean, variance, and squared standard error of the mean of the finite values; NaN for fewer than two."""
    values = np.asarray(column, dtype=np.float64)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return (np.nan,) * 3
    variance = values.var(ddof=1)
    return values.mean(), variance, variance / len(values)


def _correlation(x: np.ndarray, y: np.ndarray, xx: np.ndarray, yy: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """From the means of x, y, x², y² and xy; NaN where x or y does not vary."""
    x_variance, y_variance = xx - x * x, yy - y * y
    varies = (x_variance > 1e-12 * xx) & (y_variance > 1e-12 * yy)  # less is float64's rounding
    return np.where(varies, (xy - x * y) / np.sqrt(np.abs(x_variance * y_variance)), np.nan)


def _frequency_distances(generated: pd.Series, true: pd.Series) -> tuple[float, float, float]:
    """Total variation, what chance alone would give, and unbiased squared distance of the two columns' frequencies."""
    generated, true = generated.dropna(), true.dropna()
    n, m = len(generated), len(true)
    if min(n, m) < 2:
        return (np.nan,) * 3
    values = sorted(set(generated) | set(true))
    p, q = (np.array([(column == value).mean() for value in values]) for column in (generated, true))
    # E|p - q| if the difference is normal with the binomials' variances: sqrt(2 / pi) standard deviations
    chance = np.sqrt(2 / np.pi * q * (1 - q) * (1 / n + 1 / m)).sum() / 2
    noise = (1 - np.square(p).sum()) / (n - 1) + (1 - np.square(q).sum()) / (m - 1)
    return np.abs(p - q).sum() / 2, chance, np.square(p - q).sum() - noise
