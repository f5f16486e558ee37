"""Losses of the gene networks: StyleGene's (Li et al. 2023, Eq. 6 and 7), and two of ours.

Norms are divided by the root of the number of entries, alike in all, so that sizes do not change their ratio.
"""

import torch
from torch import Tensor

from kinlib.gan.generator import Generator
from kinlib.inheritance.genes.networks import GeneDecoder, GeneEncoder, Genes

__all__ = ["cycle_loss", "gene_loss", "latent_loss", "regional_loss"]

SYNTHESISED = 4  # faces of a batch in the regional loss, two pictures each: a third of a step of 32 on a CPU


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
    decoder: GeneDecoder, generator: Generator, genes: Tensor, labels: Tensor, rng: torch.Generator
) -> Tensor:
    """Pictures of faces with one region's genes from another person.

    The swapped face is compared with the owner's reconstruction where the owner has the region, and with the receiver's
    where neither has it; both are means of absolute differences over these pixels. Each face of the batch has a region
    of its own, and the face before it as owner.

    Args:
        decoder: of genes.
        generator: of pictures of R px, as large as the region maps.
        genes: [B, N, R, D].
        labels: region maps [B, S, S].
        rng: of the regions.
    """
    genes, labels = genes[:SYNTHESISED], labels[:SYNTHESISED].long()
    region = torch.randint(1, genes.shape[2], (len(genes),), generator=rng).to(genes.device)  # 0 is the background
    owner, owner_labels = genes.roll(1, 0), labels.roll(1, 0)
    taken = torch.arange(genes.shape[2], device=genes.device) == region[:, None]  # [B, R]
    swapped = torch.where(taken[:, None, :, None], owner, genes)
    with torch.no_grad():
        receiver = generator.synthesis(decoder(genes))
    found = generator.synthesis(decoder(swapped))
    inside = (owner_labels == region[:, None, None]).float()[:, None]  # [B, 1, S, S]
    outside = 1 - torch.maximum(inside, (labels == region[:, None, None]).float()[:, None])
    return _masked_mean(found - receiver.roll(1, 0), inside) + _masked_mean(found - receiver, outside)


def _root_mean_square(x: Tensor) -> Tensor:
    """Over the last axis; its gradient is 0, not undefined, where all is zero."""
    return x.square().mean(dim=-1).clamp_min(1e-12).sqrt()


def _masked_mean(difference: Tensor, mask: Tensor) -> Tensor:
    """Mean of absolute differences [B, 3, S, S] over the pixels of a mask [B, 1, S, S]; 0 if there are none."""
    return (difference.abs() * mask).sum() / (3 * mask.sum()).clamp_min(1)
