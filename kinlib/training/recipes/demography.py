"""The studio's demography network: age, sex, founder population and emotion, all from one small network.

Two labels are derived: the population from the set's seed and the person's number, from which alone people are made,
and the emotion from the expression by the rules of `kinlib.studio.appearance.emotions`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor

from kinlib.evaluation.groups import by_group, groups_of, population_indices
from kinlib.faces.demography import AGES, DemographyNet, answers, expected_age
from kinlib.runtime.errors import KinlibError
from kinlib.studio.appearance.emotions import EMOTIONS, emotion
from kinlib.studio.datasets.renders import SET_NOTE, FaceSet, load_faces
from kinlib.studio.genetics.populations import POPULATIONS
from kinlib.training.data.augment import Augmentation
from kinlib.training.engine.network_sizes import use_channels_last
from kinlib.training.engine.processes import launch
from kinlib.training.engine.settings import TrainSettings
from kinlib.training.engine.supervised import SupervisedTrainer

__all__ = ["DemographySettings", "Labels", "emotion_weights", "evaluate", "populations_of", "train", "labels_of"]

AGE_BLUR = 2.5  # years, standard deviation of the target distribution over ages: neighbouring ages look alike


@dataclass(kw_only=True)
class DemographySettings(TrainSettings):
    """Train the demography network."""

    run: Path = Path("runs/demography")
    """folder of checkpoints and log"""
    batch: int = 64
    """pictures in a step, over all processes"""
    pictures: int = 30_000
    """most pictures to read; each takes 66 kB of memory in every process"""


@dataclass
class Labels:
    """Labels of N pictures: age float32 [N] in years; gender (1 male), race and emotion int64 [N]."""

    age: Tensor
    gender: Tensor
    race: Tensor
    emotion: Tensor

    def __getitem__(self, rows: Tensor) -> "Labels":
        return Labels(self.age[rows], self.gender[rows], self.race[rows], self.emotion[rows])

    def to(self, device: torch.device) -> "Labels":
        """The same on another device."""
        return Labels(*(getattr(self, name).to(device) for name in ("age", "gender", "race", "emotion")))


def populations_of(folder: Path, people: np.ndarray) -> np.ndarray:
    """Index of each person's founder population, int64 [N], in a set that `kinlib render` wrote.

    Raises:
        KinlibError: if the set does not say from which seed it was made.
    """
    try:
        seed = int(json.loads((Path(folder) / SET_NOTE).read_text())["seed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KinlibError(
            f"'{folder}' has no {SET_NOTE} with the seed of its people: render a set with `kinlib render`"
        ) from error
    return population_indices(seed, people)


def labels_of(faces: FaceSet, folder: Path) -> Labels:
    """Labels of the pictures of a set read from `folder`."""
    table = faces.table
    emotions = [EMOTIONS.index(emotion(strength)) for strength in table.expression]
    return Labels(
        torch.from_numpy(table.age.to_numpy(np.float32, copy=True)),
        torch.from_numpy(table.male.to_numpy(np.int64, copy=True)),
        torch.from_numpy(populations_of(folder, table.person.to_numpy())),
        torch.tensor(emotions),
    )


def train(settings: DemographySettings) -> None:
    """Train, resuming from the last checkpoint, and write the weights with their recipe and metrics."""
    launch(_train, settings)


def _train(settings: DemographySettings, accelerator: Accelerator) -> None:
    device = accelerator.device
    torch.manual_seed(settings.seed)
    training, held_out = load_faces(settings.data, settings.pictures).split()
    truth = labels_of(training, settings.data)  # no label changes when a picture is augmented
    weights = emotion_weights(truth.emotion).to(device)
    net = use_channels_last(DemographyNet())
    trainer = SupervisedTrainer(net, settings, accelerator, weight_decay=0.05, half_life=100)
    augment = Augmentation(net.input_size)
    for index in trainer.batches(len(training)):
        views = augment(training.images[index], training.labels[index], trainer.rng)
        with accelerator.autocast():
            found = net(views.source.to(device, memory_format=torch.channels_last))
        trainer.step(demography_loss(found, truth[index].to(device), weights))
    if trainer.run.is_main:
        metrics = evaluate(trainer.average, held_out, labels_of(held_out, settings.data))
        trainer.run.log(**{name: metrics[name] for name in OVERALL})
        trainer.write("demography", metrics, len(training), training.table.person.nunique())


def emotion_weights(emotions: Tensor) -> Tensor:
    """Weight of each emotion in the loss, [7]: one by the root of its count, so that rare ones are learned as well."""
    counts = emotions.bincount(minlength=len(EMOTIONS)).float()
    # Emotions that do not occur have no weight.
    weights = torch.where(counts > 0, counts.clamp(min=1).rsqrt(), 0.0)
    return weights * counts.sum() / (weights * counts).sum()  # mean 1 over the pictures


def demography_loss(found: dict[str, Tensor], truth: Labels, weights: Tensor) -> Tensor:
    """Cross-entropy of all four predictions, of the age against a Gaussian of width `AGE_BLUR`, and the age's error.

    Weights were set by hand. The cross-entropy over 101 ages counts 0.3, since it is 4.6 for a uniform prediction, and
    the age's mean absolute error counts in decades.
    """
    years = torch.arange(AGES, device=truth.age.device)  # [ages]: the network's classes are whole years
    target = (-0.5 * ((years - truth.age[:, None]) / AGE_BLUR) ** 2).softmax(dim=1)  # [B, ages]
    loss = 0.3 * F.cross_entropy(found["age"].float(), target)
    loss = loss + (expected_age(found["age"]) - truth.age).abs().mean() / 10
    loss = loss + F.cross_entropy(found["emotion"].float(), truth.emotion, weights)  # most renders smile
    for name in ("gender", "race"):
        loss = loss + F.cross_entropy(found[name].float(), getattr(truth, name))
    return loss


# Metrics of all pictures together, in the order of the labels' fields.
OVERALL = ("age_mae", "sex_accuracy", "population_accuracy", "emotion_accuracy")


def evaluate(net: DemographyNet, held_out: FaceSet, truth: Labels) -> dict:
    """On held-out people: mean absolute error of the age in years, and accuracy of the rest.

    Returns:
        The four metrics of `OVERALL`, also under `groups` (those of `groups_of`, and by emotion), each with its number
        of pictures; `population_accuracy_per_person`, from the mean over all of a person's pictures;
        `emotion_accuracy_mean`, the mean over the emotions that occur, since most are smiles; and as `guess` what
        always predicting the commonest label reaches.
    """
    found = answers(net.eval(), held_out.images.float() / 127.5 - 1)  # shares and years, [N, ...] each
    hits = {  # of each picture, [N]
        "age_mae": (found["age"] - truth.age).abs(),
        "sex_accuracy": (found["gender"].argmax(1) == truth.gender).float(),
        "population_accuracy": (found["race"].argmax(1) == truth.race).float(),
        "emotion_accuracy": (found["emotion"].argmax(1) == truth.emotion).float(),
    }
    person = torch.from_numpy(held_out.table.person.to_numpy(copy=True))
    metrics: dict = {"people": len(person.unique()), "pictures": len(held_out)}
    metrics |= {name: float(values.mean()) for name, values in hits.items()}
    metrics["population_accuracy_per_person"] = _per_person(found["race"], truth.race, person)
    # Balanced accuracy: each emotion counts the same.
    right = hits["emotion_accuracy"]
    each = [right[truth.emotion == one].mean() for one in truth.emotion.unique()]
    metrics["emotion_accuracy_mean"] = float(torch.stack(each).mean())
    metrics["guess"] = _guessing(truth)
    metrics["groups"] = by_group(_groups(held_out.table, truth), **hits)
    return metrics


def _groups(table: pd.DataFrame, truth: Labels) -> dict[str, np.ndarray]:
    """Rows of each group, bool [N]."""
    homes = [POPULATIONS[i] for i in truth.race]
    groups = groups_of(table.assign(age=truth.age.numpy(), male=truth.gender.numpy() == 1, population=homes))
    emotions = {name: (truth.emotion == i).numpy() for i, name in enumerate(EMOTIONS)}
    return groups | {name: rows for name, rows in emotions.items() if rows.any()}


def _per_person(shares: Tensor, truth: Tensor, person: Tensor) -> float:
    # Probabilities are averaged over a person's pictures, then the commonest population is taken.
    right = [shares[person == one].mean(0).argmax() == truth[person == one][0] for one in person.unique()]
    return float(torch.stack(right).float().mean())


def _guessing(truth: Labels) -> dict[str, float]:
    """The baseline that sees no picture: the median age, and the commonest label."""
    result = {"age_mae": float((truth.age - truth.age.median()).abs().mean())}
    for key, values in zip(OVERALL[1:], (truth.gender, truth.race, truth.emotion), strict=True):
        result[key] = float(values.bincount().max() / len(values))
    return result
