"""A variational autoencoder of faces for the genetic search, of renders or of CelebA.

    loss = reconstruction + perceptual + identity + beta * KL

The reconstruction is the distance of pixels at several sizes, the perceptual loss the distance of the identity
network's features, as in FaceNet's VAE (there of VGG-Face), and the identity loss one minus the cosine of its
embeddings. The KL divergence, in nats, is divided by the numbers of a picture: with beta 1 the loss of pixels is about
the likelihood of a Gaussian with a standard deviation of a tenth of the distance from grey to white.

Afterwards the coordinates of the training faces, and from these the attribute vectors, are fitted.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from kinlib.evaluation.autoencoder import measure_vae
from kinlib.faces.identity import IdentityNet, load_identity
from kinlib.gan.residual import face_importance
from kinlib.io.images import resize
from kinlib.search.attributes import attribute_vectors
from kinlib.search.vae import VAE, kl_divergence
from kinlib.training.data.attribute_faces import AttributeFaces, load_attribute_faces
from kinlib.training.data.celeba import is_celeba, read_celeba
from kinlib.training.engine import record
from kinlib.training.engine.losses import perceptual, pixels
from kinlib.training.engine.network_sizes import use_channels_last
from kinlib.training.engine.processes import launch
from kinlib.training.engine.settings import TrainSettings
from kinlib.training.engine.supervised import SupervisedTrainer

__all__ = ["VAESettings", "losses", "train"]

MEASURED = 500  # held-out pictures at most
PART = 256  # pictures at once


@dataclass(kw_only=True)
class VAESettings(TrainSettings):
    """Train the variational autoencoder of faces."""

    run: Path = Path("runs/vae")
    """folder of checkpoints and log"""
    steps: int = 4000
    """length of the schedule"""
    size: int = 64
    """side of the pictures, px"""
    width: int = 24
    """channels at half the size; the next two halvings double them"""
    latent: int = 128
    """numbers of a latent vector"""
    beta: float = 1.0
    """weight of the KL divergence"""
    perceptual: float = 2.0
    """weight of the distance of the identity network's features"""
    identity: float = 1.0
    """weight of the distance of identity embeddings"""
    pictures: int | None = None
    """most pictures to read; at 64 px each takes 12 kB of memory in every process"""

    def check_data(self) -> None:
        """Raises KinlibError unless the folder holds renders, or CelebA."""
        if is_celeba(self.data):
            read_celeba(self.data)
        else:
            super().check_data()


def train(settings: VAESettings) -> None:
    """Train, resuming from the last checkpoint, and write the weights with their recipe and metrics."""
    launch(_train, settings)


def _train(settings: VAESettings, accelerator: Accelerator) -> None:
    device = accelerator.device
    torch.manual_seed(settings.seed)
    training, held_out = load_attribute_faces(settings.data, settings.size, settings.pictures)
    net = use_channels_last(VAE(settings.size, settings.width, settings.latent))
    identity = use_channels_last(load_identity()).to(device)
    importance = face_importance(settings.size, torch.empty(0, device=device))
    # Weight decay 1e-4, as good as none: the KL divergence regularises.
    trainer = SupervisedTrainer(net, settings, accelerator, weight_decay=1e-4, half_life=100, max_norm=5.0)
    for index in trainer.batches(len(training)):
        images = _mirrored(training.pictures(index), trainer.rng).to(device)
        with accelerator.autocast():
            terms = losses(net, identity, images, importance, settings, trainer.rng)
        trainer.step(sum(terms.values()))
        trainer.run.log_losses(terms)
    if trainer.run.is_main:
        _finish(trainer, training, held_out, identity, settings)


def _mirrored(images: Tensor, rng: torch.Generator) -> Tensor:
    """Half of the pictures mirrored."""
    flip = torch.rand(len(images), generator=rng) < 0.5
    return torch.where(flip[:, None, None, None], images.flip(3), images)


def losses(
    net: VAE, identity: IdentityNet, images: Tensor, importance: Tensor, settings: VAESettings, rng: torch.Generator
) -> dict[str, Tensor]:
    """The weighted losses of pictures [B, 3, S, S] in [-1, 1], by name; `importance` [S, S] of the pixels."""
    rebuilt, mean, log_variance = net(images, rng)
    weight = importance.expand(len(images), 1, -1, -1)  # [S, S] -> [B, 1, S, S]
    rebuilt, side = rebuilt.float(), identity.input_size  # bfloat16 cannot be resized
    found = identity.features(resize(rebuilt, side))
    with torch.no_grad():
        wanted = identity.features(resize(images, side))
    divergence = kl_divergence(mean.float(), log_variance.float()).mean() / images[0].numel()
    cosine = (identity.embed(found) * identity.embed(wanted)).sum(dim=1).mean()
    return {
        "pixels": pixels(rebuilt, images, weight),
        "perceptual": settings.perceptual * perceptual(found, wanted),
        "identity": settings.identity * (1 - cosine),
        "kl": settings.beta * divergence,
    }


@torch.no_grad()
def _finish(
    trainer: SupervisedTrainer,
    training: AttributeFaces,
    held_out: AttributeFaces,
    identity: IdentityNet,
    settings: VAESettings,
) -> None:
    """Fit coordinates and attribute vectors, measure, and write."""
    net, identity = trainer.average.cpu().float(), identity.cpu()
    parts = torch.arange(len(training)).split(PART)
    net.fit_coordinates(torch.cat([net.encode(training.pictures(index))[0] for index in parts]))
    coordinates = torch.cat([net.coordinates(training.pictures(index)) for index in parts])
    net.attributes = attribute_vectors(coordinates, training.attributes)
    metrics = measure_vae(net, *_measured(held_out, identity))
    trainer.run.log(**record.scalars(metrics))
    used = {"steps_done": trainer.run.step, "pictures_used": len(training)}
    if training.people is not None:
        used["people"], metrics["people"] = training.people, held_out.people
    recipe = asdict(settings) | used
    record.write(net.tensors(), settings.out, "vae", recipe, metrics, calls=trainer.calls)


def _measured(held_out: AttributeFaces, identity: IdentityNet) -> tuple[Tensor, IdentityNet, Tensor | None]:
    """Arguments of `measure_vae`: of renders the first and the second picture of each person."""
    every = held_out.pictures(torch.arange(len(held_out)))
    if "view" not in held_out.table:
        return every[:MEASURED], identity, None
    view = torch.from_numpy(held_out.table["view"].to_numpy(copy=True))
    return every[view == 0][:MEASURED], identity, every[view == 1][:MEASURED]
