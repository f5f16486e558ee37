"""Generator and encoder trained together: the recipe of the bundled studio pair.

Training StyleGAN2 first and e4e after it is work for a GPU. On renders there is a shorter way, which two CPU cores
can go, because it is known what made every picture (`kinlib.training.data.attribute_codes`). At first the generator
draws from known codes while the encoder learns to read them; then more and more pictures are drawn from what the
encoder read, and its offsets open. When faces are nearly right the adversarial game begins: a discriminator of patches
judges reconstructions, *blends of two people's codes* (which is what inheritance asks of the generator later), and
random samples, for which the mapping network learns to give codes distributed as the known ones (energy distance, on
top of the adversarial loss). At the end the mapping network is fitted once more by itself, to what the encoder reads.

With `start`, a trained pair goes on instead, in networks as large or larger (`kinlib.training.engine.net2net`).
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.evaluation.quality import measure_pair, sample_sheet
from kinlib.faces.identity import load_identity
from kinlib.faces.parsing import load_parser
from kinlib.gan.discriminator import PatchDiscriminator
from kinlib.gan.encoder import Encoder, load_encoder
from kinlib.gan.generator import Generator, ModulatedConv2d, load_generator
from kinlib.io.resume import read_note
from kinlib.studio.datasets.renders import FaceSet, load_faces
from kinlib.training.data.attribute_codes import KnownCodes
from kinlib.training.data.augment import Augmentation, Views, diff_augment
from kinlib.training.engine import losses, record
from kinlib.training.engine.discriminator_step import judge
from kinlib.training.engine.loop import Average, Run, Workers, batches, launch, precision, use_channels_last
from kinlib.training.engine.net2net import grow_encoder, grow_generator
from kinlib.training.engine.network_sizes import studio_encoder, studio_generator
from kinlib.training.recipes.encoder import encoder_state
from kinlib.training.recipes.mapping import fit_mapping

__all__ = ["PairSettings", "train"]

CALM = 0.02  # of the usual first weights of the style layers: with those, any code scrambles a picture for a long time


@dataclass
class PairSettings:
    """Train generator and encoder together."""

    data: Path
    """folder of Parquet files with aligned faces"""
    out: Path
    """folder that receives generator and encoder (.safetensors, .json)"""
    start: Path | None = None
    """folder of a smaller or equal pair to go on from, whose first lessons (read_from, features_from) are over"""
    identity: Path | None = None
    """weights of the identity network; the bundled ones by default"""
    parsing: Path | None = None
    """weights of the parser, whose features a reconstruction must share; the bundled ones by default"""
    run: Path = Path("runs/pair")
    """folder of checkpoints, log and sample sheets"""
    resolution: int = 64
    """side of the pictures"""
    minutes: float = 60.0
    """time this call may take"""
    steps: int = 6000
    """length of the schedule"""
    read_from: float = 0.15
    """share of the schedule after which pictures are drawn from the encoder's codes as well"""
    read_to: float = 0.6
    """share of the schedule after which four pictures of five are"""
    features_from: float = 0.15
    """share of the schedule after which features of trained networks are compared, not pixels alone"""
    features_of: float = 0.5
    """share of a step's pictures whose features are compared, which takes as long as drawing them"""
    adversarial_from: float = 0.65
    """share of the schedule after which the discriminator joins"""
    batch: int = 16
    """pictures in a step"""
    rate: float = 0.015
    """highest learning rate of the generator, which falls to a twentieth along the schedule"""
    encoder_rate: float = 2e-3
    """highest learning rate of the encoder, which falls likewise"""
    judge_rate: float = 1e-3
    """learning rate of the discriminator, which comes last and must not fall behind the others"""
    mapping_rate: float = 0.1
    """learning rate of the mapping network; its layers divide it by a hundred"""
    code: float = 1.0
    """weight of the distance between the encoder's w and the known one"""
    texture: float = 8.0
    """weight of the distance of the local strength of detail"""
    perceptual: float = 1.0
    """weight of the perceptual loss in the features of the identity network"""
    parts: float = 1.0
    """weight of the perceptual loss in the features of the parser, which sees glasses, hair and lips"""
    identity_weight: float = 0.3
    """weight of 1 - cosine of the identity embeddings"""
    adversarial: float = 0.1
    """weight of the adversarial loss, whose gradient is many times that of the others"""
    matching: float = 0.5
    """weight of the distance of drawing and original in what the discriminator's layers see"""
    delta: float = 0.1
    """weight of the offsets' norm"""
    feature_weight: float = 3.0
    """added importance of pixels at the eyes and the mouth"""
    worn_weight: float = 6.0
    """added importance of pixels of glasses, earrings and necklaces"""
    code_noise: float = 0.03
    """standard deviation of noise added to w, which keeps W smooth"""
    mapping_steps: int = 600
    """steps of the mapping network by itself, when the pair is done"""
    seed: int = 0
    """of weights, batches and augmentation"""
    device: str = "cpu"
    """cpu or cuda"""
    workers: int = 1
    """processes, one thread each; 2 for two cores"""


class Pair(nn.Module):
    """The networks in training."""

    def __init__(self, settings: PairSettings):
        super().__init__()
        self.generator = studio_generator(settings.resolution)
        self.encoder = studio_encoder(settings.resolution, self.generator.num_layers)
        self.discriminator = use_channels_last(PatchDiscriminator())
        for layer in self.generator.modules():
            if isinstance(layer, ModulatedConv2d):
                layer.modulation.weight.data.mul_(CALM)
        if settings.start is None:
            self.encoder.backbone.close_offsets()
        else:
            self._grow(settings.start)
        self.to(settings.device)

    def _grow(self, start: Path) -> None:
        """Go on from a trained pair, with its average back in the bias, as it is while the pair learns.

        The statistics of the encoder's normalisation stay as they are: those of a few pictures would only add noise.
        """
        grow_generator(self.generator, load_generator(start / "generator.safetensors"))
        grow_encoder(self.encoder, load_encoder(start / "encoder.safetensors"))
        self.encoder.backbone.base.bias.data += self.encoder.latent_avg[0]
        self.encoder.latent_avg.zero_()
        for layer in self.encoder.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()


def train(settings: PairSettings) -> None:
    """Train, going on from the last checkpoint, and write both networks with their recipe and figures."""
    launch(_train, settings, settings.workers)


def _train(settings: PairSettings, workers: Workers) -> None:
    device = torch.device(settings.device)
    torch.manual_seed(settings.seed)
    training, held_out = load_faces(settings.data).split()
    pair, known = Pair(settings), KnownCodes(training)
    if settings.start is not None:
        settings = replace(settings, read_from=-1.0, read_to=0.0, features_from=0.0)
    judges = Judges(load_identity(settings.identity).to(device), load_parser(path=settings.parsing).net.to(device))
    steppers = _steppers(pair, settings)
    averages = {"G": Average(pair.generator, 8000), "E": Average(pair.encoder, 8000)}
    run = Run(settings.run, settings.minutes, settings.steps, workers)
    optimisers = {name: stepper.optimiser for name, stepper in steppers.items()}
    run.keep(pair=pair, known=known, **optimisers, **averages)
    if settings.start is not None and not run.step:
        known.follow(pair.encoder, training)
    for tensor in known.buffers():
        workers.share(tensor)  # axes may differ in sign between processes
    calls, source = run.begin(asdict(settings)), run.randomness(settings.seed)
    weights = {"feature_weight": settings.feature_weight, "worn_weight": settings.worn_weight}
    augment = Augmentation(settings.resolution, 0.8, **weights)
    order = batches(len(training), settings.batch // workers.count, source)
    while run.going():
        index = next(order)
        views = augment(training.images[index], training.labels[index], source)
        codes, views = known(index, views).to(device), _to(views, device)
        figures, fakes = _draw(pair, judges, views, codes, settings, run.progress())
        pair.zero_grad(set_to_none=True)
        sum(figures.values()).backward()
        for name in ("generator", "encoder", "mapper"):
            steppers[name].step(run)
        if len(fakes):
            figures["judge"] = judge(pair.discriminator, views.target, fakes)
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


class Stepper:
    """An optimiser with its parameters, stepped with the mean gradient of all processes; the rate falls or stays."""

    def __init__(self, parameters: list[Tensor], rate: float, momentum: float, falls: bool = True):
        self.parameters, self.rate, self.falls = parameters, rate, falls
        self.optimiser = torch.optim.Adam(parameters, rate, betas=(momentum, 0.99), fused=True)

    def step(self, run: Run) -> None:
        """One step with the gradients that are there."""
        run.workers.average_gradients(self.parameters)
        self.optimiser.param_groups[0]["lr"] = self.rate * (_schedule(run.progress()) if self.falls else 1.0)
        self.optimiser.step()


def _steppers(pair: Pair, settings: PairSettings) -> dict[str, Stepper]:
    """One for each network; the mapping network needs another rate than the rest of the generator."""
    mapped_by = list(pair.generator.style.parameters())
    drawn_by = [p for name, p in pair.generator.named_parameters() if not name.startswith("style.")]
    return {
        "generator": Stepper(drawn_by, settings.rate, 0.9),
        "encoder": Stepper(list(pair.encoder.parameters()), settings.encoder_rate, 0.9),
        "mapper": Stepper(mapped_by, settings.mapping_rate, 0.5),
        "judge": Stepper(list(pair.discriminator.parameters()), settings.judge_rate, 0.0, falls=False),
    }


def _schedule(progress: float) -> float:
    """Learning rate: a short rise, then down to a twentieth, and to nothing over the last tenth."""
    return min(progress / 0.01 + 0.1, 1.0, (1 - progress) / 0.1 + 0.02) * 0.05**progress


def _to(views: Views, device: torch.device) -> Views:
    formats = {4: torch.channels_last, 3: torch.contiguous_format}
    return Views(*(part.to(device, memory_format=formats[part.ndim]) for part in vars(views).values()))


@dataclass
class Judges:
    """Trained networks whose features a reconstruction must share with its original."""

    identity: nn.Module
    parser: nn.Module


def _draw(pair: Pair, judges: Judges, views: Views, known: Tensor, settings: PairSettings, progress: float):
    """Losses of encoder and generator by name, and the drawn pictures for the discriminator."""
    generator, device = pair.generator, views.target.device
    with precision(device):
        base, offsets = pair.encoder.base_and_offsets(views.source)
        base, offsets = base.float(), offsets.float()
        codes = _choose(known, base, offsets, settings, progress)
        drawn = generator.synthesis(codes, noise="random")
    figures = {
        "pixels": losses.pixels(drawn, views.target, views.weight),
        "texture": settings.texture * losses.texture(drawn, views.target, views.weight),
        "code": settings.code * F.mse_loss(base, known),
        "delta": settings.delta * losses.delta_norm(offsets),
    }
    if progress >= settings.features_from:
        figures |= _compare(judges, drawn, views.target, settings)
    w = generator.mapping(torch.randn(256, 512, device=device))
    figures["mapping"] = losses.energy_distance(w, known)
    if progress < settings.adversarial_from:
        return figures, drawn[:0]
    few = len(codes) // 4
    with precision(device):
        others = torch.cat([_blend(codes[:few], codes[-few:]), generator.broadcast(w[:few])])
        fakes = torch.cat([drawn, generator.synthesis(others, noise="random")])
        logits = pair.discriminator(diff_augment(fakes)).float()
        with torch.no_grad():
            wanted = pair.discriminator.features(views.target)
        seen = pair.discriminator.features(drawn)
    figures["matching"] = settings.matching * losses.feature_matching(seen, wanted)
    figures["adversarial"] = settings.adversarial * losses.gan_generator(logits)
    return figures, fakes.detach()


def _choose(known: Tensor, base: Tensor, offsets: Tensor, settings: PairSettings, progress: float) -> Tensor:
    """Codes [B, L, 512] to draw: known ones at first, later more and more of those that the encoder read."""
    share = 0.8 * (progress - settings.read_from) / (settings.read_to - settings.read_from)
    read = (torch.rand(len(base), 1, device=base.device) < min(share, 0.8)).float()
    w = torch.lerp(known, base, read)
    w = w + settings.code_noise * torch.randn_like(w)
    return w.unsqueeze(1) + offsets * read.unsqueeze(2)


def _compare(judges: Judges, drawn: Tensor, target: Tensor, settings: PairSettings) -> dict[str, Tensor]:
    """Losses in the features of identity network and parser."""
    identity, parser = judges.identity, judges.parser
    some = max(1, round(settings.features_of * len(drawn)))
    drawn, target = drawn[:some], target[:some]
    with precision(drawn.device):
        with torch.no_grad():
            wanted, wanted_parts = identity.features(target), parser.features(target)
        seen, seen_parts = identity.features(drawn), parser.features(drawn)
        likeness = (identity.embed(seen) * identity.embed(wanted)).sum(dim=1).mean()
    return {
        "perceptual": settings.perceptual * losses.perceptual(seen, wanted),
        "parts": settings.parts * losses.perceptual(seen_parts, wanted_parts),
        "identity": settings.identity_weight * (1 - likeness),
    }


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
    identity, parser = load_identity(settings.identity).cpu(), load_parser(path=settings.parsing)
    figures = measure_pair(generator, encoder, identity, parser, held_out)
    used = {"steps_done": steps, "pictures": len(training), "people": training.table.person.nunique()}
    recipe, more = asdict(settings) | used, {"calls": calls} | _history(settings.start)
    state = generator.state_dict() | {"latent_avg": generator.latent_avg}
    record.write(encoder_state(encoder), settings.out, "encoder", recipe, figures, **more)
    record.write(state, settings.out, "generator", recipe, figures, **more)
    sample_sheet(generator, encoder, held_out, settings.run / "final.png")


def _history(start: Path | None) -> dict[str, dict]:
    """How the pair that this one went on from was made, as far as its folder tells: it is part of the recipe."""
    report = read_note(start / "encoder.json") if start else None
    if report is None:
        return {}
    return {"start": {key: report[key] for key in ("recipe", "set", "calls", "start") if key in report}}
