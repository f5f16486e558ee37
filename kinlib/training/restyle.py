"""Corrections for a trained pair, generator and first encoder fixed: ReStyle (Alaluf et al. 2021) by learned gradients.

The generator stays as it is, so that random samples, directions and blends keep their meaning, and so does the first
encoder: codes begin where they did. A batch goes through all passes, and every pass is a step of its own, as in ReStyle,
where no loss reaches an earlier pass either. What was degraded in the picture that the encoder
sees is whole in the target, so that a correction learns which errors not to follow. Losses are the pair's
(`kinlib.training.pair`); the distance from the first code is held down as e4e holds down its offsets, because codes far
from W are no longer good to blend or edit.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from kinlib.faces.identity import load_identity
from kinlib.faces.parsing import load_parser
from kinlib.gan.encoder import Encoder, RefiningEncoder, load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.gan.residual import ResidualEncoder, code_gradient, fingerprint
from kinlib.resume import read_note
from kinlib.training import losses, record
from kinlib.training.augment import Augmentation, Views
from kinlib.training.data import FaceSet, load_faces
from kinlib.training.encoder import encoder_state
from kinlib.training.loop import Average, Run, Workers, batches, launch, precision, use_channels_last
from kinlib.training.networks import studio_residual
from kinlib.training.quality import measure_pair, sample_sheet

__all__ = ["RestyleSettings", "refining_state", "train"]

MEASURED = 64  # pictures from which the size of a first gradient is taken


@dataclass
class RestyleSettings:
    """Train the corrections of an encoder."""

    data: Path
    """folder of Parquet files with aligned faces"""
    out: Path
    """folder that receives encoder.safetensors and encoder.json"""
    start: Path
    """folder of the pair: generator.safetensors, encoder.safetensors"""
    held_out: Path | None = None
    """folder of Parquet files with the people to measure on; by default those held out of `data`"""
    identity: Path | None = None
    """weights of the identity network; the bundled ones by default"""
    parsing: Path | None = None
    """weights of the parser; the bundled ones by default"""
    run: Path = Path("runs/restyle")
    """folder of checkpoints, log and sample sheets"""
    minutes: float = 60.0
    """time this call may take"""
    steps: int = 4000
    """length of the schedule; a batch takes as many as there are passes"""
    passes: int = 4
    """corrections that are trained, and taken by default"""
    batch: int = 16
    """pictures in a step"""
    rate: float = 1e-3
    """highest learning rate"""
    features_of: float = 0.25
    """share of the pictures whose features are compared after the last pass, which takes longer than drawing them"""
    texture: float = 8.0
    """weight of the distance of the local strength of detail"""
    perceptual: float = 1.0
    """weight of the perceptual loss in the features of the identity network"""
    parts: float = 1.0
    """weight of the perceptual loss in the features of the parser, which sees glasses, hair and lips"""
    identity_weight: float = 0.3
    """weight of 1 - cosine of the identity embeddings"""
    delta: float = 0.05
    """weight of the distance from the first code"""
    strength: float = 0.4
    """of the augmentation; what is degraded teaches caution, which whole pictures do not need"""
    background_weight: float = 0.5
    """importance of pixels of the background"""
    feature_weight: float = 3.0
    """added importance of pixels at the eyes and the mouth"""
    worn_weight: float = 6.0
    """added importance of pixels of glasses, earrings and necklaces"""
    seed: int = 0
    """of weights, batches and augmentation"""
    device: str = "cpu"
    """cpu or cuda"""
    workers: int = 1
    """processes, one thread each; 2 for two cores"""


def train(settings: RestyleSettings) -> None:
    """Train, resuming from the last checkpoint, and write the encoder with its recipe and metrics."""
    launch(_train, settings, settings.workers)


def _train(settings: RestyleSettings, workers: Workers) -> None:
    device = torch.device(settings.device)
    torch.manual_seed(settings.seed)
    training, held_out = load_faces(settings.data).split()
    encoder = _started(settings, training).to(device)
    networks = FeatureNetworks(
        load_identity(settings.identity).to(device), load_parser(path=settings.parsing).net.to(device)
    )
    parameters = list(encoder.residual.parameters())
    optimizer = torch.optim.Adam(parameters, settings.rate, betas=(0.9, 0.99), fused=True)
    average = Average(encoder.residual, 4000)
    run = Run(settings.run, settings.minutes, settings.steps, workers)
    run.keep(residual=encoder.residual, optimizer=optimizer, average=average)
    calls, source = run.begin(asdict(settings)), run.randomness(settings.seed)
    augment = _augmentation(settings, encoder.generator)
    order = batches(len(training), settings.batch // workers.count, source)
    state = None
    while run.going():
        if state is None or state.passes == settings.passes:
            index = next(order)
            views = augment(training.images[index], training.labels[index], source)
            state = _Batch.of(encoder, Views(*(part.to(device) for part in vars(views).values())))
        metrics = _losses(encoder, networks, state, settings)
        optimizer.zero_grad(set_to_none=True)
        sum(metrics.values()).backward()
        workers.average_gradients(parameters)
        nn.utils.clip_grad_norm_(parameters, 1.0)  # a pass from a code far off would undo many steps
        optimizer.param_groups[0]["lr"] = settings.rate * _schedule(run.progress())
        optimizer.step()
        average.update(encoder.residual, settings.batch)
        run.advance()
        if run.step % (5 * settings.passes) == 0:
            run.log(**{name: value.detach() for name, value in metrics.items()})
    if workers.leads:
        encoder.residual = average.net
        people = held_out if settings.held_out is None else load_faces(settings.held_out)
        finish(settings, encoder.cpu(), people, training, calls, run.step)


@dataclass
class FeatureNetworks:
    """Trained networks whose features a reconstruction must share with its original."""

    identity: nn.Module
    parser: nn.Module


@dataclass
class _Batch:
    """Pictures on their way through the passes.

    Attributes:
        views: what the encoder sees, and what should be drawn.
        target: the former at the generator's size, [B, 3, R, R].
        first, codes, offsets: codes before all passes, codes now, and the last offsets, [B, L, 512] each.
        passes: how many were taken.
    """

    views: Views
    target: Tensor
    first: Tensor
    codes: Tensor
    offsets: Tensor
    passes: int = 0

    @classmethod
    def of(cls, encoder: RefiningEncoder, views: Views) -> "_Batch":
        """Pictures with the codes of the first encoder."""
        with torch.no_grad(), precision(views.source.device):
            first = encoder(views.source, passes=0)
        return cls(views, encoder.target(views.source), first, first, torch.zeros_like(first))


def _started(settings: RestyleSettings, training: FaceSet) -> RefiningEncoder:
    """The pair with corrections that are zero as yet, scaled to the gradients that its first codes have."""
    generator = use_channels_last(load_generator(settings.start / "generator.safetensors"))
    first = use_channels_last(load_encoder(settings.start / "encoder.safetensors", generator))
    residual = studio_residual(generator.num_layers)
    images = training.images[:MEASURED].float() / 127.5 - 1
    refining = RefiningEncoder(first, residual, generator, settings.passes).eval()
    with torch.no_grad():
        parts = images.split(16)
        gradients = torch.cat([code_gradient(generator, refining(part, passes=0), refining.target(part)) for part in parts])
    residual.scale.copy_(gradients.square().mean(dim=(0, 2)).sqrt())  # [L]
    return refining


def _augmentation(settings: RestyleSettings, generator: Generator) -> Augmentation:
    weights = {name: getattr(settings, name) for name in ("background_weight", "feature_weight", "worn_weight")}
    return Augmentation(generator.resolution, settings.strength, **weights)


def _schedule(progress: float) -> float:
    """Share of the learning rate: a short rise, a plateau, and down in a line over the second half."""
    return min(progress / 0.02 + 0.05, 1.0, (1 - progress) / 0.5 + 0.01)


def _losses(
    encoder: RefiningEncoder, networks: FeatureNetworks, state: _Batch, settings: RestyleSettings
) -> dict[str, Tensor]:
    """Take one pass, and return its losses by name."""
    views = state.views
    with precision(views.source.device):
        offsets = encoder.correction(state.codes, state.target, state.offsets)
        codes = state.codes + offsets
        drawn = encoder.generator.synthesis(codes)
    state.codes, state.offsets, state.passes = codes.detach(), offsets.detach(), state.passes + 1
    metrics = {
        "pixels": losses.pixels(drawn, views.target, views.weight),
        "texture": settings.texture * losses.texture(drawn, views.target, views.weight),
        "delta": settings.delta * losses.delta_norm(codes - state.first),
    }
    if state.passes < settings.passes:
        return metrics
    return metrics | _features_compared(networks, drawn, views.target, settings)


def _features_compared(
    networks: FeatureNetworks, drawn: Tensor, target: Tensor, settings: RestyleSettings
) -> dict[str, Tensor]:
    """Losses in the features of identity network and parser, of some of the pictures."""
    some = max(1, round(settings.features_of * len(drawn)))
    drawn, target = drawn[:some], target[:some]
    identity, parser = networks.identity, networks.parser
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


def refining_state(encoder: RefiningEncoder) -> dict[str, Tensor]:
    """Tensors of an encoder with corrections as they are stored; of the generator, its fingerprint only."""
    extra = {"passes": torch.tensor(encoder.passes), "generator": fingerprint(encoder.generator)}
    residual = encoder.residual.state_dict() | extra
    return encoder_state(encoder) | {f"residual.{name}": tensor for name, tensor in residual.items()}


@torch.no_grad()
def finish(
    settings: RestyleSettings,
    encoder: RefiningEncoder,
    held_out: FaceSet,
    training: FaceSet,
    calls: list[dict],
    steps: int,
) -> None:
    """Measure on held-out people, and write."""
    encoder.eval()
    identity, parser = load_identity(settings.identity).cpu(), load_parser(path=settings.parsing)
    metrics = measure_pair(encoder.generator, encoder, identity, parser, held_out)
    used = {"steps_done": steps, "pictures": len(training), "people": training.table.person.nunique()}
    recipe, more = asdict(settings) | used, {"calls": calls} | _history(settings.start)
    record.write(refining_state(encoder), settings.out, "encoder", recipe, metrics, **more)
    sample_sheet(encoder.generator, encoder, held_out, settings.run / "final.png")


def _history(start: Path) -> dict[str, dict]:
    """How the first encoder was made, as far as its folder tells: it is part of the recipe."""
    report = read_note(start / "encoder.json")
    return {} if report is None else {"start": {k: report[k] for k in ("recipe", "set", "calls", "start") if k in report}}
