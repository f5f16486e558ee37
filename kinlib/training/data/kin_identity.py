"""What an identity network sees in a child's code: nearly a linear map, by which a sampler can be trained.

The distance of codes weighs what fills the picture: hair, light, skin. The likeness of a family lies in what an
identity network sees. Its embedding of the generated picture is close to a linear function of the code's principal
components, which costs nothing in training.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from kinlib.checkpoints import weights
from kinlib.faces.identity import load_identity
from kinlib.gan.generator import load_generator

__all__ = ["DIMENSIONS", "embed_codes", "fit_identity_map"]

DIMENSIONS = 96  # of 512; they hold 97% of the embeddings' variance among 1,000 rendered children
RIDGE = 10.0  # by the error of held-out children, among 10, 100 and 300
BATCH = 16


@torch.inference_mode()
def embed_codes(codes: Tensor, progress: Callable[[int], None] | None = None) -> Tensor:
    """Identity embeddings [N, 512] of the pictures of codes W+ [N, L, 512], by the bundled networks.

    Args:
        codes: of any floating type.
        progress: called with the number of pictures of each batch.
    """
    generator = load_generator(weights.path("studio_generator"))
    identity = load_identity(weights.path("studio_identity"))
    found = []
    for some in codes.split(BATCH):
        found.append(identity(generator.synthesis(some.float()).clamp(-1, 1)))
        if progress:
            progress(len(some))
    return torch.cat(found)


def fit_identity_map(components: Tensor, embeddings: Tensor, weight: float = 1.0) -> Tensor:
    """The linear map [K, D] from standardised components to the principal directions of embeddings.

    Args:
        components: [N, K].
        embeddings: [N, 512] of the same people.
        weight: of the outcome: its mean square over people and directions is `weight` squared.
    """
    x, y = (some.double() - some.double().mean(dim=0) for some in (components, embeddings))
    _, _, axes = torch.svd_lowrank(y, min(DIMENSIONS, *y.shape), niter=4)
    gram = x.T @ x + RIDGE * torch.eye(x.shape[1], dtype=x.dtype)  # [K, K]
    slopes = torch.linalg.solve(gram, x.T @ (y @ axes))  # [K, D]
    size = (x @ slopes).square().mean().sqrt()  # of what the map itself gives, not of the embeddings
    return (slopes * (weight / size)).float()
