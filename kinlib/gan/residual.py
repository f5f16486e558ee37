"""A residual encoder: from the error of a code's reconstruction to an offset in W+.

ReStyle (Alaluf et al. 2021) encodes in several passes: a residual encoder sees the photograph and the current
reconstruction, and predicts an offset to the code. It has to learn from examples which offset reduces which error of
the picture. Here the generator tells: the gradient of the squared error, J' r, maps the errors r of all pixels to the
code by the generator's own Jacobian J. The network learns how far to go along which directions: it is an optimizer, in
place of Adam. This is learned gradient descent (Andrychowicz et al. 2016, "Learning to learn by gradient descent by
gradient descent"; Adler and Oktem 2017, "Solving ill-posed inverse problems using iterative deep neural networks"). The
gradient of a photograph's error is as exact as that of a render, so that such a correction carries over to pictures
unlike those of the training set.
"""

import hashlib
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.checkpoints.state_dicts import build
from kinlib.gan.generator import Generator
from kinlib.runtime.errors import KinlibError

__all__ = ["ResidualEncoder", "code_gradient", "face_importance", "fingerprint", "residual_from"]

EDGE = 0.3  # least weight, at the border of the picture: there an aligned photograph shows hair and background
STEP = 0.04  # of a number of a code, in the first pass of an untrained network: larger ones overshoot (measured)
MOMENTUM = 0.5  # share of the last offset in the next, likewise: 0 and 0.7 come less close in six passes
EPSILON = 1e-8  # added to a mean square, so that a code without error has no gradient instead of 0 / 0
SOFT = 0.5  # in units of a layer's gradient: above it steps are about equal in size, as Adam's are
LIMIT = 0.3  # of a number of an offset: what usual pictures need; without it a rare one diverges within a few passes
GAIN = 0.05  # of the learned offsets, which are so much smaller than weights; Adam moves all weights by equal steps


class ResidualEncoder(nn.Module):
    """Offset to a W+ code from the gradient of its error and the offset before: an optimizer whose rule is learned.

    Untrained it takes steps along the gradient with momentum, per layer of equal size, which is about what Adam does.
    It learns, from all layers together, the size and the momentum of each layer's step, and an offset to add. For these
    each layer's gradient is projected to `rank` numbers, which suffices, since an error reaches a code through the
    style layers of one or two convolutions only. The numbers of all layers are mixed, because layers must move
    together; each is scaled by a factor that depends on the others, and projected back. The last projection is zero at
    first.

    Args:
        num_layers: L.
        style_dim: size of a code.
        rank: numbers that are kept of a layer's gradient.
        hidden: width of the mixing layer.
    """

    def __init__(self, num_layers: int, style_dim: int = 512, rank: int = 64, hidden: int = 256):
        super().__init__()
        self.num_layers, self.rank = num_layers, rank
        numbers = num_layers * rank
        self.project = nn.Parameter(torch.randn(num_layers, style_dim, rank) / math.sqrt(style_dim))
        self.mix = nn.Linear(2 * numbers + num_layers, hidden)
        self.offset = nn.Linear(hidden, numbers)
        self.factor = _zero(nn.Linear(hidden, numbers))
        self.step = _zero(nn.Linear(hidden, num_layers))
        self.momentum = _zero(nn.Linear(hidden, num_layers))
        self.expand = nn.Parameter(torch.zeros(num_layers, rank, style_dim))
        self.register_buffer("scale", torch.ones(num_layers))

    def forward(self, gradient: Tensor, last: Tensor) -> Tensor:
        """Gradients and last offsets (zero in the first pass), both [B, L, 512] -> next offsets [B, L, 512].

        No number of an offset exceeds `LIMIT`.
        """
        size = gradient.square().mean(dim=2).add(EPSILON).sqrt()  # [B, L]
        gradient = gradient / size.unsqueeze(2)
        numbers = self._numbers(gradient)  # [B, L * rank]
        known = [numbers, self._numbers(last / STEP), (size / self.scale).log()]  # [B, L * rank] twice, [B, L]
        hidden = F.leaky_relu(self.mix(torch.cat(known, dim=1)), 0.2)  # [B, hidden]
        step, momentum = STEP * self.step(hidden).exp(), 2 * MOMENTUM * self.momentum(hidden).sigmoid()  # [B, L] each
        steepest = gradient / (SOFT + gradient.abs())
        learned = self.offset(hidden) + (1 + self.factor(hidden).tanh()) * numbers  # [B, L * rank]
        learned = torch.einsum("blr,lrd->bld", learned.unflatten(1, (self.num_layers, self.rank)), self.expand)
        offsets = momentum.unsqueeze(2) * last - step.unsqueeze(2) * steepest + GAIN * learned
        return LIMIT * (offsets / LIMIT).tanh()

    def _numbers(self, x: Tensor) -> Tensor:
        """[B, L, 512] -> [B, L * rank]."""
        return torch.einsum("bld,ldr->blr", x, self.project).flatten(1)


def _zero(layer: nn.Linear) -> nn.Linear:
    """The layer with an output that is zero until it is trained."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def code_gradient(generator: Generator, codes: Tensor, target: Tensor) -> Tensor:
    """Gradient of a reconstruction's squared error with respect to its code.

    Works in inference mode as well. The error is summed, not averaged, over the pixels: what one pixel adds to a mean
    is too small for 16 bits.

    Args:
        generator: synthesises the reconstructions; its own parameters get no gradients.
        codes: [B, L, 512].
        target: [B, 3, R, R] in [-1, 1], R the generator's resolution.

    Returns:
        [B, L, 512], float32, detached.
    """
    device = codes.device.type
    # Of 16-bit types only bfloat16 has the range that sums over a picture need; otherwise it is float32.
    half = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.bfloat16
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device, torch.bfloat16, enabled=half):
        codes, target = codes.float().clone().requires_grad_(True), target.clone()
        error = generator.synthesis(codes).float() - target
        loss = (error.square() * face_importance(generator.resolution, error)).sum()
        (gradient,) = torch.autograd.grad(loss, codes)
    return gradient.float()


def face_importance(side: int, like: Tensor) -> Tensor:
    """1 inside the oval of an aligned face, falling off to `EDGE` at the border: [side, side]."""
    axis = torch.linspace(-1, 1, side, device=like.device, dtype=like.dtype)
    radius = ((axis[None, :] / 0.8) ** 2 + (axis[:, None] / 0.95) ** 2).sqrt()  # half axes of a head in the FFHQ crop
    return EDGE + (1 - EDGE) * torch.sigmoid((1 - radius) * 8)  # the border is about a quarter of the half side wide


def fingerprint(generator: Generator) -> Tensor:
    """SHA-256 of the synthesis network in half precision, as it is stored: uint8 [32].

    The mapping network is left out, since an encoder's codes never pass it.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(generator.state_dict().items()):
        if not name.startswith("style."):
            digest.update(name.encode() + tensor.detach().cpu().half().contiguous().numpy().tobytes())
    return torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)


def residual_from(state: dict[str, Tensor], path) -> ResidualEncoder:
    """The residual encoder whose sizes fit the tensors, with these loaded.

    Raises:
        KinlibError: if they are not a residual encoder's.
    """
    try:
        num_layers, style_dim, rank = state["project"].shape
        hidden = state["mix.weight"].shape[0]
    except (KeyError, ValueError, IndexError) as problem:
        raise KinlibError(f"{path} holds corrections in no known layout ({problem})") from problem
    residual = build(lambda: ResidualEncoder(num_layers, style_dim, rank, hidden), state, path)
    return residual.float()  # whatever PyTorch's default type is
