"""Regress and edit: strengths of edits optimised towards a real child, the student report's experiment (6.1 to 6.3).

Both parents are mixed by slerp, and the mixture is edited by a sum of steps, one a feature, whose strengths are chosen
so that the child's features match those of the couple's real child (mean squared error). With linear steps and linear
regressors the error is a quadratic of the strengths: it has one minimum, which is solved for, so that no number of
iterations and no step size has a part in the result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.evaluation.diversity import distance_to_others
from kinlib.evaluation.edits.latent_models import compress, feature_steps, linear_model
from kinlib.evaluation.edits.readers import reliability
from kinlib.evaluation.edits.rescoring import synthesise
from kinlib.gan.generator import Generator

__all__ = ["LinearEditor", "fit_editor", "heritable_share", "likeness_curve"]

Embed = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class LinearEditor:
    """Steps that change features of a code, and regressors that read them off a code; features count in their SD.

    Attributes:
        features: F names.
        steps: [F, L, 512], change of a code for one standard deviation of a feature.
        probes: [F, L, 512], and `offsets` [F]: a code's features are its products with the probes plus the offsets.
        mean, spread: of the features where the models were fitted, in the features' own units.
    """

    features: tuple[str, ...]
    steps: Tensor
    probes: Tensor
    offsets: Tensor
    mean: pd.Series
    spread: pd.Series

    def standardise(self, features: pd.DataFrame) -> Tensor:
        """Features in their own units, N rows, as standard deviations from the mean: [N, F]."""
        return torch.tensor(((features - self.mean) / self.spread)[list(self.features)].to_numpy()).float()

    def read(self, codes: Tensor) -> Tensor:
        """Features of codes [N, L, 512] as the regressors read them: [N, F]."""
        return torch.einsum("nld,fld->nf", codes, self.probes) + self.offsets

    def edit(self, codes: Tensor, strengths: Tensor) -> Tensor:
        """Codes [N, L, 512] with strengths [N, F] or [F] applied."""
        return codes + torch.einsum("nf,fld->nld", strengths.expand(len(codes), -1), self.steps)

    def strengths(self, codes: Tensor, wanted: Tensor, decay: float = 0.0) -> Tensor:
        """The strengths [N, F] with which the regressors read what is wanted, in the sense of least squares.

        Args:
            codes: [N, L, 512].
            wanted: features [N, F] or [F], standardised.
            decay: weight of the strengths' own squares, which keeps edits small.
        """
        # Entry [f, g] is by how much a step along feature f changes the reading of feature g.
        effect = torch.einsum("fld,gld->fg", self.steps, self.probes).double()
        missing = (wanted - self.read(codes)).double()  # [N, F]
        gram = effect @ effect.t() + decay * torch.eye(len(effect))
        return torch.linalg.solve(gram, effect @ missing.t()).t().float()


def fit_editor(codes: Tensor, features: pd.DataFrame) -> LinearEditor:
    """Fit steps and regressors on labelled codes.

    Args:
        codes: W+ [N, L, 512].
        features: N rows, a column of numbers for each feature, none of them constant.
    """
    mean, spread = features.mean(), features.std()
    flat = codes.flatten(1).numpy()  # [N, L 512]
    axes = compress(flat)
    fitted = linear_model(classes=False).fit(axes.transform(flat), ((features - mean) / spread).to_numpy())
    # Components, scale and ridge are linear, so they fold into one vector a feature.
    components, scaler = axes[0], axes[1]
    probes = (fitted.coef_ / scaler.scale_) @ components.components_  # [F, K] @ [K, L 512]
    offsets = fitted.intercept_ - probes @ components.mean_ - (fitted.coef_ / scaler.scale_) @ scaler.mean_
    return LinearEditor(
        tuple(features),
        feature_steps(codes, features),
        torch.from_numpy(probes).float().unflatten(1, codes.shape[1:]),
        torch.from_numpy(offsets).float(),
        mean,
        spread,
    )


def heritable_share(parents: pd.DataFrame, children: pd.DataFrame, families: Sequence, seed: int = 0) -> pd.DataFrame:
    """Which features of a child its parents foretell: the correlation with their mean.

    Args:
        parents: the mean of both parents' features, one row a child.
        children: the child's.
        families: of each child, [N].
        seed: of the bootstrap of families.

    Returns:
        Index feature; `correlation` with its 95% interval `low`, `high`. Near zero for what is put on for a
        photograph.
    """
    return reliability(children, {name: parents[name].to_numpy() for name in parents}, families, seed)


@torch.no_grad()
def likeness_curve(
    generator: Generator, identity: Embed, codes: Tensor, moves: Tensor, multiples: Sequence[float]
) -> pd.DataFrame:
    """How alike children of different couples become as an edit grows.

    Args:
        generator: of R px.
        identity: pictures -> embeddings [B, D] of unit length.
        codes: children's codes [N, L, 512], one a couple.
        moves: what the edit adds to each, [N, L, 512] or [1, L, 512].
        multiples: of the edit.

    Returns:
        One row for each multiple and child: `multiple`, `child`, `distance` (1 - cosine of identity to the other
        children, on average) and `kept` (cosine with the child of the first multiple).
    """
    tables, first = [], None
    for multiple in multiples:
        embedded = identity(synthesise(generator, codes + multiple * moves))
        first = embedded if first is None else first
        kept = (embedded * first).sum(dim=1).double().numpy()
        facts = {"multiple": multiple, "child": np.arange(len(codes)), "distance": distance_to_others(embedded)}
        tables.append(pd.DataFrame(facts | {"kept": kept}))
    return pd.concat(tables, ignore_index=True)
