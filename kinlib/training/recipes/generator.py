"""StyleGAN2 on its own (Karras et al. 2020), with differentiable augmentation for small sets (Zhao et al. 2020).

The non-saturating logistic loss, lazy R1, lazy path-length regularisation, style mixing, an exponential moving average
of the weights. On two CPU cores prefer `kinlib train pair`, which starts as an autoencoder and made the bundled
weights.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from kinlib.evaluation.quality import write_grid
from kinlib.evaluation.realism import detection_rate
from kinlib.gan.generator import Generator, load_generator
from kinlib.studio.datasets.renders import load_faces
from kinlib.training.data.augment import Augmentation, diff_augment
from kinlib.training.engine import losses, record
from kinlib.training.engine.discriminator_step import discriminator_step
from kinlib.training.engine.ema import EMA
from kinlib.training.engine.loop import LOG_EVERY, Run, batches
from kinlib.training.engine.network_sizes import studio_discriminator, studio_generator
from kinlib.training.engine.processes import launch, step
from kinlib.training.engine.settings import TrainSettings

__all__ = ["GeneratorSettings", "train"]


@dataclass(kw_only=True)
class GeneratorSettings(TrainSettings):
    """Train a generator with the adversarial loss alone."""

    start: Path | None = None
    """a generator to resume from"""
    run: Path = Path("runs/generator")
    """folder of checkpoints, log and sample sheets"""
    resolution: int = 64
    """side of the pictures"""
    steps: int = 100_000
    """length of the schedule"""
    # Learning rate, mixing and path-length weight are StyleGAN2's. It has R1 10 at 1024 px, which StyleGAN2-ADA scales
    # with the number of pixels, and path-length regularisation in every fourth step.
    lr: float = 2e-3
    """learning rate of both networks"""
    r1: float = 2.0
    """weight of the R1 penalty"""
    path_weight: float = 2.0
    """weight of the path-length penalty"""
    path_every: int = 8
    """steps between two path-length penalties"""
    mixing: float = 0.9
    """share of the samples from two codes, crossed at a random layer"""
    half_life: float = 10_000
    """of the moving average, in pictures"""


def train(settings: GeneratorSettings) -> None:
    """Train, resuming from the last checkpoint, and write the moving average with its recipe and metrics."""
    launch(_train, settings)


def _train(settings: GeneratorSettings, accelerator: Accelerator) -> None:
    device = accelerator.device
    torch.manual_seed(settings.seed)
    generator = _started(settings).to(device)
    discriminator = studio_discriminator(settings.resolution).to(device)
    average = EMA(generator, settings.half_life)
    # Adam without momentum, as in StyleGAN2.
    optimizer, against = (
        accelerator.prepare(torch.optim.Adam(net.parameters(), settings.lr, betas=(0.0, 0.99), fused=True))
        for net in (generator, discriminator)
    )
    run = Run(settings.run, accelerator, settings.minutes, settings.steps)
    # The running mean of path lengths, as a parameter, so that the checkpoint holds it.
    lengths = torch.nn.Parameter(torch.zeros((), device=device), requires_grad=False)
    kept = torch.nn.ParameterDict({"lengths": lengths})
    run.restore(G=generator, D=discriminator, optimizer=optimizer, discriminator=against, average=average, kept=kept)
    training, _ = load_faces(settings.data).split()
    rng = run.seed(settings.seed)
    order = batches(len(training), settings.batch // accelerator.num_processes, rng)
    calls = run.record_call(asdict(settings))
    augment = Augmentation(settings.resolution, strength=0.0)  # mirrored only; `diff_augment` does the rest
    while run.going():
        index = next(order)
        real = augment(training.images[index], training.labels[index], rng).target.to(device)
        optimizer.zero_grad(set_to_none=True)
        # Generator first: its pictures serve the discriminator's step as well.
        loss, fakes = _adversarial_loss(accelerator, generator, discriminator, len(real), settings)
        if run.step % settings.path_every == 0:
            # Half of the batch, as in StyleGAN2 (`pl_minibatch_shrink`).
            lengths.copy_(_path_penalty(accelerator, generator, max(1, len(real) // 2), lengths, settings))
        step(accelerator, optimizer)
        found = discriminator_step(accelerator, discriminator, against, real, fakes, settings.r1, run.step)
        average.update(generator, settings.batch)
        run.advance()
        if run.step % LOG_EVERY == 0:
            run.log(generator=loss, discriminator=found, path=lengths)
        if run.is_main and run.step % 1000 == 0:
            write_grid(_samples(average.net, 48), run.folder / f"sheet_{run.step:06d}.png")
    if run.is_main:
        _finish(settings, average.net, calls, run.step)


def _started(settings: GeneratorSettings) -> Generator:
    if settings.start is None:
        return studio_generator(settings.resolution)
    return load_generator(settings.start).train().requires_grad_(True)


def _mixed_codes(generator: Generator, count: int, mixing: float, device: torch.device) -> Tensor:
    """Random codes [B, L, 512]; most of them crossed from two at a random layer."""
    first, second = (generator.broadcast(generator.mapping(torch.randn(count, 512, device=device))) for _ in range(2))
    layers = torch.arange(generator.num_layers, device=device)  # [L]
    # The layer at which the second code takes over: none for those that are not mixed.
    cut = torch.randint(1, generator.num_layers, (count, 1), device=device)
    cut = torch.where(torch.rand(count, 1, device=device) < mixing, cut, generator.num_layers)
    return torch.where((layers < cut).unsqueeze(2), first, second)  # [B, L, 1] chooses among [B, L, 512]


def _adversarial_loss(
    accelerator: Accelerator, generator: Generator, discriminator, count: int, settings: GeneratorSettings
) -> tuple[Tensor, Tensor]:
    """Leave the gradients of the generator's adversarial loss; returns (loss, generated pictures), both detached."""
    with accelerator.autocast():
        codes = _mixed_codes(generator, count, settings.mixing, accelerator.device)
        fakes = generator.synthesis(codes, noise="random")
        logits = discriminator(diff_augment(fakes)).float()
    loss = losses.gan_generator(logits)
    accelerator.backward(loss)
    return loss.detach(), fakes.detach()


def _path_penalty(
    accelerator: Accelerator, generator: Generator, count: int, lengths: Tensor, settings: GeneratorSettings
) -> Tensor:
    """Leave the gradients of the path-length penalty, in full precision; returns the new running mean."""
    codes = _mixed_codes(generator, count, 0.0, accelerator.device)
    penalty, mean = losses.path_length(generator.synthesis(codes, noise="random"), codes, lengths.detach())
    accelerator.backward(settings.path_weight * settings.path_every * penalty)  # lazy: rare steps weigh more
    return mean.detach()


@torch.no_grad()
def _samples(generator: Generator, count: int, psi: float = 1.0) -> Tensor:
    # One seed for all sheets of a run, which then show the same faces.
    z = torch.randn(count, generator.style_dim, generator=torch.Generator().manual_seed(1))
    w_plus = generator.broadcast(generator.mapping(z.to(generator.latent_avg)))
    average = generator.mean_latent()
    return generator.synthesis(torch.lerp(average.expand_as(w_plus), w_plus, psi), batch_size=16).cpu()


def _finish(settings: GeneratorSettings, generator: Generator, calls: list[dict], steps: int) -> None:
    generator.latent_avg.copy_(generator.mean_latent().expand_as(generator.latent_avg))
    metrics = {"mtcnn_random": detection_rate(_samples(generator, 200))}  # 200: a standard error of 3.5% at most
    # The average is no buffer of the official layout, so it is stored beside the state.
    state = generator.state_dict() | {"latent_avg": generator.latent_avg}
    record.write(state, settings.out, "generator", asdict(settings) | {"steps_done": steps}, metrics, calls=calls)
    write_grid(_samples(generator, 48), settings.run / "final.png")
