"""e4e for a fixed generator (Tov et al. 2021): reconstruct, and stay where the generator's own codes lie.

Losses: L2, perceptual, identity; the offsets' norm; and an adversarial game in W, in which a latent discriminator tells
the mapping network's codes from the encoder's. Offsets are opened layer by layer, coarse first, as in the paper.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from kinlib.evaluation.quality import measure_pair, sample_sheet
from kinlib.faces.identity import load_identity
from kinlib.faces.parsing import load_parser
from kinlib.gan.discriminator import LatentDiscriminator
from kinlib.gan.encoder import Encoder, load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.studio.datasets.renders import load_faces
from kinlib.training.data.augment import Augmentation, Views
from kinlib.training.engine import losses, record
from kinlib.training.engine.loop import Average, Run, Workers, batches, launch, precision
from kinlib.training.engine.network_sizes import studio_encoder

__all__ = ["EncoderSettings", "encoder_state", "train"]


@dataclass
class EncoderSettings:
    """Train an encoder for a given generator."""

    data: Path
    """folder of Parquet files with aligned faces"""
    out: Path
    """folder that receives encoder.safetensors and encoder.json"""
    generator: Path
    """the generator to encode for"""
    start: Path | None = None
    """an encoder to go on from"""
    identity: Path | None = None
    """weights of the identity network; the bundled ones by default"""
    run: Path = Path("runs/encoder")
    """folder of checkpoints, log and sample sheets"""
    minutes: float = 60.0
    """time this call may take"""
    steps: int = 20_000
    """length of the schedule"""
    batch: int = 32
    """pictures in a step"""
    rate: float = 1e-3
    """highest learning rate"""
    perceptual: float = 0.8
    """weight of the perceptual loss"""
    identity_weight: float = 0.1
    """weight of 1 - cosine of the identity embeddings"""
    delta: float = 2e-2
    """weight of the offsets' norm"""
    latent_adversarial: float = 0.1
    """weight of the adversarial loss in W"""
    open_every: float = 0.02
    """share of the schedule after which one more layer's offset is opened"""
    seed: int = 0
    """of weights, batches and augmentation"""
    device: str = "cpu"
    """cpu or cuda"""
    workers: int = 1
    """processes, one thread each; 2 for two cores"""


def train(settings: EncoderSettings) -> None:
    """Train, going on from the last checkpoint, and write the running average with its recipe and figures."""
    launch(_train, settings, settings.workers)


def _train(settings: EncoderSettings, workers: Workers) -> None:
    device = torch.device(settings.device)
    torch.manual_seed(settings.seed)
    generator = load_generator(settings.generator).to(device)
    encoder = _started(settings, generator).to(device)
    critic = LatentDiscriminator(generator.style_dim).to(device)
    identity = load_identity(settings.identity).to(device)
    average = Average(encoder, 10_000)
    encoded_by, judged_by = list(encoder.parameters()), list(critic.parameters())
    optimiser = torch.optim.Adam(encoded_by, settings.rate, fused=True)
    judge_optimiser = torch.optim.Adam(judged_by, 2e-4, betas=(0.0, 0.99), fused=True)
    run = Run(settings.run, settings.minutes, settings.steps, workers)
    run.keep(E=encoder, D=critic, optimiser=optimiser, judge=judge_optimiser, average=average)
    training, held_out = load_faces(settings.data).split()
    source = run.randomness(settings.seed)
    order = batches(len(training), settings.batch // workers.count, source)
    calls = run.begin(asdict(settings))
    augment = Augmentation(generator.resolution, strength=0.8)
    while run.going():
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * min(1.0, (1 - run.progress()) / 0.4 + 0.02)
        index = next(order)
        views = augment(training.images[index], training.labels[index], source)
        views = Views(*(part.to(device) for part in vars(views).values()))
        figures, codes = _losses(generator, encoder, critic, identity, views, settings, run.progress())
        optimiser.zero_grad(set_to_none=True)
        sum(figures.values()).backward()
        workers.average_gradients(encoded_by)
        optimiser.step()
        figures["judge"] = _judge(critic, generator, codes.detach())
        workers.average_gradients(judged_by)
        judge_optimiser.step()
        average.update(encoder, settings.batch)
        run.advance()
        if run.step % 50 == 0:
            run.log(**{name: value.detach() for name, value in figures.items()})
        if workers.leads and run.step % 1000 == 0:
            sample_sheet(generator, average.net, held_out, run.folder / f"sheet_{run.step:06d}.png")
    if workers.leads:
        figures = measure_pair(generator.cpu(), average.net.cpu(), identity.cpu(), load_parser(), held_out)
        recipe = asdict(settings) | {"steps_done": run.step, "pictures": len(training)}
        record.write(encoder_state(average.net), settings.out, "encoder", recipe, figures, calls=calls)


def _started(settings: EncoderSettings, generator: Generator) -> Encoder:
    if settings.start is not None:
        return load_encoder(settings.start).train().requires_grad_(True)
    encoder = studio_encoder(generator.resolution, generator.num_layers)
    encoder.latent_avg.copy_(generator.latent_avg)
    return encoder


def encoder_state(encoder: Encoder) -> dict[str, Tensor]:
    """Tensors of a compact encoder as they are stored: plain names, the average, and the side it works on."""
    extra = {"latent_avg": encoder.latent_avg, "input_size": torch.tensor(encoder.backbone.input_size)}
    return encoder.backbone.state_dict() | extra


def _losses(generator, encoder, critic, identity, views: Views, settings: EncoderSettings, progress: float):
    """Losses of the encoder by name, and its codes w [B, 512] with the average added."""
    with precision(views.source.device):
        base, offsets = encoder.base_and_offsets(views.source)
        opened = torch.arange(generator.num_layers, device=base.device) <= progress / max(settings.open_every, 1e-9)
        offsets = offsets.float() * opened.view(1, -1, 1)
        w = base.float() + encoder.latent_avg[0]
        drawn = generator.synthesis(base.float().unsqueeze(1) + offsets + encoder.latent_avg)
        with torch.no_grad():
            wanted = identity.features(views.target)
        seen = identity.features(drawn)
        likeness = (identity.embed(seen) * identity.embed(wanted)).sum(dim=1).mean()
    return {
        "l2": ((drawn - views.target).square() * views.weight).mean() / views.weight.mean(),
        "perceptual": settings.perceptual * losses.perceptual(seen, wanted),
        "identity": settings.identity_weight * (1 - likeness),
        "delta": settings.delta * losses.delta_norm(offsets),
        "latent": settings.latent_adversarial * F.softplus(-critic(w)).mean(),
    }, w


def _judge(critic: LatentDiscriminator, generator: Generator, w: Tensor) -> Tensor:
    """Gradients of one step of the latent discriminator: real codes come from the mapping network."""
    critic.zero_grad(set_to_none=True)
    with torch.no_grad():
        real = generator.mapping(torch.randn_like(w))
    loss = losses.gan_discriminator(critic(real), critic(w))
    (loss + 5.0 * losses.r1_penalty(critic, real)).backward()
    return loss.detach()
