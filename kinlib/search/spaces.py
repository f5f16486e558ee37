"""What a search moves in: coordinates of mean 0 and variance 1, and the network that makes pictures of them.

`vae` has the coordinates of the autoencoder's latent vectors (see `kinlib.search.vae`), `w` those of StyleGAN2's W: the
principal components of its mapping network's samples. One search, one session and one witness serve both.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from kinlib.gan.directions import Direction
from kinlib.gan.encoder import Encoder
from kinlib.gan.generator import Generator
from kinlib.io.images import resize
from kinlib.runtime.errors import KinlibError
from kinlib.search.vae import VAE, load_vae

__all__ = ["SPACES", "SearchSpace", "load_space", "vae_space", "w_space"]

SAMPLES = 4096  # of the mapping network, whose principal components are taken: 32 for each of 128
OUTER = 1 / 3  # share of the samples at either end of an attribute, whose means' difference is its vector
PART = 64  # codes synthesised at once


@dataclass(frozen=True)
class SearchSpace:
    """Coordinates and their pictures.

    Attributes:
        name: "vae" or "w".
        num_dimensions: D.
        size: side of the pictures, px.
        decode: coordinates [B, D] -> pictures [B, 3, S, S] in [-1, 1].
        encode: aligned faces [B, 3, any, any] in [-1, 1] -> coordinates [B, D], as near as the space allows.
        fingerprint: of the network; coordinates mean nothing to another one.
        attributes: attribute vectors, name -> [D].
        draw: `decode` with gradients; None where the space has none.
    """

    name: str
    num_dimensions: int
    size: int
    decode: Callable[[Tensor], Tensor]
    encode: Callable[[Tensor], Tensor]
    fingerprint: str
    attributes: Mapping[str, Tensor] = field(default_factory=dict)
    draw: Callable[[Tensor], Tensor] | None = None


def vae_space(net: VAE | None = None) -> SearchSpace:
    """The space of an autoencoder; None takes the bundled one."""
    net = load_vae() if net is None else net

    @torch.no_grad()
    def decode(coordinates: Tensor) -> Tensor:
        return net.decode(coordinates)

    @torch.no_grad()
    def encode(images: Tensor) -> Tensor:
        return net.coordinates(images)

    return SearchSpace("vae", net.latent, net.size, decode, encode, _fingerprint(net), net.attributes, net.decode)


@torch.no_grad()
def w_space(
    generator: Generator, encoder: Encoder, directions: Mapping[str, Direction] | None = None, num_dimensions: int = 128
) -> SearchSpace:
    """W of a generator, along the principal components of its samples.

    Args:
        generator: StyleGAN2.
        encoder: of W+ codes, whose mean over the layers stands for a code in W.
        directions: with probes, from which attribute vectors are made.
        num_dimensions: D, components that are kept.

    Raises:
        KinlibError: if there are more components than numbers in W.
    """
    if not 1 <= num_dimensions <= generator.style_dim:
        raise KinlibError(f"W has {generator.style_dim} numbers: {num_dimensions} components cannot be")
    z = torch.randn(SAMPLES, generator.style_dim, generator=torch.Generator().manual_seed(0))
    samples = generator.mapping(z)  # [N, 512]
    centre = samples.mean(dim=0)
    variance, axes = torch.linalg.eigh(torch.cov(samples.double().t()))  # in rising order
    spread = variance.flip(0)[:num_dimensions].clamp_min(1e-12).sqrt().float()  # [D]
    axes = axes.flip(1)[:, :num_dimensions].float()  # [512, D]

    def draw(coordinates: Tensor) -> Tensor:
        codes = generator.broadcast(centre + (coordinates * spread) @ axes.t())  # [B, D] -> [B, L, 512]
        return torch.cat([generator.synthesis(part).clamp(-1, 1) for part in codes.split(PART)])

    @torch.no_grad()
    def encode(images: Tensor) -> Tensor:
        codes = encoder(resize(images, 256)).mean(dim=1)  # [B, L, 512] -> [B, 512]
        return ((codes - centre) @ axes) / spread

    known = ((samples - centre) @ axes) / spread
    vectors = _attribute_vectors(generator.broadcast(samples), known, directions or {})
    name, size, network = "w", generator.resolution, _fingerprint(generator)
    return SearchSpace(name, num_dimensions, size, torch.no_grad()(draw), encode, network, vectors, draw)


def _attribute_vectors(codes: Tensor, coordinates: Tensor, directions: Mapping[str, Direction]) -> dict[str, Tensor]:
    """Mean coordinates of the samples whose attribute, as a probe reads it, is in the upper third, less the lower."""
    vectors, count = {}, int(OUTER * len(codes))
    for name, direction in directions.items():
        if direction.probe is not None:
            order = direction.read(codes).argsort()
            vectors[name] = coordinates[order[-count:]].mean(dim=0) - coordinates[order[:count]].mean(dim=0)
    return vectors


def load_space(name: str) -> SearchSpace:
    """A space of the bundled networks: "vae" or "w".

    Raises:
        KinlibError: if there is no such space, or its weights are missing.
    """
    if name not in SPACES:
        raise KinlibError(f"there is no search space '{name}': {', '.join(SPACES)}")
    if name == "vae":
        return vae_space()
    from kinlib.checkpoints import weights
    from kinlib.gan.directions import load_directions
    from kinlib.gan.encoder import load_encoder
    from kinlib.gan.generator import load_generator

    generator = load_generator(weights.path("studio_generator"))
    return w_space(generator, load_encoder(weights.path("studio_encoder"), generator), load_directions())


SPACES = ("vae", "w")


def _fingerprint(net: nn.Module) -> str:
    """SHA-256 of a network in half precision, as it is stored."""
    digest = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().half().contiguous().numpy().tobytes())
    return digest.hexdigest()
