"""The studio's identity embedder: ArcFace (Deng et al. 2019, equation 3) on rendered people, a few views of each.

A few views of a person are a weak signal of identity. The inherited traits of every face are known, so a second task
regresses them from the embedding: they are what stays when age, hair and light change. Its head is discarded.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from kinlib.evaluation.groups import by_group, groups_of
from kinlib.faces.identity import IdentityNet, load_identity
from kinlib.studio.datasets.renders import FaceSet, load_faces
from kinlib.studio.datasets.sampling import member, sessions
from kinlib.training.data.attributes import inherited_traits
from kinlib.training.data.augment import Augmentation
from kinlib.training.engine import record
from kinlib.training.engine.network_sizes import use_channels_last
from kinlib.training.engine.processes import launch
from kinlib.training.engine.settings import TrainSettings
from kinlib.training.engine.supervised import SupervisedTrainer

__all__ = ["ArcFace", "IdentitySettings", "evaluate", "main_lamps", "train"]

READER_SCALE = 4.0  # numbers of a unit embedding of 512 are near 0.04, small for a linear layer; set by trial


@dataclass(kw_only=True)
class IdentitySettings(TrainSettings):
    """Train the identity embedder."""

    start: Path | None = None
    """weights of an identity network to resume from"""
    run: Path = Path("runs/identity")
    """folder of checkpoints and log"""
    steps: int = 3000
    """length of the schedule"""
    batch: int = 64
    """pictures in a step, over all processes"""
    # ArcFace has a margin of 0.5 and a scale of 64, for millions of photographs.
    margin: float = 0.35
    """ArcFace's additive angular margin, radians"""
    scale: float = 24.0
    """ArcFace's scale of the logits"""
    traits: float = 4.0
    """weight of the second task, reading the inherited traits"""


class ArcFace(nn.Module):
    """Softmax over people with an angular margin: embeddings [B, D], labels [B] -> loss."""

    def __init__(self, people: int, embedding: int, margin: float, scale: float):
        super().__init__()
        self.centres = nn.Parameter(F.normalize(torch.randn(people, embedding), dim=1))  # [people, D]
        self.margin, self.scale = margin, scale

    def forward(self, embeddings: Tensor, labels: Tensor, margin_share: float = 1.0) -> Tensor:
        # [B, D] x [D, people] -> [B, people]; the arc cosine has no finite slope at 1 and -1.
        cosine = (embeddings @ F.normalize(self.centres, dim=1).t()).clamp(-1 + 1e-6, 1 - 1e-6)
        angle = torch.acos(cosine.gather(1, labels[:, None]))  # [B, 1], to the right person's centre
        target = torch.cos((angle + self.margin * margin_share).clamp(max=torch.pi))  # beyond pi the cosine rises again
        return F.cross_entropy(self.scale * cosine.scatter(1, labels[:, None], target), labels)


def train(settings: IdentitySettings) -> None:
    """Train, resuming from the last checkpoint, and write the weights with their recipe and metrics."""
    launch(_train, settings)


class _Learner(nn.Module):
    """The embedder, and the heads of its two tasks."""

    def __init__(self, settings: IdentitySettings, people: int, traits: int):
        super().__init__()
        self.net = use_channels_last(IdentityNet())
        if settings.start is not None:
            self.net.load_state_dict(load_identity(settings.start).state_dict())
        self.head = ArcFace(people, 512, settings.margin, settings.scale)
        self.reader = nn.Linear(512, traits)


def _train(settings: IdentitySettings, accelerator: Accelerator) -> None:
    device = accelerator.device
    torch.manual_seed(settings.seed)
    training, held_out = load_faces(settings.data).split()
    # Numbers of people have gaps, where people are held out: classes count from 0.
    labels = torch.from_numpy(training.table.person.astype("category").cat.codes.to_numpy().astype("int64"))
    traits = inherited_traits(training.table)
    learner = _Learner(settings, int(labels.max()) + 1, traits.shape[1])
    trainer = SupervisedTrainer(learner, settings, accelerator, weight_decay=0.05, half_life=100)
    augment = Augmentation(learner.net.input_size)
    for index in trainer.batches(len(training)):
        views = augment(training.images[index], training.labels[index], trainer.rng)
        with accelerator.autocast():
            embeddings = learner.net(views.source.to(device)).float()  # [B, 512]; an arc cosine needs float32
        # The margin grows over the first half of the schedule, from a plain softmax.
        likeness = learner.head(embeddings, labels[index].to(device), min(1.0, 2 * trainer.run.progress()))
        missed = F.mse_loss(learner.reader(READER_SCALE * embeddings), traits[index].to(device))
        trainer.step(likeness + settings.traits * missed)
    if trainer.run.is_main:
        net = trainer.average.net.eval()  # without the heads
        metrics = evaluate(net, held_out)
        trainer.run.log(**record.scalars(metrics))
        trainer.write("identity", metrics, len(training), int(labels.max()) + 1, net)


@torch.no_grad()
def embed_all(net: IdentityNet, images: Tensor, batch: int = 256) -> Tensor:
    """uint8 [N, 3, S, S] -> embeddings [N, 512] on the CPU."""
    device = next(net.parameters()).device
    parts = [net(part.to(device).float() / 127.5 - 1).cpu() for part in images.split(batch)]
    return torch.cat(parts)


def evaluate(net: IdentityNet, held_out: FaceSet) -> dict:
    """On held-out people.

    Returns:
        Verification AUC over all pairs of pictures (no two are in the same light), and over the pairs of each kind in
        `_kinds_of_pairs`; rate at which the nearest of all second pictures is the right person's. Under `groups`, the
        AUC over the pairs within each group, and that rate for the group's people in the whole gallery.
    """
    embeddings = embed_all(net, held_out.images)
    # All pairs of pictures, each once: indices [P], P = N (N - 1) / 2.
    rows, columns = torch.triu_indices(len(embeddings), len(embeddings), offset=1).numpy()
    # Embeddings have unit length: products are cosines.
    similarity = (embeddings @ embeddings.t()).numpy()[rows, columns]
    person, view = (held_out.table[name].to_numpy() for name in ("person", "view"))
    same = person[rows] == person[columns]
    metrics = _auc("verification_auc", same, similarity)
    for name, chosen in _kinds_of_pairs(held_out.table, rows, columns, same).items():
        metrics |= _auc(f"verification_auc_{name}", same[chosen], similarity[chosen])
    first, second = embeddings[view == 0], embeddings[view == 1]
    found = np.full(len(view), np.nan)
    # Identification: the first picture of each person is the probe, all second pictures are the gallery.
    found[view == 0] = person[view == 1][(first @ second.t()).argmax(dim=1)] == person[view == 0]
    groups = groups_of(held_out.table)
    parts = by_group(groups, identification_rate=found)  # NaN where the picture is no probe
    for name, inside in groups.items():
        chosen = inside[rows] & inside[columns]  # pairs of which both are in the group: harder than all pairs
        parts[name] |= _auc("verification_auc", same[chosen], similarity[chosen])
    metrics |= {"identification_rate": float(np.nanmean(found)), "people": len(np.unique(person))}
    return metrics | {"groups": parts}


def _auc(name: str, same: np.ndarray, similarity: np.ndarray) -> dict[str, float]:
    """Area under the ROC curve of verification; empty unless there are pairs of both kinds."""
    from sklearn.metrics import roc_auc_score

    return {name: round(float(roc_auc_score(same, similarity)), 5)} if len(np.unique(same)) == 2 else {}


def _kinds_of_pairs(table: pd.DataFrame, rows: np.ndarray, columns: np.ndarray, same: np.ndarray) -> dict:
    """Hard kinds of pairs of pictures, each a boolean array over the pairs (rows, columns)."""

    def gap(name: str) -> np.ndarray:
        values = table[name].to_numpy(dtype=float)
        return np.abs(values[rows] - values[columns])

    hair = table["hair_style"].to_numpy()
    return {
        "turned": gap("yaw") >= 30,  # degrees between the two poses
        "other_hair": hair[rows] != hair[columns],
        "other_age": gap("age") >= 15,  # years
        "alike": same | ((gap("male") == 0) & (gap("melanin") < 0.1)),  # strangers of one sex and like skin
        **({"other_light": _lamps_apart(table, rows, columns)} if "seed" in table else {}),
    }


def _lamps_apart(table: pd.DataFrame, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Whether the strongest lamps of two pictures are 60 degrees or more apart, as seen from the face."""
    lamps = main_lamps(table)
    return (lamps @ lamps.T)[rows, columns] <= 0.5  # cos 60 degrees


def main_lamps(table: pd.DataFrame) -> np.ndarray:
    """Unit vectors towards the strongest lamp of each picture, [N, 3].

    Args:
        table: one row a picture of a set that `kinlib render` wrote, with its `seed`, `person` and `view`, from which
            the light follows; all pictures of each person.
    """
    # The light is not in the table, but follows from seed and person as when the set was rendered.
    lamps = np.empty((len(table), 3))
    for (seed, number), rows in table.reset_index().groupby(["seed", "person"]):
        looks = sessions(member(seed, number), seed, number, len(rows))
        shots = [shot for _, some in looks for shot in some]
        lamps[rows.index] = [shots[view].light.directions[0] for view in rows["view"]]
    return lamps
