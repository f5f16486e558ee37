"""The network that reads the attributes of the editing document, from renders, CelebAMask-HQ or CelebA.

It shares nothing with the editing networks' discriminator but the training pictures, so that it can judge edits. It is
measured on people who were held out.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from kinlib.editing.attribute_sets import as_tensor, read_attribute_set
from kinlib.editing.attributes import AttributeNet, read_attributes
from kinlib.training.data.augment import Augmentation
from kinlib.training.data.celeba import is_celeba
from kinlib.training.data.celebamask import is_celebamask
from kinlib.training.data.edit_faces import EditFaces, load_edit_faces
from kinlib.training.engine.processes import launch
from kinlib.training.engine.settings import TrainSettings
from kinlib.training.engine.supervised import SupervisedTrainer

__all__ = ["EditAttributesSettings", "evaluate", "rare_weights", "train"]

HALF_LIFE = 100  # steps, of the moving average
WEIGHT_DECAY = 0.05


@dataclass(kw_only=True)
class EditAttributesSettings(TrainSettings):
    """Train the network that reads which attributes a face shows, before it is edited and afterwards."""

    run: Path = Path("runs/edit_attributes")
    """folder of checkpoints and log"""
    attribute_set: Path | None = None
    """JSON file of the attributes to read (`kinlib.editing.attribute_sets`), in place of the document's thirteen"""
    steps: int = 3000
    """length of the schedule"""
    batch: int = 64
    """pictures in a step, over all processes"""
    pictures: int | None = None
    """most pictures to read; each takes 16 KB of memory in every process"""
    rare: float = 0.5
    """how much more an attribute counts in the faces that have it: the odds against it, to this power"""
    strength: float = 0.3
    """of the augmentation; 1 is what networks for photographs are trained with, and hides pale skin in other light"""

    def check_data(self) -> None:
        """Raises KinlibError unless the folder holds renders, CelebAMask-HQ or CelebA."""
        if not (is_celebamask(self.data) or is_celeba(self.data)):
            super().check_data()


def train(settings: EditAttributesSettings) -> None:
    """Train, resuming from the last checkpoint, and write the weights with their recipe and metrics."""
    launch(_train, settings)


def _train(settings: EditAttributesSettings, accelerator: Accelerator) -> None:
    device = accelerator.device
    torch.manual_seed(settings.seed)
    known = read_attribute_set(settings.attribute_set)
    net = AttributeNet(len(known))
    training, held_out = load_edit_faces(settings.data, net.input_size, settings.pictures, known)
    trainer = SupervisedTrainer(net, settings, accelerator, weight_decay=WEIGHT_DECAY, half_life=HALF_LIFE)
    augment, weights = Augmentation(net.input_size, settings.strength), rare_weights(training, settings.rare).to(device)
    for index in trainer.batches(len(training)):
        views = augment(training.images[index], _heads(training, index), trainer.rng)
        with accelerator.autocast():
            logits = net(views.source.to(device))
        true = training.attributes[index].to(device)
        trainer.step(F.binary_cross_entropy_with_logits(logits.float(), true, pos_weight=weights))
    if trainer.run.is_main:
        metrics = evaluate(trainer.average.eval(), held_out)
        trainer.run.log(accuracy_mean=metrics["accuracy_mean"])
        state = trainer.average.state_dict() | as_tensor(known)
        trainer.write("edit_attributes", metrics, len(training), training.people, state)


def rare_weights(faces: EditFaces, power: float) -> Tensor:
    """Weight of the faces that have an attribute, [A]: without it, hardly any baldness would be found.

    Of an attribute that nobody has, or everybody, it is 1.
    """
    share = faces.attributes.mean(dim=0)
    odds = (1 - share) / share
    return torch.where((share > 0) & (share < 1), odds, 1.0) ** power


def _heads(faces: EditFaces, index: Tensor) -> Tensor:
    """1 where a picture shows a person, uint8 [B, S, S]; everywhere where parts are unknown, so that it stays whole."""
    return ((faces.masks[index] > 0) | ~faces.segmented[index, None, None]).byte()


def evaluate(net: nn.Module, held_out: EditFaces) -> dict:
    """Accuracy on held-out people.

    Returns:
        `accuracy_mean` over attributes, `accuracy_least` of the attribute read worst; `accuracy_balanced`, the mean of
        the rates among faces with and without an attribute; `guess_mean`, the accuracy of the commoner answer. Under
        `attributes`, for each: `accuracy`, `balanced`, `guess`, and the `share` of faces that have it.
    """
    found, true = read_attributes(held_out.pictures(torch.arange(len(held_out))), net) > 0.5, held_out.attributes > 0.5
    right = (found == true).float()
    attributes = {}
    for number, name in enumerate(held_out.attribute_set.columns):
        has, share = true[:, number], float(true[:, number].float().mean())
        rates = [float(right[rows, number].mean()) for rows in (has, ~has) if rows.any()]
        attributes[name] = {
            "accuracy": round(float(right[:, number].mean()), 4),
            "balanced": round(sum(rates) / len(rates), 4),
            "guess": round(max(share, 1 - share), 4),
            "share": round(share, 4),
        }
    metrics: dict = {"pictures": len(held_out)} | ({} if held_out.people is None else {"people": held_out.people})
    for key, name in (("accuracy", "accuracy_mean"), ("balanced", "accuracy_balanced"), ("guess", "guess_mean")):
        metrics[name] = round(sum(one[key] for one in attributes.values()) / len(attributes), 4)
    least = min(one["accuracy"] for one in attributes.values())
    return metrics | {"accuracy_least": least, "attributes": attributes}
