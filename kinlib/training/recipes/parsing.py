"""The parser of faces: cross-entropy and Dice loss (Milletari et al. 2016) on renders with exact label maps."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor

from kinlib.evaluation.groups import groups_of
from kinlib.faces.parsing import Parser, ParsingNet, probabilities
from kinlib.io.face_labels import CLASSES, REGIONS
from kinlib.studio.datasets.renders import read_facts
from kinlib.training.data.label_maps import LabelledAugmentation, LabelledFaces, load_labelled
from kinlib.training.engine.network_sizes import use_channels_last
from kinlib.training.engine.processes import launch
from kinlib.training.engine.settings import TrainSettings
from kinlib.training.engine.supervised import SupervisedTrainer

__all__ = ["ParsingSettings", "confusion", "dice_loss", "evaluate", "train"]


@dataclass(kw_only=True)
class ParsingSettings(TrainSettings):
    """Train the parser of faces."""

    run: Path = Path("runs/parsing")
    """folder of checkpoints and log"""
    minutes: float = 120.0
    """time this call may take"""
    dice: float = 1.0
    """weight of the Dice loss beside the cross-entropy"""
    pictures: int = 30_000
    """most pictures to train on; each takes 82 kB of memory in every process"""


def train(settings: ParsingSettings) -> None:
    """Train, resuming from the last checkpoint, and write the weights with their recipe and metrics."""
    launch(_train, settings)


def _train(settings: ParsingSettings, accelerator: Accelerator) -> None:
    device = accelerator.device
    torch.manual_seed(settings.seed)
    training = load_labelled(settings.data, held_out=False, pictures=settings.pictures)
    net = use_channels_last(ParsingNet())
    trainer = SupervisedTrainer(net, settings, accelerator, weight_decay=0.02, half_life=150)
    augment = LabelledAugmentation(net.input_size)
    for index in trainer.batches(len(training)):
        images, labels = augment.labelled(training.images[index], training.labels[index], trainer.rng)
        with accelerator.autocast():
            logits = net(images.to(device, memory_format=torch.channels_last))
        trainer.step(parsing_loss(logits, labels.to(device), settings.dice))
    if trainer.run.is_main:
        facts = read_facts(settings.data, held_out=True)
        metrics = evaluate(trainer.average, load_labelled(settings.data, held_out=True), facts)
        trainer.run.log(**{name: metrics[name] for name in ("class_iou_mean", "region_iou_mean")})
        trainer.write("parsing", metrics, len(training), len(training.person.unique()))


def parsing_loss(logits: tuple[Tensor, Tensor], labels: Tensor, dice: float) -> Tensor:
    """Both heads' losses: logits [B, 19, S, S] and [B, 34, S, S], labels int64 [B, 2, S, S]."""
    loss = torch.zeros((), device=labels.device)
    # Head 0: CelebAMask-HQ's classes; head 1: the regions of facial genes.
    for head, one in enumerate(logits):
        shares = one.float().log_softmax(dim=1)  # once for both losses: it takes as long as the network
        loss = loss + F.nll_loss(shares, labels[:, head]) + dice * dice_loss(shares, labels[:, head])
    return loss


def dice_loss(logarithms: Tensor, truth: Tensor) -> Tensor:
    """One minus the mean Dice coefficient of the labels that occur in the batch; small parts weigh as large ones.

    Args:
        logarithms: of the probabilities, [B, C, H, W].
        truth: int64 [B, H, W].
    """
    count = logarithms.shape[1]
    shares = logarithms.exp()  # [B, C, H, W]
    right = shares.gather(1, truth[:, None]).flatten()  # [B H W], probability of the right label
    # Per label, over the whole batch: intersection and sizes with probabilities in place of decisions.
    inside = torch.zeros(count, device=right.device).index_add(0, truth.flatten(), right)
    true = torch.bincount(truth.flatten(), minlength=count).to(inside)
    # 1 pixel more above and below the fraction: a label that is hardly there has a score, and a gradient.
    score = (2 * inside + 1) / (shares.sum(dim=(0, 2, 3)) + true + 1)
    return 1 - score[true > 0].mean()


def confusion(found: Tensor, truth: Tensor, count: int) -> Tensor:
    """How many pixels of each label (rows) were taken for which (columns), in each picture: int64 [B, C, C].

    Args:
        found, truth: labels, [B, H, W].
        count: C, the number of labels.
    """
    # One count over all combinations of picture, true label and predicted label.
    picture = torch.arange(len(truth)).view(-1, 1, 1)  # [B, 1, 1]
    cells = (picture * count + truth.long()) * count + found.long()  # index into a flat [B, C, C]
    return torch.bincount(cells.flatten(), minlength=len(truth) * count**2).view(-1, count, count)


def evaluate(net: ParsingNet, held_out: LabelledFaces, facts: pd.DataFrame | None = None, batch: int = 32) -> dict:
    """On held-out people: intersection over union of every label, over all pixels, and share of right pixels.

    Labels that do not occur are left out of the means; of the means under `groups` those that any group lacks.

    Args:
        net: the network.
        held_out: N pictures.
        facts: what is known of them, one row each, for the groups; None for no groups.
        batch: pictures at once.
    """
    tables = _confusions(Parser(net.eval()), held_out, batch)
    metrics: dict = {"people": len(held_out.person.unique()), "pictures": len(held_out)}
    for kind, names, each in (("class", CLASSES, tables[0]), ("region", REGIONS, tables[1])):
        iou, right = _overlap(each)
        there = {name: float(value) for name, value in zip(names, iou, strict=True) if value.isfinite()}
        metrics[f"{kind}_iou_mean"] = sum(there.values()) / max(len(there), 1)
        metrics[f"{kind}_accuracy"] = right
        metrics[f"{kind}_iou"] = {name: round(value, 4) for name, value in there.items()}
    groups = {} if facts is None else groups_of(facts)
    return metrics | {"groups": _by_group(groups, tables[0])}


def _confusions(parser: Parser, held_out: LabelledFaces, batch: int) -> tuple[Tensor, Tensor]:
    """`confusion` of classes, [N, 19, 19], and of regions, [N, 34, 34]."""
    device = next(parser.net.parameters()).device
    tables: tuple[list, list] = ([], [])
    for images, labels in zip(held_out.images.split(batch), held_out.labels.split(batch), strict=True):
        found = probabilities(parser, images.to(device).float() / 127.5 - 1)
        for head, shares in enumerate(found):
            tables[head].append(confusion(shares.argmax(dim=1).cpu(), labels[:, head], shares.shape[1]))
    return torch.cat(tables[0]), torch.cat(tables[1])


def _overlap(tables: Tensor) -> tuple[Tensor, float]:
    """Intersection over union of every label [C], NaN where it does not occur, and share of right pixels."""
    table = tables.sum(dim=0)  # [C, C], all pictures together
    right, true = table.diag(), table.sum(dim=1)
    iou = right / (table.sum(dim=0) + true - right)  # [C]: intersection, over predicted + true - intersection
    return torch.where(true > 0, iou, torch.nan), float(right.sum() / table.sum())


def _by_group(groups: dict, tables: Tensor) -> dict[str, dict[str, float]]:
    """The same for each group, as a mean over the classes that all groups have, so that groups can be compared."""
    found = {name: _overlap(tables[torch.from_numpy(rows)]) for name, rows in groups.items()}
    if not found:
        return {}
    # A group without a single earring must not be compared over other classes than one with.
    shared = torch.stack([iou for iou, _ in found.values()]).isfinite().all(dim=0)
    return {
        name: {
            "pictures": int(groups[name].sum()),
            "class_iou_mean": round(float(iou[shared].mean()), 4),
            "class_accuracy": round(right, 4),
        }
        for name, (iou, right) in found.items()
    }
