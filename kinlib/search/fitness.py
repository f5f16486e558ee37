"""Fitness of pictures: how near they are to a target, by pixels or by identity. The larger the better."""

from collections.abc import Callable

from torch import Tensor

from kinlib.faces.identity import IdentityNet, load_identity
from kinlib.io.images import resize
from kinlib.runtime.errors import KinlibError
from kinlib.search.genetic import inverse_mse

__all__ = ["FITNESSES", "identity_cosine", "make_fitness"]

FITNESSES = ("pixels", "identity")


def identity_cosine(target: Tensor, identity: IdentityNet | None = None) -> Callable[[Tensor], Tensor]:
    """Cosine of identity to a target [3, H, W] in [-1, 1], of pictures [B, 3, S, S]: from -1 to 1."""
    net = load_identity() if identity is None else identity
    wanted = net(target[None])  # [1, 512]

    def fitness(pictures: Tensor) -> Tensor:
        return (net(pictures) * wanted).sum(dim=1)

    return fitness


def make_fitness(
    kind: str, target: Tensor, size: int, identity: IdentityNet | None = None
) -> Callable[[Tensor], Tensor]:
    """A fitness by name.

    Args:
        kind: "pixels" (the essay's) or "identity".
        target: an aligned face [3, H, W] in [-1, 1], of any size.
        size: of the pictures to judge, px.
        identity: the network; None takes the bundled one.

    Raises:
        KinlibError: if there is no such fitness.
    """
    if kind not in FITNESSES:
        raise KinlibError(f"there is no fitness '{kind}': {', '.join(FITNESSES)}")
    if kind == "identity":
        return identity_cosine(target, identity)
    return inverse_mse(resize(target[None], size)[0])
