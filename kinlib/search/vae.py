"""A variational autoencoder of aligned faces (Kingma and Welling 2014), after the one of FaceNet's author.

The layers are those of Hou et al. 2017 ("Deep Feature Consistent Variational Autoencoder"): strided convolutions down
to 4 px and, up again, nearest-neighbour enlargement before each convolution, which leaves no checkerboard. Pictures are
float32 [B, 3, S, S] in [-1, 1], latent vectors [B, D].

A search does not work on latent vectors, whose distribution the training leaves correlated and of any scale, but on
**coordinates**: latent vectors along the principal axes of the training faces' means, each divided by its standard
deviation. Faces have coordinates of mean 0 and variance 1, the first ones with the largest effect.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.checkpoints import weights
from kinlib.checkpoints.state_dicts import build
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.runtime.errors import KinlibError

__all__ = ["VAE", "kl_divergence", "load_vae"]

SMALLEST = 4  # px, side of the last feature map
# Channels double that often at most: two thirds of the file would be the linear layers at 4 px otherwise.
DOUBLINGS = 2
SLOPE = 0.2  # of the leaky ReLU below 0, as in FaceNet's VAE
MOST_LOG_VARIANCE = 8.0  # either way: exp(8) is no longer a number to train with, and no face needs it
ATTRIBUTE = "attribute."  # before the names of attribute vectors in a file


class VAE(nn.Module):
    """Encoder to a Gaussian over latent vectors, decoder, and the coordinates of known faces.

    Args:
        size: S, side of the pictures in px: 4 times a power of two.
        width: channels at half the size; the next two halvings double them.
        latent: D, numbers of a latent vector.

    Attributes:
        centre: mean of the training faces' latent vectors, [D].
        axes: their principal axes, each as long as its standard deviation: [D, D], rows in falling order.
        attributes: attribute vectors in coordinates, name -> [D]; empty until they are fitted.
    """

    def __init__(self, size: int = 64, width: int = 24, latent: int = 128):
        super().__init__()
        halvings = (size // SMALLEST).bit_length() - 1
        if size != SMALLEST << halvings or halvings < 1 or width < 1 or latent < 1:
            raise KinlibError(f"a VAE of {size} px, width {width}, {latent} numbers cannot be: use 64 px, or 128")
        self.size, self.width, self.latent = size, width, latent
        widths = [width << min(level, DOUBLINGS) for level in range(halvings)]  # at size/2, size/4, ..., 4 px
        self.down = nn.Sequential(*(_halve(a, b) for a, b in zip([3, *widths], widths, strict=False)))
        cells = widths[-1] * SMALLEST * SMALLEST
        self.head = nn.Linear(cells, 2 * latent)  # means, then log-variances
        self.stem = nn.Linear(latent, cells)
        up = [*reversed(widths), width]  # channels before each doubling; `width` at full size too
        self.up = nn.Sequential(*(_double(a, b) for a, b in zip(up, up[1:], strict=False)))
        self.out = nn.Conv2d(width, 3, 3, padding=1, padding_mode="replicate")
        self.register_buffer("centre", torch.zeros(latent))
        self.register_buffer("axes", torch.eye(latent))
        self.attributes: dict[str, Tensor] = {}

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, both [B, D], of the latent vectors of pictures [B, 3, S, S]."""
        features = self.down(images).flatten(1)  # [B, C, 4, 4] -> [B, C * 16]
        mean, log_variance = self.head(features).chunk(2, dim=1)
        return mean, log_variance.clamp(-MOST_LOG_VARIANCE, MOST_LOG_VARIANCE)

    def decode_latent(self, latent: Tensor) -> Tensor:
        """Pictures [B, 3, S, S] of latent vectors [B, D]; they may leave [-1, 1] a little."""
        features = self.stem(latent).unflatten(1, (-1, SMALLEST, SMALLEST))  # [B, C * 16] -> [B, C, 4, 4]
        return self.out(self.up(F.leaky_relu(features, SLOPE)))

    def coordinates(self, images: Tensor) -> Tensor:
        """Coordinates [B, D] of pictures, the mean of each posterior; any size, resized if need be."""
        from kinlib.io.images import resize

        mean, _ = self.encode(resize(images, self.size))
        return torch.linalg.solve(self.axes, mean - self.centre, left=False)  # c axes = mean - centre

    def decode(self, coordinates: Tensor) -> Tensor:
        """Pictures [B, 3, S, S] in [-1, 1] of coordinates [B, D]."""
        return self.decode_latent(self.centre + coordinates @ self.axes).clamp(-1, 1)

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstructions of sampled latent vectors, and the posterior's mean and log-variance."""
        mean, log_variance = self.encode(images)
        noise = torch.randn(mean.shape, generator=generator).to(mean)  # the reparameterisation
        return self.decode_latent(mean + (log_variance / 2).exp() * noise), mean, log_variance

    def fit_coordinates(self, means: Tensor) -> None:
        """Set `centre` and `axes` by the posterior means [N, D] of the training faces; N above D."""
        self.centre.copy_(means.mean(dim=0))
        variance, axes = torch.linalg.eigh(torch.cov(means.double().t()))  # in rising order
        # A number that the training left unused varies by almost nothing: the floor keeps the inverse finite.
        spread = variance.flip(0).clamp_min(1e-4 * variance[-1]).sqrt()
        self.axes.copy_((axes.flip(1) * spread).t())

    def tensors(self) -> dict[str, Tensor]:
        """What a file of it holds."""
        return self.state_dict() | {f"{ATTRIBUTE}{name}": vector for name, vector in self.attributes.items()}


def _halve(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 4, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.LeakyReLU(SLOPE)
    )


def _double(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2),
        nn.Conv2d(in_channels, channels, 3, padding=1, padding_mode="replicate", bias=False),
        nn.BatchNorm2d(channels),
        nn.LeakyReLU(SLOPE),
    )


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of posteriors [B, D] from the standard normal distribution, in nats: [B]."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)


@lru_cache(maxsize=2)
def load_vae(path: str | Path | None = None) -> VAE:
    """The bundled autoencoder, or the one in a file that `kinlib train vae` wrote.

    Raises:
        KinlibError: if the file is missing, damaged, or of another network.
    """
    path = Path(path) if path else weights.path("studio_vae")
    state = open_checkpoint(path)
    if not isinstance(state, Mapping) or "down.0.0.weight" not in state or "stem.weight" not in state:
        raise KinlibError(f"{path} holds no VAE: give a file that `kinlib train vae` wrote")
    attributes = {key: value for key, value in state.items() if key.startswith(ATTRIBUTE)}
    state = {key: value for key, value in state.items() if key not in attributes}
    try:
        halvings = len({key.split(".")[1] for key in state if key.startswith("down.")})
        sizes = SMALLEST << halvings, state["down.0.0.weight"].shape[0], state["stem.weight"].shape[1]
    except (IndexError, AttributeError) as problem:
        raise KinlibError(f"{path} holds no whole VAE") from problem
    net = build(lambda: VAE(*sizes), state, path, optional=("num_batches_tracked",))
    net.attributes = _attributes(attributes, net.latent, path)
    net.to(memory_format=torch.channels_last)  # decodes twice as fast on a CPU
    return net.float().eval().requires_grad_(False)


def _attributes(state: Mapping[str, Tensor], latent: int, path: Path) -> dict[str, Tensor]:
    for name, vector in state.items():
        if not isinstance(vector, Tensor) or vector.shape != (latent,) or not vector.float().isfinite().all():
            raise KinlibError(f"{path} holds no attribute vector of {latent} finite numbers under '{name}'")
    return {name.removeprefix(ATTRIBUTE): vector.float() for name, vector in state.items()}
