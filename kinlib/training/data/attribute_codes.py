"""Codes in W computed from the attributes, the landmarks and the coarse colours of renders.

An autoencoder has to find a latent space by itself, and is slow to represent what covers few pixels. The attributes of
a render are known, so W can be prescribed: the principal components of all attributes at once. Generator and encoder
then have targets from the first step, and neither waits for the other. Such a W interpolates faces as an active
appearance model does (Cootes et al. 2001): points, colours and attributes change linearly from one face to another.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.faces.landmarks import MIRRORED
from kinlib.gan.encoder import Encoder
from kinlib.studio.datasets.renders import FaceSet
from kinlib.training.data.attributes import picture_attributes
from kinlib.training.data.augment import Views

__all__ = ["AttributeCodes"]

THUMB = 8  # px, side of the thumbnail that stands for the coarse colours
RIDGE = 1e-4  # of the mean variance of an attribute: enough to invert the matrix of attributes that never vary
PART = 1000  # pictures at once, which bounds the memory
# Power of the principal variances. 0 (whitening) would make all axes equal, noise included; with 1 the trailing
# axes are too weak to be learned. Chosen by eye between them.
SPREAD = 0.7


class AttributeCodes(nn.Module):
    """Target codes w for the pictures of a training set, as they look after augmentation.

    Args:
        faces: the training set; its table holds the 68 points and the attributes of each picture.
        style_dim: numbers in a code; further principal axes are left out.
    """

    def __init__(self, faces: FaceSet, style_dim: int = 512):
        super().__init__()
        self.even, self.odd = picture_attributes(faces.table)  # [N, F], [N, 2]
        points = np.stack([np.asarray(row) for row in faces.table.landmarks]).reshape(len(faces), -1, 2)  # [N, 68, 2]
        self.points = torch.from_numpy(2 * points / faces.images.shape[-1] - 1).float()
        thumbs = torch.cat([_thumbs(part) for part in _pictures(faces)])
        # Points and colours are scaled as blocks, so that their inner proportions stay.
        spread = [(block - block.mean(dim=0)).square().mean().sqrt() for block in (self.points, thumbs)]
        self.register_buffer("scale", torch.stack(spread).clamp_min(1e-6))
        attributes = self._all_attributes(thumbs)
        self.register_buffer("mean", attributes.mean(dim=0))
        self.register_buffer("axes", _principal(attributes - self.mean, style_dim))

    @torch.no_grad()
    def fit_to(self, encoder: Encoder, faces: FaceSet) -> None:
        """Replace the principal axes by the directions in which a trained encoder represents the attributes.

        By least squares of its codes on the attributes, over the training set and its mirror images.
        """
        side = encoder.backbone.input_size
        parts = [F.interpolate(part, (side, side), mode="bilinear", antialias=True) for part in _pictures(faces)]
        place = encoder.latent_avg.device
        both = [*parts, *(part.flip(3) for part in parts)]
        codes = torch.cat([encoder(part.to(place))[:, 0].cpu() for part in both])
        attributes = self._all_attributes(torch.cat([_thumbs(part) for part in _pictures(faces)])) - self.mean
        attributes, codes = attributes.double(), (codes - codes.mean(dim=0)).double()  # [2 N, K], [2 N, 512]
        gram = attributes.T @ attributes / len(attributes)
        gram += RIDGE * gram.diag().mean() * torch.eye(len(gram))  # columns of what never varies are zero
        self.axes.copy_(torch.linalg.solve(gram, attributes.T @ codes / len(attributes)))

    def _all_attributes(self, thumbs: Tensor) -> Tensor:
        """Attributes of all pictures, and of all mirror images: [2 N, K]."""
        index = torch.arange(len(thumbs))
        return torch.cat([self._attributes(index, *one) for one in self._both_ways(thumbs)])

    def _both_ways(self, thumbs: Tensor):
        """(points, thumbs, side) of all pictures, as they are and mirrored."""
        side = torch.ones(len(thumbs), 1)
        yield self.points, thumbs, side
        yield self.points[:, list(MIRRORED)] * torch.tensor([-1.0, 1.0]), _mirrored(thumbs), -side

    def _attributes(self, index: Tensor, points: Tensor, thumbs: Tensor, side: Tensor) -> Tensor:
        """[B, K], K = F + 2 + 136 + 192."""
        parts = [self.even[index], self.odd[index] * side]
        return torch.cat([*parts, points.flatten(1) / self.scale[0], thumbs / self.scale[1]], dim=1)

    def forward(self, index: Tensor, views: Views) -> Tensor:
        """Codes [B, style_dim], of mean 0 and mean square 1 over the set, for pictures `index` [B] seen as `views`."""
        side = views.side.view(-1, 1)
        points = views.moved(self.points[index])
        # In a mirror image the left eye is the right one: the 68 points change places.
        points = torch.where(side[..., None] < 0, points[:, list(MIRRORED)], points)
        return (self._attributes(index, points, _thumbs(views.target), side) - self.mean) @ self.axes


def _pictures(faces: FaceSet) -> Iterator[Tensor]:
    """All pictures in parts, [n, 3, S, S] in [-1, 1]."""
    return (part.float() / 127.5 - 1 for part in faces.images.split(PART))


def _thumbs(images: Tensor) -> Tensor:
    """[B, 3, S, S] -> [B, 3 * 8 * 8]."""
    return F.adaptive_avg_pool2d(images, THUMB).flatten(1)


def _mirrored(thumbs: Tensor) -> Tensor:
    return thumbs.unflatten(1, (3, THUMB, THUMB)).flip(3).flatten(1)


def _principal(attributes: Tensor, count: int) -> Tensor:
    """Attributes [N, K] -> matrix [K, count] to coordinates along the principal axes, in falling order of variance."""
    variance, axes = torch.linalg.eigh(attributes.double().T @ attributes.double() / len(attributes))  # rising order
    variance, axes = variance.flip(0)[:count], axes.flip(1)[:, :count]
    variance = variance.clamp_min(1e-6 * variance[0])  # rounding makes zeros negative, which have no power
    axes = axes * variance ** (SPREAD / 2 - 0.5)  # coordinates of variance v then have v^SPREAD
    axes = axes / ((variance**SPREAD).sum() / count).sqrt()  # mean square 1, as random z have
    return F.pad(axes, (0, count - axes.shape[1])).float()
