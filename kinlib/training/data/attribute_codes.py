"""The code a picture should have, known beforehand: what made it, where its points lie, and its coarse colours.

An autoencoder has to find out by itself what is worth a place in W, and is slow to notice what covers few pixels. The
studio knows what made each picture, so W can be given: the principal space of all facts at once. The generator then
learns to draw from right codes from its first step, and the encoder to read them; neither waits for the other. W made
like this mixes faces as an active appearance model does (Cootes et al. 2001): points, colours and looks each go in a
straight line from one face to another.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.faces.landmarks import MIRRORED
from kinlib.gan.encoder import Encoder
from kinlib.studio.datasets.renders import FaceSet
from kinlib.training.data.attributes import picture_factors
from kinlib.training.data.augment import Views

__all__ = ["KnownCodes"]

THUMB = 8  # side of the coarse picture
RIDGE = 1e-4  # of the mean variance of a fact
SPREAD = 0.7  # power of the variances: 0 would make all axes equal, 1 would leave the trailing ones too faint to learn


class KnownCodes(nn.Module):
    """Right codes for the pictures of a training set, as they look after augmentation.

    Args:
        faces: the training set; its table holds the 68 points and what made each picture.
        style_dim: numbers in a code; facts beyond as many principal axes are left out.
    """

    def __init__(self, faces: FaceSet, style_dim: int = 512):
        super().__init__()
        self.still, self.turning = picture_factors(faces.table)
        points = np.stack([np.asarray(row) for row in faces.table.landmarks]).reshape(len(faces), -1, 2)
        self.points = torch.from_numpy(2 * points / faces.images.shape[-1] - 1).float()
        thumbs = torch.cat([_thumbs(part) for part in _pictures(faces)])
        spread = [(block - block.mean(dim=0)).square().mean().sqrt() for block in (self.points, thumbs)]
        self.register_buffer("scale", torch.stack(spread).clamp_min(1e-6))
        facts = self._all_facts(thumbs)
        self.register_buffer("mean", facts.mean(dim=0))
        self.register_buffer("axes", _principal(facts - self.mean, style_dim))

    @torch.no_grad()
    def follow(self, encoder: Encoder, faces: FaceSet) -> None:
        """Give every fact the direction in which a trained encoder reads it, in place of the principal axes.

        By least squares of its codes on the facts, over the training set and its mirror images.
        """
        side = encoder.backbone.input_size
        parts = [F.interpolate(part, (side, side), mode="bilinear", antialias=True) for part in _pictures(faces)]
        place = encoder.latent_avg.device
        both = [*parts, *(part.flip(3) for part in parts)]
        codes = torch.cat([encoder(part.to(place))[:, 0].cpu() for part in both])
        facts = self._all_facts(torch.cat([_thumbs(part) for part in _pictures(faces)])) - self.mean
        facts, codes = facts.double(), (codes - codes.mean(dim=0)).double()
        gram = facts.T @ facts / len(facts)
        gram += RIDGE * gram.diag().mean() * torch.eye(len(gram))  # columns of what never varies are zero
        self.axes.copy_(torch.linalg.solve(gram, facts.T @ codes / len(facts)))

    def _all_facts(self, thumbs: Tensor) -> Tensor:
        """Facts of all pictures, and of all mirrored: [2 N, K]."""
        index = torch.arange(len(thumbs))
        return torch.cat([self._facts(index, *one) for one in self._both_ways(thumbs)])

    def _both_ways(self, thumbs: Tensor):
        """(points, thumbs, side) of all pictures, as they are and mirrored."""
        side = torch.ones(len(thumbs), 1)
        yield self.points, thumbs, side
        yield self.points[:, list(MIRRORED)] * torch.tensor([-1.0, 1.0]), _mirrored(thumbs), -side

    def _facts(self, index: Tensor, points: Tensor, thumbs: Tensor, side: Tensor) -> Tensor:
        parts = [self.still[index], self.turning[index] * side]
        return torch.cat([*parts, points.flatten(1) / self.scale[0], thumbs / self.scale[1]], dim=1)

    def forward(self, index: Tensor, views: Views) -> Tensor:
        """Codes [B, style_dim], of mean 0 and mean square 1 over the set, for pictures `index` [B] seen as `views`."""
        side = views.side.view(-1, 1)
        points = views.moved(self.points[index])
        points = torch.where(side[..., None] < 0, points[:, list(MIRRORED)], points)
        return (self._facts(index, points, _thumbs(views.target), side) - self.mean) @ self.axes


def _pictures(faces: FaceSet) -> Iterator[Tensor]:
    """All pictures in parts, [n, 3, S, S] in [-1, 1]."""
    return (part.float() / 127.5 - 1 for part in faces.images.split(1000))


def _thumbs(images: Tensor) -> Tensor:
    """[B, 3, S, S] -> [B, 3 * 8 * 8]."""
    return F.adaptive_avg_pool2d(images, THUMB).flatten(1)


def _mirrored(thumbs: Tensor) -> Tensor:
    return thumbs.unflatten(1, (3, THUMB, THUMB)).flip(3).flatten(1)


def _principal(facts: Tensor, count: int) -> Tensor:
    """Facts [N, K] -> matrix [K, count] to coordinates along the principal axes, in falling order of importance."""
    variance, axes = torch.linalg.eigh(facts.double().T @ facts.double() / len(facts))
    variance, axes = variance.flip(0)[:count], axes.flip(1)[:, :count]
    variance = variance.clamp_min(1e-6 * variance[0])
    axes = axes * variance ** (SPREAD / 2 - 0.5)
    axes = axes / ((variance**SPREAD).sum() / count).sqrt()
    return F.pad(axes, (0, count - axes.shape[1])).float()
