"""Couples to learn heredity from: pairs of rendered parents with any number of true children.

Only pictures cost time; genetics is free. So every rendered father can have children with every rendered mother: their
genomes are known, meiosis gives true children with true traits, and the code of a child's portrait follows from its
traits, because all portraits share pose, light and clothes. `PortraitCodes` is that map, fitted to the children and the
parents whose portraits have been rendered. A few hundred couples become as many thousands as are asked for.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.studio.datasets.kin_couples import CHILD_AGE, KIN, MIXED, family
from kinlib.studio.genetics import Genomes, children, concatenate, phenotypes
from kinlib.studio.person import HAIR_COLOURS, IRIS_COLOURS, NUM_SHAPE, PROPORTIONS, SEXES
from kinlib.training.data.kin_codes import KinCodes

__all__ = ["Pairs", "PortraitCodes", "couple_genomes", "make_pairs", "trait_features"]

NUMBERS = ("melanin", "redness", "hair_shade", "hair_curl", "freckles", "cleft_chin", "free_lobes", "beard", "brow")
CURLS = (0.5, 0.75)  # curl at which portraits change to curly, and to coiled hair styles (`looks.standard_look`)
RIDGE = 30.0  # in portraits: by the error of portraits left out, among 3, 10, 30, 100 and 300, with 220 portraits
AT_ONCE = 500  # couples, whose children's genomes take 100 MB


@dataclass(frozen=True)
class Pairs:
    """Couples with true children, all of one sex for each row, so that the sex can be asked for.

    Attributes:
        father, mother: int64 [C], rows of the fathers and mothers that were paired.
        male: float32 [C], 1 where the children are sons.
        children: float32 [C, T, K], standardised components of T children.
    """

    father: Tensor
    mother: Tensor
    male: Tensor
    children: Tensor

    def __len__(self) -> int:
        return len(self.father)


class PortraitCodes:
    """Components of a portrait's code from the traits of the person: ridge regression, with residuals to sample from.

    Args:
        traits: one row a portrait, with the columns of `Phenotypes.to_frame` and `age`.
        codes: their standardised components [N, K].
    """

    def __init__(self, traits: pd.DataFrame, codes: Tensor):
        features = torch.from_numpy(trait_features(traits)).double()
        self.mean, self.scale = features.mean(dim=0), features.std(dim=0).clamp_min(1e-3)
        x = self._standard(features)
        self.centre, self.variance = codes.double().mean(dim=0), codes.double().var(dim=0)
        gram = x.T @ x + RIDGE * torch.eye(x.shape[1], dtype=torch.float64)
        self.slopes = torch.linalg.solve(gram, x.T @ (codes.double() - self.centre))  # [F, K]
        # Left out one by one, by the diagonal of the hat matrix: residuals of the fit itself would be too small.
        leverage = (x * torch.linalg.solve(gram, x.T).T).sum(dim=1, keepdim=True) + 1 / len(x)  # [N, 1]
        self.residuals = (codes.double() - self.centre - x @ self.slopes) / (1 - leverage)  # [N, K]

    def __call__(self, traits: pd.DataFrame, rng: np.random.Generator | None = None) -> Tensor:
        """Components [N, K]; with a generator a random portrait's residual is added to each."""
        x = self._standard(torch.from_numpy(trait_features(traits)).double())
        found = self.centre + x @ self.slopes  # [N, F] @ [F, K] -> [N, K]
        if rng is not None:
            found = found + self.residuals[torch.from_numpy(rng.integers(0, len(self.residuals), len(found)))]
        return found.float()

    @property
    def explained(self) -> Tensor:
        """Share of each component's variance that traits explain in portraits left out of the fit: [K]."""
        return 1 - self.residuals.var(dim=0) / self.variance

    def _standard(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.scale


def trait_features(traits: pd.DataFrame) -> np.ndarray:
    """Numbers on which a portrait depends nearly linearly, float32 [N, F].

    Words become indicators. What hair contributes differs by sex, whose hair styles differ, and by the curl at which
    the style changes.
    """
    shape = traits[[f"shape_{i:02d}" for i in range(NUM_SHAPE)]].to_numpy(np.float32)
    proportions = traits[list(PROPORTIONS)].to_numpy(np.float32)
    numbers = traits[list(NUMBERS)].to_numpy(np.float32)
    words = [(traits[column] == word).to_numpy(np.float32) for column, word in _WORDS]
    curls = [(traits.hair_curl > curl).to_numpy(np.float32) for curl in CURLS]
    male = (traits.sex == "male").to_numpy(np.float32)
    hair = np.stack([*words, *curls], axis=1)  # [N, words and curls]
    age = traits.age.to_numpy(np.float32) - CHILD_AGE  # 0 for children, of whom the map is asked
    # Once more with the sign of the sex: by how much each counts differently in men and women.
    sexed = np.concatenate([hair, numbers], axis=1) * (2 * male[:, None] - 1)
    squares = numbers[:, :1] ** 2  # of melanin: the tone curve bends most there
    return np.concatenate([shape, proportions, numbers, squares, hair, sexed, male[:, None], age[:, None]], axis=1)


_WORDS = [("iris", word) for word in IRIS_COLOURS] + [("hair_colour", word) for word in HAIR_COLOURS]


def couple_genomes(kin: KinCodes) -> tuple[Genomes, Genomes]:
    """Fathers and mothers of all couples of a kin set, in the order of their numbers."""
    couples = sorted(kin.table.couple.unique())
    found = [family(kin.seed, KIN, int(couple), 1)[:2] for couple in couples]
    fathers, mothers = zip(*found, strict=True)
    return concatenate(fathers), concatenate(mothers)


def make_pairs(fathers: Genomes, mothers: Genomes, portraits: PortraitCodes, count: int, num: int, seed: int) -> Pairs:
    """Random couples of men and women, with children whose portraits' codes follow from their traits.

    Args:
        fathers, mothers: those to be paired, any number of each.
        portraits: the map from traits to codes.
        count: couples.
        num: children of each, all of one sex.
        seed: of everything.
    """
    rng = np.random.default_rng([seed, 3])
    father = rng.integers(0, len(fathers), count)
    mother = _mothers_for(fathers.ancestry[father].argmax(axis=1), mothers.ancestry.argmax(axis=1), rng)
    male = rng.integers(0, 2, count)
    parts = []
    for some in np.array_split(np.arange(count), max(1, count // AT_ONCE)):
        young = children(fathers[father[some]], mothers[mother[some]], num, rng)
        sexes = np.where(male[some], SEXES.index("male"), SEXES.index("female")).repeat(num)
        traits = phenotypes(young.with_sex(sexes)).to_frame().assign(age=CHILD_AGE)
        parts.append(portraits(traits, rng).unflatten(0, (len(some), num)))  # [C * T, K] -> [C, T, K]
    index = [torch.from_numpy(np.asarray(rows)).long() for rows in (father, mother)]
    return Pairs(*index, torch.from_numpy(male).float(), torch.cat(parts))


def _mothers_for(homes: np.ndarray, mothers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Row of a mother for each father: of his population or, with the probability `MIXED`, of any.

    Args:
        homes: population of each father, [N].
        mothers: population of each mother, [M].
    """
    everybody = np.arange(len(mothers))
    of_home = {home: np.flatnonzero(mothers == home) for home in np.unique(homes)}
    alike = [of_home[home] if len(of_home[home]) else everybody for home in homes]
    return np.array([rng.choice(everybody if rng.random() < MIXED else some) for some in alike])
