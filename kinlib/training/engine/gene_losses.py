"""Losses of the gene networks: StyleGene's (Li et al. 2023, Eq. 6 and 7), and two of ours.

Norms are divided by the root of the number of entries, alike in all, so that sizes do not change their ratio.
"""

import torch
from torch import Tensor

from kinlib.gan.generator import Generator
from kinlib.inheritance.genes.networks import GeneDecoder, GeneEncoder, Genes
from kinlib.inheritance.genes.regions import GROUPS, region_indices

__all__ = ["cycle_loss", "gene_loss", "latent_loss", "regional_loss"]

SYNTHESISED = 4  # faces of a batch in the regional loss, three pictures each: a third of a step of 32 on a CPU
NOSE = region_indices("nose")


def latent_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Eq. 6: root mean square of the difference of codes [B, L, 512], mean over the batch."""
    return _root_mean_square((found - wanted).flatten(1)).mean()


def gene_loss(found: Genes, wanted: Genes) -> Tensor:
    """Eq. 7: of every region the root mean square of the difference of means, and that of standard deviations.

    Returns:
        The sum over regions, mean over the batch.
    """
    parts = [found.mean - wanted.mean, torch.exp(found.log_variance / 2) - torch.exp(wanted.log_variance / 2)]
    # [B, N, R, D] -> [B, R, N*D] -> [B, R]
    return sum(_root_mean_square(part.transpose(1, 2).flatten(2)).sum(dim=1).mean() for part in parts)


def cycle_loss(encoder: GeneEncoder, decoder: GeneDecoder, read: Genes, rng: torch.Generator) -> Tensor:
    """Genes of a child with each region from one of two people, against the genes that are read from its code."""
    means = read.mean.detach()
    coins = torch.rand(len(means), 1, means.shape[2], 1, generator=rng).to(means)
    child = torch.where(coins < 0.5, means, means.roll(1, 0))
    found = encoder(decoder(child)).mean
    return _root_mean_square((found - child).transpose(1, 2).flatten(2)).sum(dim=1).mean()


def regional_loss(
    decoder: GeneDecoder, generator: Generator, genes: Tensor, codes: Tensor, labels: Tensor, rng: torch.Generator
) -> Tensor:
    """Pictures of faces with some regions' genes from another person.

    Where either of the two has these regions, the swapped face is compared with the picture of the owner's code,
    elsewhere with that of the receiver's; both are means of absolute differences over these pixels. (Pictures decoded
    from their genes would be no targets: the loss is 0 if all genes decode to one face.) Each face gets a group of
    regions, or one region, from the other face of the batch that holds the head most alike: between two poses, neither
    picture shows what the swapped face should be.

    Args:
        decoder: of genes.
        generator: of pictures of S px.
        genes: [B, N, R, D].
        codes: of the same faces, W+ [B, L, 512].
        labels: region maps [B, S, S].
        rng: of the regions.
    """
    labels, count = labels.long(), min(SYNTHESISED, len(labels))
    owner = _alike_in_pose(labels, count)  # [b]
    taken = _some_regions(count, genes.shape[2], rng).to(genes.device)  # [b, R]
    swapped = torch.where(taken[:, None, :, None], genes[owner], genes[:count])
    with torch.no_grad():
        receiver, wanted = (generator.synthesis(given) for given in (codes[:count], codes[owner]))
    found = generator.synthesis(decoder(swapped))
    # [b, R] -> [b, S, S]: whether the label of a pixel is among the taken ones
    inside = sum(taken.gather(1, shown[:count].flatten(1)).view_as(labels[:count]) for shown in (labels, labels[owner]))
    inside = inside.clamp(max=1).float()[:, None]  # [b, 1, S, S]
    return _masked_mean(found - wanted, inside) + _masked_mean(found - receiver, 1 - inside)


def _alike_in_pose(labels: Tensor, count: int) -> Tensor:
    """For the first faces, the other face whose nose lies nearest: aligned faces differ there by yaw and pitch."""
    nose = torch.isin(labels, torch.tensor(NOSE, device=labels.device)).float()  # [B, S, S]
    places = torch.arange(labels.shape[-1], device=labels.device).float()
    total = nose.sum(dim=(1, 2)).clamp_min(1)
    centre = torch.stack([(nose.sum(dim=axis) * places).sum(dim=1) / total for axis in (1, 2)], dim=1)  # [B, 2]
    distance = torch.cdist(centre[:count], centre)
    return distance.fill_diagonal_(float("inf")).argmin(dim=1)


def _some_regions(count: int, regions: int, rng: torch.Generator) -> Tensor:
    """Regions to swap in each face, bool [b, R]: of one group in half of them, else one; never the background."""
    taken = torch.zeros(count, regions, dtype=torch.bool)
    for row in taken:
        if torch.rand((), generator=rng) < 0.5:
            group = list(GROUPS)[int(torch.randint(len(GROUPS), (), generator=rng))]
            row[list(region_indices(group))] = True
        else:
            row[int(torch.randint(1, regions, (), generator=rng))] = True
    return taken


def _root_mean_square(x: Tensor) -> Tensor:
    """Over the last axis; its gradient is 0, not undefined, where all is zero."""
    return x.square().mean(dim=-1).clamp_min(1e-12).sqrt()


def _masked_mean(difference: Tensor, mask: Tensor) -> Tensor:
    """Mean of absolute differences [B, 3, S, S] over the pixels of a mask [B, 1, S, S]; 0 if there are none."""
    return (difference.abs() * mask).sum() / (3 * mask.sum()).clamp_min(1)
