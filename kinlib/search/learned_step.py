"""A learned step between two screens, in the manner of HAIFAI (Strohm et al. 2024): picks in, next faces out.

A recurrent network reads, round by round, where the picked faces lie and how they differ from the rest of the screen,
and says where the remembered face must be. The next screen is drawn around that place, nearer to it from round to
round, with the best pick shown again. `kinlib train picks` trains it by simulated witnesses.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kinlib.checkpoints import weights
from kinlib.checkpoints.state_dicts import build
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.runtime.errors import KinlibError
from kinlib.search.spaces import SearchSpace
from kinlib.search.steps import Round, picked

__all__ = ["LearnedStep", "PickNet", "load_step", "summary"]


class PickNet(nn.Module):
    """From the summaries of all rounds, [B, R, 2 D], to the remembered face after each, [B, R, D].

    Args:
        num_dimensions: D of the search space.
        hidden: size of the recurrent state.
        rounds: for which a spread is learned; later ones have the last.

    Attributes:
        log_spread: logarithm of the standard deviation of the faces shown after each round, [rounds].
        network: fingerprint of the search space's network, uint8 [32].
    """

    def __init__(self, num_dimensions: int, hidden: int = 192, rounds: int = 15):
        super().__init__()
        self.reader = nn.GRU(2 * num_dimensions, hidden, batch_first=True)
        self.out = nn.Linear(hidden, num_dimensions)
        # From as wide as faces are to a fifth of it; a schedule, since no gradient passes a witness's picks.
        self.register_buffer("log_spread", torch.linspace(0.0, np.log(0.2), rounds))
        self.register_buffer("network", torch.zeros(32, dtype=torch.uint8))

    def forward(self, summaries: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Places after each round, [B, R, D], and the recurrent state to go on from."""
        read, state = self.reader(summaries, state)  # [B, R, 2 D] -> [B, R, H]
        return self.out(read), state


def summary(faces: Tensor, picks: Tensor) -> Tensor:
    """What a round says: faces [..., n, D] and picks int64 [..., k], the best first -> [..., 2 D].

    The mean of the picks, weighted by place as 1, 1/2, 1/3, ..., and its difference from the mean of the screen.
    """
    chosen = torch.gather(faces, -2, picks[..., None].expand(*picks.shape, faces.shape[-1]))  # [..., k, D]
    shares = 1 / torch.arange(1.0, picks.shape[-1] + 1)
    liked = (chosen * (shares / shares.sum())[:, None]).sum(dim=-2)
    return torch.cat([liked, liked - faces.mean(dim=-2)], dim=-1)


class LearnedStep:
    """The step of a trained network; see `kinlib.search.steps.Step`."""

    def __init__(self, net: PickNet):
        self.net = net.eval()

    @torch.no_grad()
    def estimate(self, rounds: Sequence[Round]) -> Tensor:
        """Where the remembered face must be after these rounds, float32 [D].

        Raises:
            KinlibError: if nothing has been picked.
        """
        summaries = [summary(one.faces, torch.tensor(one.picks)) for one in picked(rounds)]
        return self.net(torch.stack(summaries)[None])[0][0, -1]

    def __call__(self, rounds: Sequence[Round], count: int, rng: np.random.Generator) -> Tensor:
        used = picked(rounds)
        centre = self.estimate(used)
        spread = float(self.net.log_spread[min(len(used), len(self.net.log_spread)) - 1].exp())
        noise = torch.from_numpy(rng.standard_normal((count - 2, len(centre))).astype(np.float32))
        return torch.cat([used[-1].chosen[:1], centre[None], centre + spread * noise])


def load_step(space: SearchSpace, path: str | Path | None = None) -> LearnedStep:
    """The bundled step, or the one in a file that `kinlib train picks` wrote.

    Args:
        space: which it must have been trained for.
        path: the file; None takes the bundled one.

    Raises:
        KinlibError: if there is none, it is damaged, or it was trained for another space.
    """
    path = Path(path) if path else weights.path("studio_picks")
    state = open_checkpoint(path)
    try:
        dimensions, hidden = state["out.weight"].shape
        rounds = len(state["log_spread"])
        network = bytes(state["network"].tolist()).hex()
    except (KeyError, ValueError, TypeError, AttributeError) as problem:
        raise KinlibError(f"{path} holds no learned step: give a file that `kinlib train picks` wrote") from problem
    if network != space.fingerprint:
        raise KinlibError(f"{path} was trained for another network than this space '{space.name}' has")
    net = build(lambda: PickNet(dimensions, hidden, rounds), state, path)
    return LearnedStep(net.float().requires_grad_(False))
