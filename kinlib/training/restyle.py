"""Corrections for a trained pair, generator and first encoder fixed: ReStyle (Alaluf et al. 2021) by learned gradients.

The generator stays as it is, so that random samples, directions and blends keep their meaning, and so does the first
encoder: codes begin where they did. A batch goes through all passes, and every pass is a step of its own, as in
ReStyle, where no loss reaches an earlier pass either. What was degraded in the picture for the encoder is whole in
the target, so that a correction learns which errors not to follow. Losses are the pair's (`kinlib.training.pair`), but
for the parser, which so can measure what it never taught. The distance from the first code is held down as e4e holds
down its offsets, because codes far from W are no longer good to blend or edit.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from kinlib.faces.identity import load_identity
from kinlib.faces.parsing import load_parser
from kinlib.gan.encoder import PART, RefiningEncoder, load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.gan.residual import code_gradient, fingerprint
from kinlib.resume import read_note
from kinlib.training import losses, record
from kinlib.training.augment import Augmentation, Views
from kinlib.training.data import FaceSet, load_faces
from kinlib.training.encoder import encoder_state
from kinlib.training.loop import Average, Run, Workers, batches, launch, precision, use_channels_last
from kinlib.training.networks import studio_residual
from kinlib.training.quality import measure_pair, measure_passes, sample_sheet

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
    identity: Path | None = None
    """weights of the identity network; the bundled ones by default"""
    parsing: Path | None = None
    """weights of the parser that measures; the bundled ones by default"""
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
    features_of: float = 0.5
    """share of the pictures whose features are compared"""
    texture: float = 8.0
    """weight of the distance of the local strength of detail"""
    perceptual: float = 1.0
    """weight of the perceptual loss in the features of the identity network"""
    identity_weight: float = 0.5
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
    identity = load_identity(settings.identity).to(device)
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
        metrics = _losses(encoder, identity, state, settings)
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
        finish(settings, encoder.cpu(), training, held_out, calls, run.step)


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
        codes, target = refining(images, passes=0), refining.target(images)
        parts = zip(codes.split(PART), target.split(PART), strict=True)
        gradients = torch.cat([code_gradient(generator, *part) for part in parts])
    residual.scale.copy_(gradients.square().mean(dim=(0, 2)).sqrt())  # [L]
    return refining


def _augmentation(settings: RestyleSettings, generator: Generator) -> Augmentation:
    weights = {name: getattr(settings, name) for name in ("background_weight", "feature_weight", "worn_weight")}
    return Augmentation(generator.resolution, settings.strength, **weights)


def _schedule(progress: float) -> float:
    """Share of the learning rate: a short rise, a plateau, and down in a line over the second half."""
    return min(progress / 0.02 + 0.05, 1.0, (1 - progress) / 0.5 + 0.01)


def _losses(
    encoder: RefiningEncoder, identity: nn.Module, state: _Batch, settings: RestyleSettings
) -> dict[str, Tensor]:
    """Take one pass, and return its losses by name."""
    views = state.views
    with precision(views.source.device):
        offsets = encoder.correction(state.codes, state.target, state.offsets)
        codes = state.codes + offsets
        drawn = encoder.generator.synthesis(codes)
        some = max(1, round(settings.features_of * len(drawn)))
        with torch.no_grad():
            wanted = identity.features(views.target[:some])
        seen = identity.features(drawn[:some])
        likeness = (identity.embed(seen) * identity.embed(wanted)).sum(dim=1).mean()
    state.codes, state.offsets, state.passes = codes.detach(), offsets.detach(), state.passes + 1
    return {
        "pixels": losses.pixels(drawn, views.target, views.weight),
        "texture": settings.texture * losses.texture(drawn, views.target, views.weight),
        "perceptual": settings.perceptual * losses.perceptual(seen, wanted),
        "identity": settings.identity_weight * (1 - likeness),
        "delta": settings.delta * losses.delta_norm(codes - state.first),
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
    training: FaceSet,
    held_out: FaceSet,
    calls: list[dict],
    steps: int,
) -> None:
    """Measure on held-out people, and write."""
    encoder.eval()
    identity, parser = load_identity(settings.identity).cpu(), load_parser(path=settings.parsing)
    metrics = measure_pair(encoder.generator, encoder, identity, parser, held_out)
    used = {"steps_done": steps, "pictures": len(training), "people": training.table.person.nunique()}
    recipe = asdict(settings) | used | {"resolution": encoder.generator.resolution}
    more = {"calls": calls, "ablation": _ablation(encoder, identity, held_out)} | _history(settings.start)
    record.write(refining_state(encoder), settings.out, "encoder", recipe, metrics, **more)
    sample_sheet(encoder.generator, encoder, held_out, settings.run / "final.png")


def _ablation(encoder: RefiningEncoder, identity: nn.Module, held_out: FaceSet) -> list[dict]:
    """What passes of these corrections bring, and of the untrained ones they began as: one row each."""
    residual = studio_residual(encoder.num_layers)
    residual.scale.copy_(encoder.residual.scale)
    untrained = RefiningEncoder(encoder, residual, encoder.generator, encoder.passes).eval()
    named = {"trained": encoder, "untrained": untrained}
    return [{"corrections": n, **row} for n, net in named.items() for row in measure_passes(net, identity, held_out)]


def _history(start: Path) -> dict[str, dict]:
    """How the first encoder was made, as far as its folder tells: it is part of the recipe."""
    report = read_note(start / "encoder.json")
    if report is None:
        return {}
    return {"start": {key: report[key] for key in ("recipe", "set", "calls", "start") if key in report}}
