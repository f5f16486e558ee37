"""Generator and encoder trained together: the recipe of the bundled studio pair.

Training StyleGAN2 first and e4e after it is work for a GPU. On renders there is a shorter way, which two CPU cores
can go: the two start as an autoencoder through W+, and the adversarial game is switched on when faces are nearly right.
The discriminator then judges three kinds of drawn pictures: reconstructions, *blends of two people's codes* (which is
what inheritance asks of the generator later), and random samples, for which the mapping network learns to give codes
distributed as the encoder's (energy distance, on top of the adversarial loss). Half-way, W is made the principal space
of all codes (`kinlib.training.whiten`), and at the end the mapping network is fitted once more by itself.

A pair can go on from a trained one of a smaller size (`start`).
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.faces.identity import load_identity
from kinlib.faces.parsing import load_parser
from kinlib.gan.encoder import Encoder, load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.training import losses, record
from kinlib.training.adversary import judge
from kinlib.training.augment import Augmentation, Views, diff_augment
from kinlib.training.data import FaceSet, load_faces
from kinlib.training.encoder import encoder_state
from kinlib.training.factors import picture_factors
from kinlib.training.grow import grow
from kinlib.training.loop import Average, Run, Workers, batches, launch, precision
from kinlib.training.mapping import fit_mapping
from kinlib.training.networks import studio_discriminator, studio_encoder, studio_generator
from kinlib.training.quality import measure_pair, sample_sheet
from kinlib.training.whiten import fold_into_encoder, fold_into_generator, principal_axes

__all__ = ["PairSettings", "train"]

LOADERS = {"generator": load_generator, "encoder": load_encoder}


@dataclass
class PairSettings:
    """Train generator and encoder together."""

    data: Path
    """folder of Parquet files with aligned faces"""
    out: Path
    """folder that receives generator and encoder (.safetensors, .json)"""
    identity: Path | None = None
    """weights of the identity network; the bundled ones by default"""
    parsing: Path | None = None
    """weights of the parser, whose features a reconstruction must share; the bundled ones by default"""
    start: Path | None = None
    """folder with a trained pair, of this or a smaller size, to go on from"""
    run: Path = Path("runs/pair")
    """folder of checkpoints, log and sample sheets"""
    resolution: int = 64
    """side of the pictures"""
    minutes: float = 60.0
    """time this call may take"""
    steps: int = 6000
    """length of the schedule"""
    adversarial_from: float = 0.35
    """share of the schedule after which the discriminator joins"""
    batch: int = 32
    """pictures in a step"""
    rate: float = 2e-3
    """highest learning rate; the discriminator's is the same"""
    mapping_rate: float = 0.1
    """learning rate of the mapping network; its layers divide it by a hundred"""
    perceptual: float = 1.0
    """weight of the perceptual loss in the features of the identity network"""
    parts: float = 1.0
    """weight of the perceptual loss in the features of the parser, which sees glasses, hair and lips"""
    factors: float = 0.3
    """weight of a second task: reading what made the picture off its code"""
    identity_weight: float = 0.3
    """weight of 1 - cosine of the identity embeddings"""
    adversarial: float = 0.25
    """weight of the adversarial loss"""
    whiten_at: float = 0.5
    """share of the schedule after which W becomes the principal space of the codes"""
    delta: float = 0.3
    """weight of the offsets' norm, once W is the principal space; until then they are free, and are folded into it"""
    feature_weight: float = 3.0
    """added importance of pixels at the eyes and the mouth"""
    code_noise: float = 0.03
    """standard deviation of noise added to w, which keeps W smooth"""
    r1: float = 2.0
    """weight of the R1 penalty, applied every 16th step"""
    mapping_steps: int = 600
    """steps of the mapping network by itself, when the pair is done"""
    seed: int = 0
    """of weights, batches and augmentation"""
    device: str = "cpu"
    """cpu or cuda"""
    workers: int = 1
    """processes, one thread each; 2 for two cores"""


class Pair(nn.Module):
    """The networks in training, with their running averages and optimisers."""

    def __init__(self, settings: PairSettings, num_factors: int):
        super().__init__()
        self.generator = studio_generator(settings.resolution)
        self.encoder = studio_encoder(settings.resolution, self.generator.num_layers)
        self.discriminator = studio_discriminator(settings.resolution)
        self.reader = nn.Linear(self.generator.style_dim, num_factors)
        self.register_buffer("whitened", torch.tensor(False))
        self.to(settings.device)


def train(settings: PairSettings) -> None:
    """Train, going on from the last checkpoint, and write both networks with their recipe and figures."""
    launch(_train, settings, settings.workers)


def _train(settings: PairSettings, workers: Workers) -> None:
    device = torch.device(settings.device)
    torch.manual_seed(settings.seed)
    training, held_out = load_faces(settings.data).split()
    still, turning = picture_factors(training.table)
    pair = Pair(settings, still.shape[1] + turning.shape[1])
    judges = Judges(load_identity(settings.identity).to(device), load_parser(path=settings.parsing).net.to(device))
    if settings.start is not None and not (settings.run / "state.pt").exists():
        _start(pair, settings.start, training.images, workers)
    steppers = _steppers(pair, settings)
    averages = {"G": Average(pair.generator, 8000), "E": Average(pair.encoder, 8000)}
    run = Run(settings.run, settings.minutes, settings.steps, workers)
    run.keep(pair=pair, **{name: stepper.optimiser for name, stepper in steppers.items()}, **averages)
    calls, source = run.begin(asdict(settings)), run.randomness(settings.seed)
    augment = Augmentation(settings.resolution, 0.8, feature_weight=settings.feature_weight)
    order = batches(len(training), settings.batch // workers.count, source)
    while run.going():
        if not pair.whitened and run.progress() >= settings.whiten_at:
            _whiten(pair, averages, training.images, workers)
            steppers["optimiser"].optimiser.state.clear(), steppers["mapper"].optimiser.state.clear()
        index = next(order)
        views = _to(augment(training.images[index], training.face[index], source), device)
        factors = torch.cat([still[index], turning[index] * views.side.view(-1, 1).cpu()], dim=1).to(device)
        figures, fakes = _draw(pair, judges, views, factors, settings, run.progress())
        pair.zero_grad(set_to_none=True)
        sum(figures.values()).backward()
        steppers["optimiser"].step(run), steppers["mapper"].step(run)
        if len(fakes):
            figures["judge"] = judge(pair.discriminator, views.target, fakes, settings.r1, run.step)
            steppers["judge"].step(run)
        averages["G"].update(pair.generator, settings.batch)
        averages["E"].update(pair.encoder, settings.batch)
        run.advance()
        if run.step % 50 == 0:
            run.log(**{name: value.detach() for name, value in figures.items()})
        if workers.leads and run.step % 500 == 0:
            sample_sheet(averages["G"].net, averages["E"].net, held_out, run.folder / f"sheet_{run.step:06d}.png")
    if workers.leads:
        finish(settings, averages["G"].net, averages["E"].net, training, held_out, calls, run.step)


def _start(pair: Pair, folder: Path, images: Tensor, workers: Workers) -> None:
    """Go on from the pair in a folder; every process then holds what the leader found."""
    generator, encoder = (load(folder / f"{name}.safetensors") for name, load in LOADERS.items())
    grow(generator, encoder, pair.generator, pair.encoder, images[: 8 * pair.generator.style_dim])
    for parameter in pair.parameters():
        workers.share(parameter.data)


class Stepper:
    """An optimiser with its parameters, stepped with the mean gradient of all processes and the scheduled rate."""

    def __init__(self, parameters: list[Tensor], rate: float, momentum: float):
        self.parameters, self.rate = parameters, rate
        self.optimiser = torch.optim.Adam(parameters, rate, betas=(momentum, 0.99), fused=True)

    def step(self, run: Run) -> None:
        """One step with the gradients that are there."""
        run.workers.average_gradients(self.parameters)
        self.optimiser.param_groups[0]["lr"] = self.rate * _schedule(run.progress())
        self.optimiser.step()


def _steppers(pair: Pair, settings: PairSettings) -> dict[str, Stepper]:
    """One for what draws, one for the mapping network, which needs another rate, and one for the discriminator."""
    mapped_by = list(pair.generator.style.parameters())
    drawn_by = [p for name, p in pair.generator.named_parameters() if not name.startswith("style.")]
    return {
        "optimiser": Stepper([*drawn_by, *pair.encoder.parameters(), *pair.reader.parameters()], settings.rate, 0.5),
        "mapper": Stepper(mapped_by, settings.mapping_rate, 0.5),
        "judge": Stepper(list(pair.discriminator.parameters()), settings.rate, 0.0),
    }


def _schedule(progress: float) -> float:
    """Learning rate: a short rise, then flat, then a linear fall over the last 40%."""
    return min(progress / 0.01 + 0.1, 1.0, (1 - progress) / 0.4 + 0.02)


def _whiten(pair: Pair, averages: dict[str, Average], images: Tensor, workers: Workers) -> None:
    """Fold the principal space of the averaged encoder's codes into both networks and both averages; map anew."""
    axes = principal_axes(averages["E"].net, images[: 4 * pair.generator.style_dim])
    workers.share(axes.mean), workers.share(axes.steps)  # singular vectors may differ in sign between processes
    fold_into_encoder(pair.encoder, axes)
    fold_into_encoder(averages["E"].net, axes)
    fresh = studio_generator(pair.generator.resolution).style.state_dict()
    for generator in (pair.generator, averages["G"].net):
        fold_into_generator(generator, axes)
        generator.style.load_state_dict(fresh)
    for parameter in pair.generator.style.parameters():
        workers.share(parameter.data)
    averages["G"].net.style.load_state_dict(pair.generator.style.state_dict())
    pair.whitened.fill_(True)


def _to(views: Views, device: torch.device) -> Views:
    return Views(*(part.to(device, memory_format=torch.channels_last) for part in vars(views).values()))


@dataclass
class Judges:
    """Trained networks whose features a reconstruction must share with its original."""

    identity: nn.Module
    parser: nn.Module


def _draw(pair: Pair, judges: Judges, views: Views, factors: Tensor, settings: PairSettings, progress: float):
    """Losses of encoder and generator by name, and the drawn pictures for the discriminator."""
    generator, device = pair.generator, views.target.device
    with precision(device):
        base, offsets = pair.encoder.base_and_offsets(views.source)
        base = base.float()
        noisy = base + settings.code_noise * torch.randn_like(base)
        codes = noisy.unsqueeze(1) + offsets.float()
        drawn = generator.synthesis(codes, noise="random")
        with torch.no_grad():
            wanted, wanted_parts = judges.identity.features(views.target), judges.parser.features(views.target)
        seen, seen_parts = judges.identity.features(drawn), judges.parser.features(drawn)
        likeness = (judges.identity.embed(seen) * judges.identity.embed(wanted)).sum(dim=1).mean()
    figures = {
        "pixels": losses.pixels(drawn, views.target, views.weight),
        "perceptual": settings.perceptual * losses.perceptual(seen, wanted),
        "parts": settings.parts * losses.perceptual(seen_parts, wanted_parts),
        "identity": settings.identity_weight * (1 - likeness),
        "factors": settings.factors * F.mse_loss(pair.reader(base), factors),
        "delta": (settings.delta if pair.whitened else 0.0) * losses.delta_norm(offsets.float()),
        "size": 0.001 * base.square().mean(),
    }
    w = generator.mapping(torch.randn(256, 512, device=device))
    figures["mapping"] = losses.energy_distance(w, base.detach())
    if progress < settings.adversarial_from:
        return figures, drawn[:0]
    few = len(codes) // 4
    with precision(device):
        others = torch.cat([_blend(codes[:few], codes[-few:]), generator.broadcast(w[:few])])
        fakes = torch.cat([drawn[: 2 * few], generator.synthesis(others, noise="random")])
        logits = pair.discriminator(diff_augment(fakes)).float()
    figures["adversarial"] = settings.adversarial * losses.gan_generator(logits)
    return figures, fakes.detach()


def _blend(father: Tensor, mother: Tensor) -> Tensor:
    """Codes between two people's: one share for all layers for half of them, one a layer for the rest."""
    share = torch.rand(len(father), father.shape[1], 1, device=father.device)
    whole = torch.rand(len(father), 1, 1, device=father.device) < 0.5
    return torch.lerp(mother, father, torch.where(whole, share[:, :1], share))


@torch.no_grad()
def finish(
    settings: PairSettings,
    generator: Generator,
    encoder: Encoder,
    training: FaceSet,
    held_out: FaceSet,
    calls: list[dict],
    steps: int,
) -> None:
    """Fit the mapping network to the codes, move their average out of the encoder's bias, measure, and write."""
    generator.eval().cpu(), encoder.eval().cpu()
    codes = [encoder(part.float() / 127.5 - 1)[:, 0] for part in training.images.split(256)]
    fit_mapping(generator.style, torch.cat(codes), settings.mapping_steps, settings.seed)
    average = generator.mean_latent()
    generator.latent_avg.copy_(average.expand_as(generator.latent_avg))
    encoder.latent_avg.copy_(generator.latent_avg)
    encoder.backbone.base.bias -= average
    figures = measure_pair(generator, encoder, load_identity(settings.identity).cpu(), held_out)
    recipe = asdict(settings) | {"steps_done": steps, "pictures": len(training)}
    state = generator.state_dict() | {"latent_avg": generator.latent_avg}
    record.write(encoder_state(encoder), settings.out, "encoder", recipe, figures, calls=calls)
    record.write(state, settings.out, "generator", recipe, figures, calls=calls)
    sample_sheet(generator, encoder, held_out, settings.run / "final.png")
