"""StyleGAN2 on its own (Karras et al. 2020), with differentiable augmentation for small sets (Zhao et al. 2020).

The non-saturating logistic loss, lazy R1, lazy path-length regularisation, style mixing, a running average of the
weights. On two CPU cores prefer `kinlib train pair`, which starts as an autoencoder and made the bundled weights.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from kinlib.evaluation.quality import detection_rate, write_grid
from kinlib.gan.generator import Generator, load_generator
from kinlib.studio.datasets.renders import load_faces
from kinlib.training.data.augment import Augmentation, diff_augment
from kinlib.training.engine import losses, record
from kinlib.training.engine.discriminator_step import judge
from kinlib.training.engine.loop import Average, Run, Workers, batches, launch, precision
from kinlib.training.engine.network_sizes import studio_discriminator, studio_generator

__all__ = ["GeneratorSettings", "train"]


@dataclass
class GeneratorSettings:
    """Train a generator by the adversarial game alone."""

    data: Path
    """folder of Parquet files with aligned faces"""
    out: Path
    """folder that receives generator.safetensors and generator.json"""
    start: Path | None = None
    """a generator to go on from"""
    run: Path = Path("runs/generator")
    """folder of checkpoints, log and sample sheets"""
    resolution: int = 64
    """side of the pictures"""
    minutes: float = 60.0
    """time this call may take"""
    steps: int = 100_000
    """length of the schedule"""
    batch: int = 32
    """pictures in a step"""
    rate: float = 2e-3
    """learning rate of both networks"""
    r1: float = 2.0
    """weight of the R1 penalty"""
    path_weight: float = 2.0
    """weight of the path-length penalty"""
    path_every: int = 8
    """steps between two path-length penalties"""
    mixing: float = 0.9
    """share of the samples drawn from two codes, crossed at a random layer"""
    half_life: float = 10_000
    """of the running average, in pictures"""
    seed: int = 0
    """of weights, batches and augmentation"""
    device: str = "cpu"
    """cpu or cuda"""
    workers: int = 1
    """processes, one thread each; 2 for two cores"""


def train(settings: GeneratorSettings) -> None:
    """Train, going on from the last checkpoint, and write the running average with its recipe and figures."""
    launch(_train, settings, settings.workers)


def _train(settings: GeneratorSettings, workers: Workers) -> None:
    device = torch.device(settings.device)
    torch.manual_seed(settings.seed)
    generator = _started(settings).to(device)
    discriminator = studio_discriminator(settings.resolution).to(device)
    average = Average(generator, settings.half_life)
    drawn_by, judged_by = list(generator.parameters()), list(discriminator.parameters())
    optimiser = torch.optim.Adam(drawn_by, settings.rate, betas=(0.0, 0.99), fused=True)
    judge_optimiser = torch.optim.Adam(judged_by, settings.rate, betas=(0.0, 0.99), fused=True)
    run = Run(settings.run, settings.minutes, settings.steps, workers)
    lengths = torch.nn.Parameter(torch.zeros((), device=device), requires_grad=False)
    kept = torch.nn.ParameterDict({"lengths": lengths})
    run.keep(G=generator, D=discriminator, optimiser=optimiser, judge=judge_optimiser, average=average, kept=kept)
    training, _ = load_faces(settings.data).split()
    source = run.randomness(settings.seed)
    order = batches(len(training), settings.batch // workers.count, source)
    calls = run.begin(asdict(settings))
    augment = Augmentation(settings.resolution, strength=0.0)
    while run.going():
        index = next(order)
        real = augment(training.images[index], training.labels[index], source).target.to(device)
        optimiser.zero_grad(set_to_none=True)
        loss, fakes = _play(generator, discriminator, len(real), settings, device)
        if run.step % settings.path_every == 0:
            lengths.copy_(_path_penalty(generator, max(1, len(real) // 2), lengths, settings, device))
        workers.average_gradients(drawn_by)
        optimiser.step()
        judged = judge(discriminator, real, fakes, settings.r1, run.step)
        workers.average_gradients(judged_by)
        judge_optimiser.step()
        average.update(generator, settings.batch)
        run.advance()
        if run.step % 50 == 0:
            run.log(generator=loss, judge=judged, path=lengths)
        if workers.leads and run.step % 1000 == 0:
            write_grid(_samples(average.net, 48), run.folder / f"sheet_{run.step:06d}.png")
    if workers.leads:
        _finish(settings, average.net, calls, run.step)


def _started(settings: GeneratorSettings) -> Generator:
    if settings.start is None:
        return studio_generator(settings.resolution)
    return load_generator(settings.start).train().requires_grad_(True)


def _mixed_codes(generator: Generator, count: int, mixing: float, device: torch.device) -> Tensor:
    """Random codes [B, L, 512]; most of them crossed from two at a random layer."""
    first, second = (generator.broadcast(generator.mapping(torch.randn(count, 512, device=device))) for _ in range(2))
    layers = torch.arange(generator.num_layers, device=device)
    cut = torch.randint(1, generator.num_layers, (count, 1), device=device)
    cut = torch.where(torch.rand(count, 1, device=device) < mixing, cut, generator.num_layers)
    return torch.where((layers < cut).unsqueeze(2), first, second)


def _play(generator: Generator, discriminator, count: int, settings: GeneratorSettings, device):
    """Gradients of the generator's adversarial loss; returns (loss, drawn pictures)."""
    with precision(device):
        fakes = generator.synthesis(_mixed_codes(generator, count, settings.mixing, device), noise="random")
        logits = discriminator(diff_augment(fakes)).float()
    loss = losses.gan_generator(logits)
    loss.backward()
    return loss.detach(), fakes.detach()


def _path_penalty(generator: Generator, count: int, lengths: Tensor, settings: GeneratorSettings, device) -> Tensor:
    """Gradients of the path-length penalty, in full precision; returns the new running mean."""
    codes = _mixed_codes(generator, count, 0.0, device)
    penalty, mean = losses.path_length(generator.synthesis(codes, noise="random"), codes, lengths.detach())
    (settings.path_weight * settings.path_every * penalty).backward()
    return mean.detach()


@torch.no_grad()
def _samples(generator: Generator, count: int, psi: float = 1.0) -> Tensor:
    z = torch.randn(count, generator.style_dim, generator=torch.Generator().manual_seed(1))
    w_plus = generator.broadcast(generator.mapping(z.to(generator.latent_avg)))
    average = generator.mean_latent()
    return generator.synthesis(torch.lerp(average.expand_as(w_plus), w_plus, psi), batch_size=16).cpu()


def _finish(settings: GeneratorSettings, generator: Generator, calls: list[dict], steps: int) -> None:
    generator.latent_avg.copy_(generator.mean_latent().expand_as(generator.latent_avg))
    figures = {"mtcnn_random": detection_rate(_samples(generator, 200))}
    state = generator.state_dict() | {"latent_avg": generator.latent_avg}
    record.write(state, settings.out, "generator", asdict(settings) | {"steps_done": steps}, figures, calls=calls)
    write_grid(_samples(generator, 48), settings.run / "final.png")
