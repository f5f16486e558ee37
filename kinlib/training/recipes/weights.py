"""The weight network of method `neural`: trained as the student report trains it (7.4), by gradients that are real.

The target of a couple is the identity embedding of its true children's portraits, and the loss the report's
`similarity_loss` between it and the embedding of the predicted child. Where that embedding comes from is the choice
`processor`: "face" synthesises the child and passes its picture through the identity network, "mock" has the report's
fixed random projection instead. The targets are real in both cases, as they are in the report.

The report's remedies against overfitting (its 7.4.4) are all here: weight decay, gradient clipping, dropout that grows,
noise on the parents' codes that decays, and a moving average of the weights.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kinlib.checkpoints import weights
from kinlib.faces.identity import load_identity
from kinlib.gan.generator import load_generator
from kinlib.inheritance.weight_network import (
    AdaptiveDimensionWeightModel,
    FaceProcessor,
    MockProcessor,
    combine,
    similarity_loss,
)
from kinlib.io.resume import read_note
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.kin import NOTE
from kinlib.training.data.kin_codes import HELD_OUT_EVERY, KinCodes, load_codes
from kinlib.training.data.kin_faces import Couples, couples_of, embed_children
from kinlib.training.engine import record
from kinlib.training.engine.ema import MovingAverage
from kinlib.training.engine.processes import launch
from kinlib.training.engine.settings import TrainSettings
from kinlib.training.engine.supervised import SupervisedTrainer

__all__ = ["WeightsSettings", "add_noise", "couple_loss", "dropout_at", "make_processor", "mean_loss", "train"]

LEAST_COUPLES = 40  # of which two are held out
WEIGHT_DECAY = 0.01  # of AdamW; the report names none, this is PyTorch's default
AVERAGE_DECAY = 0.9  # of the moving average (report, 7.4.4)
AVERAGED_EVERY = 10  # steps
BATCH = 32  # couples at a time where nothing is learned

Processor = FaceProcessor | MockProcessor


@dataclass(kw_only=True)
class WeightsSettings(TrainSettings):
    """Train the network that predicts blend weights."""

    data: Path
    """folder that `kinlib render --kin` wrote, encoded as `kinlib train sampler` does it"""
    run: Path = Path("runs/weights")
    """folder of checkpoints and log"""
    steps: int = 240
    """length of the schedule"""
    batch: int = 16
    """couples in a step, over all processes"""
    lr: float = 1e-3
    """highest learning rate"""
    processor: str = "face"
    """what gives the predicted child's embedding: face, or the report's mock"""
    mock_seed: int = 0
    """of the mock's random matrix"""
    width: int = 64
    """units of the widest hidden layers; the report has 2048"""
    blocks: str = "entry"
    """what shares one weight: entry (the report), dimension, layer or group"""
    noise: float = 0.05
    """standard deviation of noise on the parents' codes at the beginning; it decays to zero"""
    dropout: float = 0.2
    """rate of dropout at the beginning"""
    last_dropout: float = 0.5
    """rate of dropout at the end"""
    clip: float = 1.0
    """norm that gradients are scaled down to"""
    corrected: bool = True
    """the moving average without its bias towards the first weights; otherwise as the report prints it"""


def train(settings: WeightsSettings) -> None:
    """Embed the children's portraits, train, resuming from the last checkpoint, and write the weights with metrics."""
    make_processor(settings.processor, (1, 1))  # a wrong name is found before anything is computed
    launch(_train, settings)


def _train(settings: WeightsSettings, accelerator: Accelerator) -> None:
    torch.manual_seed(settings.seed)
    kin = load_codes(settings.data)
    if (couples := kin.table.couple.nunique()) < LEAST_COUPLES:
        raise KinlibError(f"'{settings.data}' has {couples} couples with codes: render {LEAST_COUPLES} or more")
    settings.run.mkdir(parents=True, exist_ok=True)
    train_set, held_out = couples_of(kin, embed_children(settings.data, kin, settings.run))
    shape = tuple(train_set.father.shape[1:])  # (L, 512)
    net = AdaptiveDimensionWeightModel(shape, settings.width, settings.dropout, settings.blocks)
    place = accelerator.device
    # Fixed in either case: what is trained is the network of weights.
    processor = make_processor(settings.processor, shape, settings.mock_seed).to(place)
    trainer = SupervisedTrainer(
        net,
        settings,
        accelerator,
        weight_decay=WEIGHT_DECAY,
        average=MovingAverage(net.to(place), AVERAGE_DECAY, AVERAGED_EVERY, settings.corrected),
        max_norm=settings.clip,  # of gradients averaged over the processes
    )
    net.train()  # dropout is on
    for index in trainer.batches(len(train_set)):
        done = trainer.run.progress()
        net.set_dropout(dropout_at(done, settings.dropout, settings.last_dropout))
        father, mother, children = (
            part[index].to(place) for part in (train_set.father, train_set.mother, train_set.children)
        )
        father, mother = (add_noise(codes, settings.noise, done, trainer.rng) for codes in (father, mother))
        trainer.step(couple_loss(net, processor, father, mother, children).mean())  # [B] -> scalar
    if trainer.run.is_main:
        metrics = _evaluate(trainer.average.eval(), held_out)
        trainer.run.log(**record.scalars(metrics))
        _write(trainer, settings, metrics, kin, train_set)


def make_processor(name: str, latent_shape: tuple[int, int], seed: int = 0) -> Processor:
    """What turns a child's code into an embedding.

    Args:
        name: "face" (the bundled generator and identity network) or "mock" (a random projection).
        latent_shape: of the codes.
        seed: of the projection.

    Raises:
        KinlibError: if the name is neither.
    """
    if name == "mock":
        return MockProcessor(latent_shape, seed=seed)
    if name != "face":
        raise KinlibError(f"unknown processor '{name}': choose face or mock")
    return real_processor()


def real_processor() -> FaceProcessor:
    """The bundled generator and identity network, through which gradients pass."""
    generator = load_generator(weights.path("studio_generator")).requires_grad_(False)
    return Faces(generator, load_identity())


class Faces(FaceProcessor):
    """A processor whose two networks move with it to a device."""

    def __init__(self, generator: nn.Module, identity: nn.Module):
        super().__init__(generator.synthesis, identity)
        self.generator, self.identity = generator, identity


def couple_loss(
    net: nn.Module | Callable[[Tensor, Tensor], Tensor],
    processor: Processor,
    father: Tensor,
    mother: Tensor,
    children: Tensor,
) -> Tensor:
    """The report's loss of each couple's predicted child, mean over its true children: [B].

    The whole batch passes the processor at once; the report's listing passes one child after the other.

    Args:
        net: (father, mother) -> weights [B, L, 512].
        processor: of the predicted code.
        father, mother: codes [B, L, 512].
        children: embeddings [B, T, 512] of T true children.
    """
    child = combine(father, mother, net(father, mother))  # [B, L, 512]
    embedding = processor.generate_embeddings_from_latent(child)  # [B, 512]
    num = children.shape[1]
    loss = similarity_loss(embedding.repeat_interleave(num, dim=0), children.flatten(0, 1))  # [B * T]
    return loss.unflatten(0, (-1, num)).mean(dim=1)  # [B, T] -> [B]


def add_noise(codes: Tensor, strength: float, progress: float, rng: torch.Generator) -> Tensor:
    """Codes with normal noise that decays linearly to nothing over the training (report, 7.4.4).

    Args:
        codes: [B, L, 512].
        strength: standard deviation at the beginning.
        progress: share of the training that is done.
        rng: of the noise, on the CPU.
    """
    factor = strength * (1 - progress)
    return codes + factor * torch.randn(codes.shape, generator=rng).to(codes) if factor > 0 else codes


def dropout_at(progress: float, first: float, last: float) -> float:
    """The rate of progressive dropout: from `first` to `last`, linear in the share of the training that is done."""
    return first + (last - first) * progress


@torch.no_grad()
def mean_loss(net: Callable[[Tensor, Tensor], Tensor], processor: Processor, couples: Couples) -> Tensor:
    """The loss of each couple, without learning: [C]."""
    parts = [couples[torch.arange(at, min(at + BATCH, len(couples)))] for at in range(0, len(couples), BATCH)]
    return torch.cat([couple_loss(net, processor, part.father, part.mother, part.children) for part in parts])


def _evaluate(net: nn.Module, held_out: Couples) -> dict:
    """Loss through the generator on held-out couples, beside that of equal weights and of coins."""
    net, processor = net.cpu(), real_processor()
    rng = torch.Generator().manual_seed(0)
    methods = {
        "neural": net,
        "average": lambda father, mother: torch.full_like(father, 0.5),
        "mask": lambda father, mother: torch.rand(father.shape, generator=rng).round(),  # coins for each couple
    }
    metrics = {"couples": len(held_out), "children": held_out.children.shape[1]}  # T
    return metrics | {
        f"loss_{name}": float(mean_loss(one, processor, held_out).mean()) for name, one in methods.items()
    }


def _write(
    trainer: SupervisedTrainer, settings: WeightsSettings, metrics: dict, kin: KinCodes, train_set: Couples
) -> None:
    count, num = len(train_set), train_set.children.shape[1]
    used = {"steps_done": trainer.run.step, "pictures_used": count * (2 + num), "people": count * (2 + num)}
    used |= {"held_out": f"every {HELD_OUT_EVERY}st couple of the set"}
    note = (read_note(settings.data / NOTE) or {}) | {"couples": int(kin.table.couple.nunique())}
    record.write(
        trainer.average, settings.out, "weights", asdict(settings) | used, metrics, calls=trainer.calls, set=note
    )
