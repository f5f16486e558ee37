"""What an edit changes: its target, all other attributes, and identity (the rescoring of Shen et al. 2020, section 4).

InterFaceGAN's authors edit along one direction and let predictors of all attributes score the pictures again. Here
every direction moves the codes equally far, so that directions of different origin can be compared, and changes are
counted in standard deviations of the attribute among photographs, so that years and degrees can be compared.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.evaluation.bootstrap import draw_weights, estimate, mean, ratio
from kinlib.evaluation.edits.readers import AttributeReaders
from kinlib.gan.generator import Generator

__all__ = ["IDENTITY", "matrix", "rescore", "selectivity", "synthesise", "unit_step"]

IDENTITY = "identity"  # column of the cosine between the faces before and after
BATCH = 32  # pictures synthesised at a time

Embed = Callable[[Tensor], Tensor]


def unit_step(direction: Tensor, num_layers: int) -> Tensor:
    """A direction [1, 512] or [L, 512] as a step of length 1 in W+: [L, 512]."""
    full = direction.expand(num_layers, -1)
    return full / full.norm()


@torch.no_grad()
def synthesise(generator: Generator, codes: Tensor) -> Tensor:
    """Pictures [N, 3, R, R] in [-1, 1] of codes [N, L, 512], both on the CPU, wherever the generator is."""
    place = next(generator.parameters()).device
    return torch.cat([generator.synthesis(part.to(place)).clamp(-1, 1).cpu() for part in codes.split(BATCH)])


@torch.no_grad()
def rescore(
    generator: Generator,
    readers: AttributeReaders,
    identity: Embed,
    codes: Tensor,
    steps: Mapping[str, Tensor],
    lengths: Mapping[str, float],
    signs: Mapping[str, Tensor] | None = None,
) -> pd.DataFrame:
    """Edit codes along directions and read all attributes again.

    Args:
        generator: of R px.
        readers: they see the pictures.
        identity: pictures -> embeddings [B, D] of unit length.
        codes: W+ [N, L, 512], one a person.
        steps: by target attribute, [L, 512] of length 1, towards more of it.
        lengths: by target attribute, how far codes are moved.
        signs: by target attribute, +1 or -1 for each person [N]: towards more or less of it. Who already smiles can
            only be shown to smile less. None moves all towards more.

    Returns:
        One row for each target and person: `target`, `person`, `identity` (cosine with the unedited picture), and the
        change of each attribute, in its own unit; of a person moved towards less, with the opposite sign, so that the
        target's change is positive wherever the edit succeeds.
    """
    before = synthesise(generator, codes)
    embedded, read = identity(before), readers.read(before)
    tables = []
    for target, step in steps.items():
        sign = torch.ones(len(codes)) if signs is None else signs[target]
        after = synthesise(generator, codes + lengths[target] * sign[:, None, None] * step)
        changed = (readers.read(after) - read).mul(sign.numpy(), axis=0)
        kept = (identity(after) * embedded).sum(dim=1).double().numpy()
        facts = {"target": target, "person": np.arange(len(codes)), IDENTITY: kept}
        tables.append(pd.concat([pd.DataFrame(facts), changed], axis=1))
    return pd.concat(tables, ignore_index=True)


def matrix(table: pd.DataFrame, spreads: Mapping[str, float], seed: int = 0) -> pd.DataFrame:
    """The rescoring matrix with 95% intervals over people.

    Args:
        table: from `rescore`.
        spreads: standard deviation of each attribute among photographs, in its own unit.
        seed: of the bootstrap of people.

    Returns:
        One row for each target and attribute (and `identity`, which is a cosine): `target`, `attribute`, `mean`, `low`,
        `high`, in standard deviations.
    """
    rows = []
    for target, part in table.groupby("target", sort=False):
        weights = draw_weights(len(part), seed=seed)
        for name in (*spreads, IDENTITY):
            column = part[name].to_numpy() / spreads.get(name, 1.0)
            found = estimate(mean(column), weights)
            rows.append({"target": target, "attribute": name, **dict(zip(("mean", "low", "high"), found, strict=True))})
    return pd.DataFrame(rows)


def selectivity(table: pd.DataFrame, spreads: Mapping[str, float], seed: int = 0) -> pd.DataFrame:
    """How much of an edit goes where it should.

    Args:
        table, spreads, seed: as for `matrix`.

    Returns:
        Index target; `change` of the target in standard deviations and `side`, the mean absolute change of an attribute
        that should have stayed, as a share of it; both with their 95% interval (`_low`, `_high`) over people.
    """
    rows = {}
    for target, part in table.groupby("target", sort=False):
        scaled = part[list(spreads)] / pd.Series(spreads)
        hit = scaled[target].to_numpy()
        missed = scaled.drop(columns=target).abs().mean(axis=1).to_numpy()
        weights = draw_weights(len(part), seed=seed)
        found = estimate(mean(hit), weights), estimate(ratio(missed, hit), weights)
        names = [f"{name}{end}" for name in ("change", "side") for end in ("", "_low", "_high")]
        rows[target] = dict(zip(names, np.ravel(found), strict=True))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("target")
