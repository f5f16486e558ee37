"""Quality of a variational autoencoder on held-out faces: reconstructions, random samples and faces half-way."""

import torch
from torch import Tensor

from kinlib.evaluation.realism import detection_rate, frechet_distance
from kinlib.faces.identity import IdentityNet
from kinlib.search.vae import VAE, kl_divergence

__all__ = ["measure_vae", "psnr_db"]

PART = 100  # pictures at once


def psnr_db(found: Tensor, wanted: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of pictures [B, 3, S, S] in [-1, 1], in dB: [B]."""
    error = (found - wanted).square().flatten(1).mean(dim=1)
    return 10 * torch.log10(4 / error.clamp_min(1e-12))  # the peak is 2, its square 4


@torch.no_grad()
def measure_vae(net: VAE, images: Tensor, identity: IdentityNet, second: Tensor | None = None) -> dict[str, float]:
    """Metrics on pictures of as many held-out people.

    Args:
        net: in evaluation mode.
        images: [N, 3, S, S] in [-1, 1] at the network's size.
        identity: measures identity.
        second: another picture of each of the people; None where there is none.

    Returns:
        PSNR in dB and cosine of identity of reconstructions; with `second` the rate at which the nearest of these is
        the right person's, for reconstructions and for the pictures themselves; Fréchet distances, in identity
        features, to the pictures: of reconstructions, random samples and faces half-way between two people (and of
        the second pictures, as a yardstick); the share of samples and of half-way faces in which MTCNN finds a face;
        and the KL divergence in nats.
    """
    found = [_reconstruct(net, part) for part in images.split(PART)]
    rebuilt, coordinates, divergence = (torch.cat(parts) for parts in zip(*found, strict=True))
    draws = torch.randn(coordinates.shape, generator=torch.Generator().manual_seed(1))
    samples = _decode(net, draws)
    half_way = _decode(net, (coordinates + coordinates.roll(1, 0)) / 2)
    mine, same = _embed(identity, rebuilt), _embed(identity, images)
    metrics = {
        "psnr_db": float(psnr_db(rebuilt, images).mean()),
        "identity_cosine": float((mine * same).sum(dim=1).mean()),
        "kl_nats": float(divergence.mean()),
        "frechet_reconstructions": frechet_distance(mine, same),
        "frechet_random": frechet_distance(_embed(identity, samples), same),
        "frechet_half_way": frechet_distance(_embed(identity, half_way), same),
        "mtcnn_random": detection_rate(samples),
        "mtcnn_half_way": detection_rate(half_way),
    }
    if second is not None:
        other = _embed(identity, second)
        metrics |= {
            "frechet_other_view": frechet_distance(other, same),
            "identification_rate_other_view": _nearest_is_right(mine, other),
            "identification_rate_other_view_of_originals": _nearest_is_right(same, other),
        }
    return metrics


def _reconstruct(net: VAE, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    mean, log_variance = net.encode(images)
    return net.decode_latent(mean).clamp(-1, 1), net.coordinates(images), kl_divergence(mean, log_variance)


def _decode(net: VAE, coordinates: Tensor) -> Tensor:
    return torch.cat([net.decode(part) for part in coordinates.split(PART)])


def _embed(identity: IdentityNet, images: Tensor) -> Tensor:
    return torch.cat([identity(part) for part in images.split(PART)])


def _nearest_is_right(found: Tensor, known: Tensor) -> float:
    return float(((found @ known.t()).argmax(dim=1) == torch.arange(len(found))).float().mean())
