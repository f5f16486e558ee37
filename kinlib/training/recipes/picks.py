"""The learned step between two screens of a search, trained by simulated witnesses.

Decoding and embedding every face of every screen would take days. A small network first learns to say what embedding
the face of given coordinates has, from a few thousand decoded ones; witnesses then look through it. The searches of a
batch run side by side for all rounds. After each round the network's place for the remembered face is judged by the
cosine of its embedding to that of the face that was seen, which is a picture of a person of the training set.
"""

import io
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from PIL import Image
from torch import Tensor, nn

from kinlib.evaluation.witness_search import embed
from kinlib.faces.identity import load_identity
from kinlib.io.images import resize, to_tensor
from kinlib.io.tables import read_table
from kinlib.runtime.errors import KinlibError
from kinlib.search.learned_step import PickNet, summary
from kinlib.search.spaces import SPACES, load_space
from kinlib.search.witness import WitnessFaults
from kinlib.studio.datasets.renders import HELD_OUT_EVERY
from kinlib.training.engine import record
from kinlib.training.engine.processes import launch
from kinlib.training.engine.settings import TrainSettings
from kinlib.training.engine.supervised import SupervisedTrainer

__all__ = ["PickSettings", "Surrogate", "batch_loss", "train"]

STAY = 0.003  # weight of the mean square of coordinates: faces, not what the surrogate has never seen
FIT_STEPS, FIT_BATCH = 1000, 256  # of the surrogate
PART = 256  # pictures at once


@dataclass(kw_only=True)
class PickSettings(TrainSettings):
    """Train the learned step of a face search."""

    run: Path = Path("runs/picks")
    """folder of checkpoints and log"""
    steps: int = 200
    """length of the schedule"""
    batch: int = 32
    """searches in a step, over all processes"""
    lr: float = 2e-3
    """highest learning rate"""
    space: str = "vae"
    """vae or w: where faces are searched"""
    decoded: int = 3000
    """faces decoded for the surrogate"""
    rounds: int = 15
    """of a search"""
    count: int = 16
    """faces on a screen"""
    picks: int = 4
    """of a screen"""
    hidden: int = 192
    """size of the recurrent state"""

    def check_data(self) -> None:
        """Raises KinlibError as usual, or for an unknown space."""
        super().check_data()
        if self.space not in SPACES:
            raise KinlibError(f"there is no search space '{self.space}': {', '.join(SPACES)}")


class Surrogate(nn.Module):
    """From coordinates [B, D] to the identity embedding of their face, [B, E], unit length."""

    def __init__(self, num_dimensions: int, embedding: int = 512, width: int = 256):
        super().__init__()
        self.straight = nn.Linear(num_dimensions, embedding)
        self.bent = nn.Sequential(
            *(nn.Linear(num_dimensions, width), nn.GELU(), nn.Linear(width, width), nn.GELU()),
            nn.Linear(width, embedding),
        )

    def forward(self, coordinates: Tensor) -> Tensor:
        return F.normalize(self.straight(coordinates) + self.bent(coordinates), dim=-1)


def train(settings: PickSettings) -> None:
    """Decode faces, fit the surrogate, train by simulated witnesses, and write the weights with metrics."""
    launch(_train, settings)


def _train(settings: PickSettings, accelerator: Accelerator) -> None:
    torch.manual_seed(settings.seed)
    space, identity = load_space(settings.space), load_identity()
    seen, others = (_seen(settings.data, held_out, identity) for held_out in (False, True))
    surrogate, likeness = _fitted(settings, space, identity)
    net = PickNet(space.num_dimensions, settings.hidden, settings.rounds)
    net.network.copy_(torch.tensor(list(bytes.fromhex(space.fingerprint)), dtype=torch.uint8))
    trainer = SupervisedTrainer(net, settings, accelerator, weight_decay=1e-4, half_life=50, max_norm=1.0)
    for index in trainer.batches(len(seen)):
        loss = batch_loss(net, surrogate, seen[index], settings, trainer.rng)
        trainer.step(loss.mean())
    if trainer.run.is_main:
        with torch.no_grad():
            rng = torch.Generator().manual_seed(settings.seed)
            by_round = 1 - batch_loss(trainer.average, surrogate, others, settings, rng)
        metrics = {
            "surrogate_cosine": likeness,
            "identity_cosine_first": float(by_round[0]),
            "identity_cosine_last": float(by_round[-1]),
            "people": len(others),
        }
        trainer.run.log(**record.scalars(metrics))
        used = {"steps_done": trainer.run.step, "pictures_used": len(seen), "people": len(seen)}
        recipe = asdict(settings) | used
        record.write(trainer.average, settings.out, "picks", recipe, metrics, calls=trainer.calls)


@torch.no_grad()
def _seen(folder: Path, held_out: bool, identity) -> Tensor:
    """Embeddings of the first picture of everybody who is, or is not, held out: [N, 512]."""
    table = pd.concat(read_table(path, ["person", "view", "image"]) for path in folder.glob("*.parquet"))
    table = table[(table["view"] == 0) & ((table.person % HELD_OUT_EVERY == 0) == held_out)].sort_values("person")
    parts = []
    for start in range(0, len(table), PART):
        pictures = [Image.open(io.BytesIO(data)) for data in table.image.iloc[start : start + PART]]
        parts.append(identity(resize(to_tensor(pictures), identity.input_size)))
    return torch.cat(parts)


def _fitted(settings: PickSettings, space, identity) -> tuple[Surrogate, float]:
    """The surrogate, fitted, and its mean cosine to the truth on decoded faces that it has not seen."""
    rng = torch.Generator().manual_seed(settings.seed)
    # Half of them nearer to the average face, where searches end.
    scale = torch.where(torch.rand(settings.decoded, 1, generator=rng) < 0.5, 1.0, 0.6)
    coordinates = scale * torch.randn(settings.decoded, space.num_dimensions, generator=rng)
    truth = embed(space, identity, coordinates)
    kept = settings.decoded // 10
    net = Surrogate(space.num_dimensions, truth.shape[1])
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, FIT_STEPS)
    for _ in range(FIT_STEPS):
        index = kept + torch.randint(len(truth) - kept, (FIT_BATCH,), generator=rng)
        loss = (1 - (net(coordinates[index]) * truth[index]).sum(dim=1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    net.eval().requires_grad_(False)
    return net, float((net(coordinates[:kept]) * truth[:kept]).sum(dim=1).mean())


def batch_loss(
    net: PickNet, surrogate: Surrogate, seen: Tensor, settings: PickSettings, rng: torch.Generator
) -> Tensor:
    """Search for faces with embeddings [B, E]; one minus the cosine of the estimate to them, by round: [R]."""
    batch, faults = len(seen), WitnessFaults()
    foreign = seen.roll(1, 0)
    foreign = F.normalize(foreign - (foreign * seen).sum(dim=1, keepdim=True) * seen, dim=1)
    memory = faults.clarity * seen + (1 - faults.clarity**2) ** 0.5 * foreign  # [B, E], as in `Witness`
    faces = torch.randn(batch, settings.count, surrogate.straight.in_features, generator=rng)  # [B, n, D]
    state, losses = None, []
    for number in range(settings.rounds):
        with torch.no_grad():
            looks = surrogate(faces)  # [B, n, E]
            picks = _picked((looks * memory[:, None]).sum(dim=2), settings.picks, faults.error, rng)
            kept = (1 - faults.forgetting) ** settings.count  # all faces of the screen at once
            memory = F.normalize(torch.lerp(looks.mean(dim=1), memory, kept), dim=1)
        estimate, state = net(summary(faces, picks)[:, None], state)  # one round: [B, 1, 2 D] -> [B, 1, D]
        estimate = estimate[:, 0]
        losses.append(1 - (surrogate(estimate) * seen).sum(dim=1).mean() + STAY * estimate.square().mean())
        spread = net.log_spread[min(number, len(net.log_spread) - 1)].exp()
        noise = torch.randn(batch, settings.count - 2, faces.shape[2], generator=rng)
        best = torch.gather(faces, 1, picks[:, :1, None].expand(-1, -1, faces.shape[2]))
        centre = estimate.detach()[:, None]
        faces = torch.cat([best, centre, centre + spread * noise], dim=1)
    return torch.stack(losses)


def _picked(likeness: Tensor, count: int, error: float, rng: torch.Generator) -> Tensor:
    """Picks int64 [B, k], the best first, of likenesses [B, n]; a mistake is a face with a chance likeness."""
    slips = torch.rand(likeness.shape, generator=rng) < error * count / likeness.shape[1]
    noisy = torch.where(
        slips, likeness.max(dim=1, keepdim=True).values + torch.rand(likeness.shape, generator=rng), likeness
    )
    return noisy.topk(count, dim=1).indices
