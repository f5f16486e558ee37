"""Corrections for a trained pair, generator and first encoder fixed: ReStyle (Alaluf et al. 2021) by learned gradients.

The generator stays as it is, so that random samples, directions and blends keep their meaning, and so does the first
encoder: codes begin where they did. A batch goes through all passes, and every pass is a step of its own, as in
ReStyle, where no loss reaches an earlier pass either. The error that is followed is that of the degraded picture; the
losses compare with the clean one, so that a correction learns which errors not to follow. Losses are the pair's
(`kinlib.training.recipes.pair`) except for the parser's, so that the parser can measure what was no loss here. The
distance from the first code is held down as e4e holds down its offsets, because codes far from W are no longer good to
blend or edit.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kinlib.evaluation.quality import measure_pair, measure_passes, sample_sheet
from kinlib.faces.identity import load_identity
from kinlib.faces.parsing import load_parser
from kinlib.gan.encoder import PART, RefiningEncoder, load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.gan.residual import code_gradient, fingerprint
from kinlib.studio.datasets.renders import FaceSet, load_faces
from kinlib.training.data.augment import Augmentation, Views
from kinlib.training.engine import losses, record
from kinlib.training.engine.ema import EMA
from kinlib.training.engine.loop import Run, batches
from kinlib.training.engine.network_sizes import studio_residual, use_channels_last
from kinlib.training.engine.processes import launch, step
from kinlib.training.engine.settings import TrainSettings
from kinlib.training.recipes.encoder import encoder_state

__all__ = ["RestyleSettings", "refining_state", "train"]

EMA_HALF_LIFE = 4000  # pictures, each pass counted: 250 steps of the default batch
MAX_NORM = 1.0  # of the gradients: a pass from a code far off would otherwise undo many steps
SCALE_PICTURES = 64  # from which the scale of a first gradient is estimated
LOG_BATCHES = 5  # between two lines of the log, each of a batch's last pass, so that lines compare


@dataclass(kw_only=True)
class RestyleSettings(TrainSettings):
    """Train the corrections of an encoder."""

    start: Path
    """folder of the pair: generator.safetensors, encoder.safetensors"""
    identity: Path | None = None
    """weights of the identity network; the bundled ones by default"""
    parsing: Path | None = None
    """weights of the parser that measures; the bundled ones by default"""
    run: Path = Path("runs/restyle")
    """folder of checkpoints, log and sample sheets"""
    steps: int = 4000
    """length of the schedule; a batch takes as many steps as there are passes"""
    passes: int = 4
    """corrections that are trained, and taken by default"""
    batch: int = 16
    """pictures in a step, over all processes"""
    lr: float = 1e-3
    """highest learning rate"""
    features_of: float = 0.5
    """share of the pictures whose features are compared"""
    # Weights of the losses: texture and perceptual are the pair's; pixels count 1.
    texture: float = 8.0
    """weight of the distance of the local strength of detail"""
    perceptual: float = 1.0
    """weight of the perceptual loss in the features of the identity network"""
    identity_weight: float = 0.5
    """weight of 1 - cosine of the identity embeddings"""
    delta: float = 0.05
    """weight of the distance from the first code"""
    strength: float = 0.4
    """of the augmentation; half the pair's, since degraded pictures teach corrections to hold back"""
    background_weight: float = 0.5
    """importance of pixels of the background"""
    feature_weight: float = 3.0
    """added importance of pixels at the eyes and the mouth"""
    worn_weight: float = 6.0
    """added importance of pixels of glasses, earrings and necklaces"""


def train(settings: RestyleSettings) -> None:
    """Train, resuming from the last checkpoint, and write the encoder with its recipe and metrics."""
    launch(_train, settings)


def _train(settings: RestyleSettings, accelerator: Accelerator) -> None:
    device = accelerator.device
    torch.manual_seed(settings.seed)
    training, held_out = load_faces(settings.data).split()
    encoder = _started(settings, training).to(device)
    identity = load_identity(settings.identity).to(device)
    average = EMA(encoder.residual, EMA_HALF_LIFE)
    # 0.99 as in StyleGAN2; 0.9, which an adversary would not allow, because there is none.
    optimizer = torch.optim.Adam(encoder.residual.parameters(), settings.lr, betas=(0.9, 0.99), fused=True)
    optimizer = accelerator.prepare(optimizer)
    run = Run(settings.run, accelerator, settings.minutes, settings.steps)
    run.restore(residual=encoder.residual, optimizer=optimizer, average=average)
    calls, rng = run.record_call(asdict(settings)), run.seed(settings.seed)
    augment = _augmentation(settings, encoder.generator)
    order = batches(len(training), settings.batch // accelerator.num_processes, rng)  # each process has its share
    state = None
    while run.going():
        if state is None or state.passes == settings.passes:  # the last batch has taken all its passes
            index = next(order)
            views = augment(training.images[index], training.labels[index], rng)  # on the CPU
            views = Views(*(part.to(device) for part in vars(views).values()))
            state = _Batch.begin(accelerator, encoder, views)  # on the device, codes of the first encoder
        terms = _losses(accelerator, encoder, identity, state, settings)
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(sum(terms.values()))
        optimizer.param_groups[0]["lr"] = settings.lr * _schedule(run.progress())
        step(accelerator, optimizer, MAX_NORM)
        # After each pass: the half-life counts a picture once for each.
        average.update(encoder.residual, settings.batch)
        run.advance()
        if run.step % (LOG_BATCHES * settings.passes) == 0:
            run.log(**{name: value.detach() for name, value in terms.items()})
    if run.is_main:
        encoder.residual = average.net
        finish(settings, encoder.cpu(), training, held_out, calls, run.step)


@dataclass
class _Batch:
    """Pictures on their way through the passes.

    Attributes:
        views: what the encoder sees, and what should be reconstructed.
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
    def begin(cls, accelerator: Accelerator, encoder: RefiningEncoder, views: Views) -> "_Batch":
        """Pictures with the codes of the first encoder."""
        with torch.no_grad(), accelerator.autocast():
            first = encoder(views.source, passes=0)
        return cls(views, encoder.target(views.source), first, first, torch.zeros_like(first))


def _started(settings: RestyleSettings, training: FaceSet) -> RefiningEncoder:
    """The pair with corrections that are untrained, scaled to the gradients that its first codes have."""
    generator = use_channels_last(load_generator(settings.start / "generator.safetensors"))
    first = use_channels_last(load_encoder(settings.start / "encoder.safetensors", corrections=False))
    residual = studio_residual(generator.num_layers)
    images = training.images[:SCALE_PICTURES].float() / 127.5 - 1  # uint8 -> [-1, 1], [N, 3, S, S]
    refining = RefiningEncoder(first, residual, generator, settings.passes).eval()
    with torch.no_grad():
        codes, target = refining(images, passes=0), refining.target(images)  # [N, L, 512], [N, 3, R, R]
        parts = zip(codes.split(PART), target.split(PART), strict=True)
        gradients = torch.cat([code_gradient(generator, *part) for part in parts])  # [N, L, 512]
    residual.scale.copy_(gradients.square().mean(dim=(0, 2)).sqrt())  # [L]
    return refining


def _augmentation(settings: RestyleSettings, generator: Generator) -> Augmentation:
    weights = {name: getattr(settings, name) for name in ("background_weight", "feature_weight", "worn_weight")}
    return Augmentation(generator.resolution, settings.strength, **weights)


def _schedule(progress: float) -> float:
    """Share of the highest learning rate: warm-up over 2%, constant, linear to 1% over the second half."""
    return min(progress / 0.02 + 0.05, 1.0, (1 - progress) / 0.5 + 0.01)


def _losses(
    accelerator: Accelerator,
    encoder: RefiningEncoder,
    identity: nn.Module,
    state: _Batch,
    settings: RestyleSettings,
) -> dict[str, Tensor]:
    """Take one pass, and return its losses by name."""
    views = state.views
    with accelerator.autocast():
        offsets = encoder.correction(state.codes, state.target, state.offsets)  # [B, L, 512]
        codes = state.codes + offsets
        generated = encoder.generator.synthesis(codes)  # [B, 3, R, R]
        some = max(1, round(settings.features_of * len(generated)))  # batches are in random order: any will do
        with torch.no_grad():
            wanted = identity.features(views.target[:some])
        found = identity.features(generated[:some])  # maps of several layers
        likeness = (identity.embed(found) * identity.embed(wanted)).sum(dim=1).mean()  # cosine of unit vectors
    # No gradient reaches an earlier pass.
    state.codes, state.offsets, state.passes = codes.detach(), offsets.detach(), state.passes + 1
    return {
        "pixels": losses.pixels(generated, views.target, views.weight),
        "texture": settings.texture * losses.texture(generated, views.target, views.weight),
        "perceptual": settings.perceptual * losses.perceptual(found, wanted),
        "identity": settings.identity_weight * (1 - likeness),
        "delta": settings.delta * losses.delta_norm(codes - state.first),
    }


def refining_state(encoder: RefiningEncoder) -> dict[str, Tensor]:
    """Tensors of an encoder with corrections as they are stored; of the generator, its fingerprint only."""
    extra = {"passes": torch.tensor(encoder.passes), "generator": fingerprint(encoder.generator)}
    residual = encoder.residual.state_dict() | extra
    # Beside the tensors of the first encoder, under a prefix that its loader leaves alone.
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
    metrics = measure_pair(encoder.generator, encoder, identity, parser, held_out)  # by all passes
    used = {"steps_done": steps, "pictures": len(training), "people": training.table.person.nunique()}
    recipe = asdict(settings) | used | {"resolution": encoder.generator.resolution}
    more = {"calls": calls, "ablation": _ablation(encoder, identity, held_out)} | record.history(settings.start)
    record.write(refining_state(encoder), settings.out, "encoder", recipe, metrics, **more)
    sample_sheet(encoder.generator, encoder, held_out, settings.run / "final.png")


def _ablation(encoder: RefiningEncoder, identity: nn.Module, held_out: FaceSet) -> list[dict]:
    """Metrics of each pass of these corrections, and of the untrained ones they began as: one row a pass."""
    residual = studio_residual(encoder.num_layers)
    residual.scale.copy_(encoder.residual.scale)  # [L]; the gradients' own size, no result of training
    untrained = RefiningEncoder(encoder, residual, encoder.generator, encoder.passes).eval()
    named = {"trained": encoder, "untrained": untrained}
    return [{"corrections": n, **row} for n, net in named.items() for row in measure_passes(net, identity, held_out)]
