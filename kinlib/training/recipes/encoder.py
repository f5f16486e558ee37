"""e4e for a fixed generator (Tov et al. 2021): reconstruct, with codes close to those of the mapping network.

Losses: L2, perceptual, identity; the offsets' norm; and an adversarial loss in W, where a latent discriminator
separates the mapping network's codes from the encoder's. Offsets are used layer by layer, coarse first, as in the
paper.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
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
from kinlib.training.engine.ema import EMA
from kinlib.training.engine.loop import Run, batches
from kinlib.training.engine.network_sizes import studio_encoder
from kinlib.training.engine.processes import launch, step
from kinlib.training.engine.settings import TrainSettings

__all__ = ["EncoderSettings", "encoder_state", "train"]

EMA_HALF_LIFE = 10_000  # pictures, as in StyleGAN2
LATENT_LR = 2e-4  # of the latent discriminator: ten times e4e's, for a schedule that is shorter
LATENT_R1 = 5.0  # weight of R1 on codes, in every step; e4e has 10, times 16 in every 16th step


@dataclass(kw_only=True)
class EncoderSettings(TrainSettings):
    """Train an encoder for a given generator."""

    generator: Path
    """the generator to encode for"""
    start: Path | None = None
    """an encoder to resume from"""
    identity: Path | None = None
    """weights of the identity network; the bundled ones by default"""
    run: Path = Path("runs/encoder")
    """folder of checkpoints, log and sample sheets"""
    steps: int = 20_000
    """length of the schedule"""
    lr: float = 1e-3
    """highest learning rate"""
    # The weights of perceptual, identity and adversarial loss are e4e's.
    perceptual: float = 0.8
    """weight of the perceptual loss"""
    identity_weight: float = 0.1
    """weight of 1 - cosine of the identity embeddings"""
    # e4e has 2e-4, for the sum of the layers' norms, not divided by the root of 512.
    delta: float = 2e-2
    """weight of the offsets' norm"""
    latent_adversarial: float = 0.1
    """weight of the adversarial loss in W"""
    open_every: float = 0.02
    """share of the schedule after which one more layer's offset is used"""


def train(settings: EncoderSettings) -> None:
    """Train, resuming from the last checkpoint, and write the moving average with its recipe and metrics."""
    launch(_train, settings)


def _train(settings: EncoderSettings, accelerator: Accelerator) -> None:
    device = accelerator.device
    torch.manual_seed(settings.seed)
    generator = load_generator(settings.generator).to(device)  # fixed: loaded without gradients
    encoder = _started(settings, generator).to(device)
    discriminator = LatentDiscriminator(generator.style_dim).to(device)
    identity = load_identity(settings.identity).to(device)
    average = EMA(encoder, EMA_HALF_LIFE)
    optimizer = accelerator.prepare(torch.optim.Adam(encoder.parameters(), settings.lr, fused=True))
    against = accelerator.prepare(
        torch.optim.Adam(discriminator.parameters(), LATENT_LR, betas=(0.0, 0.99), fused=True)
    )
    run = Run(settings.run, accelerator, settings.minutes, settings.steps)
    run.restore(E=encoder, D=discriminator, optimizer=optimizer, discriminator=against, average=average)
    training, held_out = load_faces(settings.data).split()
    rng = run.seed(settings.seed)
    order = batches(len(training), settings.batch // accelerator.num_processes, rng)
    calls = run.record_call(asdict(settings))
    augment = Augmentation(generator.resolution, strength=0.8)  # as for the pair
    while run.going():
        # Constant over 60% of the schedule, then linearly to 2%.
        optimizer.param_groups[0]["lr"] = settings.lr * min(1.0, (1 - run.progress()) / 0.4 + 0.02)
        index = next(order)
        views = augment(training.images[index], training.labels[index], rng)
        # Augmented on the CPU, from its random numbers: the same views whatever the device.
        views = Views(*(part.to(device) for part in vars(views).values()))
        terms, w = _losses(accelerator, generator, encoder, discriminator, identity, views, settings, run.progress())
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(sum(terms.values()))
        step(accelerator, optimizer)
        terms["discriminator"] = _latent_step(accelerator, discriminator, against, generator, w.detach())
        average.update(encoder, settings.batch)
        run.advance()
        run.log_losses(terms)
        if run.is_main and run.step % 1000 == 0:
            sample_sheet(generator, average.net, held_out, run.folder / f"sheet_{run.step:06d}.png")
    if run.is_main:
        metrics = measure_pair(generator.cpu(), average.net.cpu(), identity.cpu(), load_parser(), held_out)
        recipe = asdict(settings) | {"steps_done": run.step, "pictures": len(training)}
        record.write(encoder_state(average.net), settings.out, "encoder", recipe, metrics, calls=calls)


def _started(settings: EncoderSettings, generator: Generator) -> Encoder:
    if settings.start is not None:
        return load_encoder(settings.start, corrections=False).train().requires_grad_(True)
    encoder = studio_encoder(generator.resolution, generator.num_layers)
    encoder.latent_avg.copy_(generator.latent_avg)  # codes are predicted as differences from the average
    return encoder


def encoder_state(encoder: Encoder) -> dict[str, Tensor]:
    """Tensors of a compact encoder as they are stored: the backbone's names, the average, and the input size in px."""
    extra = {"latent_avg": encoder.latent_avg, "input_size": torch.tensor(encoder.backbone.input_size)}
    return encoder.backbone.state_dict() | extra


def _losses(
    accelerator: Accelerator,
    generator: Generator,
    encoder: Encoder,
    discriminator: LatentDiscriminator,
    identity,
    views: Views,
    settings: EncoderSettings,
    progress: float,
) -> tuple[dict[str, Tensor], Tensor]:
    """Losses of the encoder by name, and its codes w [B, 512] with the average added."""
    with accelerator.autocast():
        base, offsets = encoder.base_and_offsets(views.source)  # [B, 512], [B, L, 512]
        # Layer 0 from the start, then one more after each share of the schedule: [L], true where offsets are used.
        opened = torch.arange(generator.num_layers, device=base.device) <= progress / max(settings.open_every, 1e-9)
        offsets = offsets.float() * opened.view(1, -1, 1)  # [L] -> [1, L, 1]
        w = base.float() + encoder.latent_avg[0]  # [B, 512]
        generated = generator.synthesis(base.float().unsqueeze(1) + offsets + encoder.latent_avg)
        with torch.no_grad():  # of the original, which no parameter changes
            wanted = identity.features(views.target)
        found = identity.features(generated)
        likeness = (identity.embed(found) * identity.embed(wanted)).sum(dim=1).mean()  # cosine of unit vectors
    return {
        # The background weighs little: which one it is, is not worth a code.
        "l2": ((generated - views.target).square() * views.weight).mean() / views.weight.mean(),
        "perceptual": settings.perceptual * losses.perceptual(found, wanted),
        "identity": settings.identity_weight * (1 - likeness),
        "delta": settings.delta * losses.delta_norm(offsets),
        "latent": settings.latent_adversarial * F.softplus(-discriminator(w)).mean(),
    }, w


def _latent_step(
    accelerator: Accelerator,
    discriminator: LatentDiscriminator,
    optimizer: AcceleratedOptimizer,
    generator: Generator,
    w: Tensor,
) -> Tensor:
    """One step of the latent discriminator on codes w [B, 512]; real codes come from the mapping network."""
    discriminator.zero_grad(set_to_none=True)
    with torch.no_grad():
        real = generator.mapping(torch.randn_like(w))
    loss = losses.gan_discriminator(discriminator(real), discriminator(w))
    accelerator.backward(loss + LATENT_R1 * losses.r1_penalty(discriminator, real))  # cheap here, so in every step
    step(accelerator, optimizer)
    return loss.detach()
