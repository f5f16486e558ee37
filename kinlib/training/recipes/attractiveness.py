"""A network that predicts mean ratings, trained as Xu and Xiang train ComboLoss (ICASSP 2020, section 3.2).

SGD with momentum 0.9, weight decay 0.001, batches of 64, a learning rate of 0.01 that falls to a tenth at each quarter
of the schedule (every 50 of 200 epochs); random crops, rotations and colours. What differs in the studio: the raters
are simulated (`kinlib.attractiveness.raters`), the network is small, takes 64 px and is initialised at random instead
of from ImageNet, and the learning rate is larger for it.

Large backbones begin with ImageNet weights if `start` names them, as in the paper. A published set (SCUT-FBP,
SCUT-FBP5500, HotOrNot) takes the place of the renders if `data` holds one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kinlib.attractiveness import readers
from kinlib.attractiveness.losses import LOSSES
from kinlib.attractiveness.network import BACKBONES, SMALL, ComboNet, SmallBackbone, load_backbone, normalise
from kinlib.attractiveness.prediction import predict
from kinlib.attractiveness.raters import make_panel
from kinlib.evaluation.groups import groups_of
from kinlib.evaluation.ratings import measure
from kinlib.runtime.errors import KinlibError
from kinlib.training.data.rated_faces import RatedFaces, augment, load_rated_pictures, load_rated_renders
from kinlib.training.engine.ema import MovingAverage
from kinlib.training.engine.processes import launch
from kinlib.training.engine.settings import TrainSettings
from kinlib.training.engine.supervised import SupervisedTrainer

__all__ = ["AttractivenessSettings", "evaluate", "optimizer_of", "step_schedule", "train"]

MOMENTUM, WEIGHT_DECAY = 0.9, 1e-3  # section 3.2
LARGE = 224  # px, input of the large backbones


@dataclass(kw_only=True)
class AttractivenessSettings(TrainSettings):
    """Train a network that predicts mean ratings: what a group of raters preferred, no property of a person."""

    run: Path = Path("runs/attractiveness")
    """folder of checkpoints and log"""
    loss: str = "combo"
    """l1, mse, smooth_l1, smooth_huber, combo, label_distribution, or smooth_huber_published, combo_published"""
    backbone: str = SMALL
    """small, resnet18 or seresnext50"""
    start: Path | None = None
    """file of ImageNet weights for a large backbone: timm's seresnext50_32x4d, or torchvision's resnet18"""
    epochs: int = 60
    """length of the schedule; the paper has 200"""
    batch: int = 64
    """pictures in a step, over all processes"""
    lr: float = 0.05
    """learning rate at the beginning; the paper has 0.01, from ImageNet weights"""
    raters: int = 60
    """simulated raters of each render"""
    split: str = "fold_1"
    """of a published set: fold_1 to fold_5, or 60_40"""
    steps: int = 0
    """length of the schedule in steps instead; 0 for that of --epochs"""

    def check_data(self) -> None:
        """Raises KinlibError if `data` holds neither renders nor a set of rated pictures."""
        self.check()
        if not self.is_of_renders():
            readers.recognise(self.data)

    def is_of_renders(self) -> bool:
        """Whether `data` is a folder that `kinlib render` wrote."""
        return any(Path(self.data).glob("*.parquet"))

    def check(self) -> None:
        """Raises KinlibError for an unknown loss or backbone, or no epochs."""
        if self.loss not in LOSSES:
            raise KinlibError(f"there is no loss '{self.loss}': {', '.join(LOSSES)}")
        if self.backbone not in BACKBONES:
            raise KinlibError(f"there is no backbone '{self.backbone}': {', '.join(BACKBONES)}")
        if self.start is not None and self.backbone == SMALL:
            raise KinlibError("--start is for a large backbone: give --backbone resnet18 or seresnext50 with it")
        if self.epochs < 1 or self.raters < 1:
            raise KinlibError("--epochs and --raters must be 1 or more")


def train(settings: AttractivenessSettings) -> None:
    """Train, resuming from the last checkpoint, and write the weights with their recipe and metrics."""
    settings.check_data()
    launch(_train, settings)


def _train(settings: AttractivenessSettings, accelerator: Accelerator) -> None:
    torch.manual_seed(settings.seed)
    size = SmallBackbone.input_size if settings.backbone == SMALL else LARGE
    training, held_out = load(settings, size)
    settings.steps = settings.steps or settings.epochs * max(1, len(training) // settings.batch)
    net = ComboNet(settings.backbone, training.levels)
    if settings.start is not None:
        load_backbone(net, settings.start)
    _begin_at(net, training.scores)
    place = accelerator.device
    trainer = SupervisedTrainer(
        net,
        settings,
        accelerator,
        average=MovingAverage(net.to(place), decay=0.0),  # the last weights, as in the paper
        optimizer=optimizer_of(net, settings.lr),
        schedule=step_schedule,
    )
    loss = LOSSES[settings.loss](training.scores, training.levels).to(place)
    net.train()
    for index in trainer.batches(len(training)):
        images = augment(training.images[index], trainer.rng, size)
        found = net(normalise(images.to(place)))
        trainer.step(loss(*found, training.scores[index].to(place)))
    if trainer.run.is_main:
        metrics = evaluate(trainer.average.eval().cpu(), held_out, settings.loss)
        trainer.run.log(**{name: metrics[name] for name in ("mae", "pearson")})
        trainer.write("attractiveness", metrics, len(training), training.table["unit"].nunique())


def load(settings: AttractivenessSettings, size: int) -> tuple[RatedFaces, RatedFaces]:
    """(training set, held-out set): of a published set the parts of its split, of renders different people."""
    if settings.is_of_renders():
        return load_rated_renders(settings.data, make_panel(settings.raters), size).split()
    return load_rated_pictures(settings.data, settings.split, size)


def optimizer_of(net: nn.Module, lr: float) -> torch.optim.SGD:
    """The paper's optimizer."""
    return torch.optim.SGD(net.parameters(), lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)


def step_schedule(progress: float) -> float:
    """Share of the learning rate: a tenth less at each quarter of the schedule."""
    return 0.1 ** min(int(4 * progress), 3)


def _begin_at(net: ComboNet, scores: Tensor) -> None:
    """Let the regression branch begin at the mean rating, which ImageNet's weights would reach in a few steps."""
    with torch.no_grad():
        net.regression_branch.bias.fill_(float(scores.mean()))


def evaluate(net: ComboNet, held_out: RatedFaces, loss: str) -> dict:
    """MAE, RMSE, Pearson and Spearman correlation on held-out people.

    Returns:
        The measures with the ends of their intervals (`mae`, `mae_low`, `mae_high`, ...); `guess`, the error of the
        mean rating; and under `groups` for each group of pictured people the error, and the means of predictions and
        of ratings.
    """
    predicted = predict(net, held_out.images.float() / 127.5 - 1, by_levels=loss == "label_distribution")
    scores, found = held_out.scores.numpy(), predicted.scores
    metrics: dict = {"people": held_out.table["unit"].nunique(), "pictures": len(held_out)}
    for name, numbers in measure(found, scores, held_out.table["unit"].to_numpy()).items():
        metrics |= dict(zip((name, f"{name}_low", f"{name}_high"), numbers, strict=True))
    metrics["guess"] = round(float(np.abs(scores - scores.mean()).mean()), 4)
    groups = groups_of(held_out.table)
    metrics["groups"] = {
        name: {
            "pictures": int(rows.sum()),
            "mae": round(float(np.abs(found - scores)[rows].mean()), 4),
            "predicted": round(float(found[rows].mean()), 4),
            "rated": round(float(scores[rows].mean()), 4),
        }
        for name, rows in groups.items()
    }
    return metrics
