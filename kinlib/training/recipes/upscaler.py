"""The studio's upscaler: Real-ESRGAN's compact network with two heads, twofold and fourfold, on rendered photographs.

Half of the small pictures are small renders, as family photographs are; half are large ones degraded as in Real-ESRGAN.
The loss is L1 at both sizes and the distance of the identity network's features. Adversarial training, which gains
texture and loses fidelity, is an option. `upscaler_esrgan` is the same network trained on cleanly reduced pictures
alone, as ESRGAN was, to show the effect of the degradation.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from kinlib.evaluation.preprocessing.size_pairs import (
    FACTOR,
    SizePair,
    family_jobs,
    family_pairs,
    read_pairs,
    split_people,
)
from kinlib.evaluation.preprocessing.upscaler_fidelity import as_bad_photograph, as_photograph, measure_upscaler
from kinlib.faces.identity import load_identity
from kinlib.faces.upscale_networks import Compact, Upscaler, compact_layers, pick_head
from kinlib.gan.discriminator import Discriminator
from kinlib.runtime.errors import KinlibError
from kinlib.training.data.augment import diff_augment
from kinlib.training.data.patches import Patches
from kinlib.training.engine import losses, record
from kinlib.training.engine.discriminator_step import discriminator_step
from kinlib.training.engine.ema import EMA
from kinlib.training.engine.loop import Run, batches
from kinlib.training.engine.network_sizes import use_channels_last
from kinlib.training.engine.processes import launch, step
from kinlib.training.engine.settings import TrainSettings

__all__ = ["EsrganSettings", "TwoHeads", "UpscalerSettings", "train"]

HEADS = (2, 4)
CROP = 64  # px, side of what the identity network and the discriminator get
BORDER = 3  # px of small patches that the losses leave out: there the convolutions saw zeros instead of the photograph
EMA_STEPS = 100  # half-life of the moving average


@dataclass(kw_only=True)
class UpscalerSettings(TrainSettings):
    """Train the upscaler; `data` holds large photographs (kinlib render --crop photo --size 480)."""

    small: Path | None = None
    """folder with the same photographs in a quarter of the size; without, all small pictures are degraded large ones"""
    run: Path = Path("runs/upscaler")
    """folder of checkpoints and log"""
    batch: int = 16
    """patches in a step, over all processes"""
    lr: float = 4e-4
    """highest learning rate"""
    patch: int = 40
    """side of a small patch in pixels"""
    width: int = 64
    """channels of the network"""
    depth: int = 16
    """convolutions between the first and the last"""
    strength: float = 0.6
    """largest strength of the degradation; 1 for the paper's ranges"""
    # Renders teach what a sensor of few pixels does, degraded pictures what happens to a photograph later.
    rendered: float = 0.5
    """share of small patches that are small renders"""
    clean: bool = False
    """reduce large patches cleanly instead of degrading them, as ESRGAN was trained"""
    perceptual: float = 0.02
    """weight of the distance of features"""
    # Off in the bundled weights: measured fidelity counts more here than texture.
    adversarial: float = 0.0
    """weight of the adversarial loss; 0 for none"""
    adversarial_from: float = 0.6
    """share of the schedule after which it begins"""
    photos: int = 160
    """family photographs to render again in full size for the metrics; 0 for none"""


@dataclass(kw_only=True)
class EsrganSettings(UpscalerSettings):
    """Train the upscaler on cleanly reduced pictures, to compare."""

    run: Path = Path("runs/upscaler_esrgan")
    """folder of checkpoints and log"""
    clean: bool = True
    """reduce large patches cleanly instead of degrading them, as ESRGAN was trained"""


class TwoHeads(nn.Module):
    """The compact network with one last convolution for each factor: RGB in [0, 1] -> {2: ..., 4: ...}."""

    def __init__(self, width: int = 64, depth: int = 16):
        super().__init__()
        self.body = nn.ModuleList(compact_layers(width, depth))
        self.heads = nn.ModuleDict({str(factor): nn.Conv2d(width, 3 * factor**2, 3, 1, 1) for factor in HEADS})
        self._start_bilinear()

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        features = x  # [B, 3, H, W], then [B, width, H, W]
        for layer in self.body:
            features = layer(features)
        return {
            # As in the published network, the heads predict the difference from nearest-neighbour enlargement.
            factor: F.pixel_shuffle(self.heads[str(factor)](features), factor)
            + F.interpolate(x, scale_factor=factor, mode="nearest")
            for factor in HEADS
        }

    def single(self, factor: int) -> Upscaler:
        """The published network that one head makes of it."""
        state = pick_head(self.state_dict(), factor)
        net = Compact(self.body[0].out_channels, len(self.body) // 2 - 1, factor)
        net.load_state_dict(state)
        return Upscaler(net.eval().requires_grad_(False), factor)

    @torch.no_grad()
    def _start_bilinear(self) -> None:
        """Start as bilinear interpolation, nearly the identity from layer to layer, which saves hours of training.

        The first three channels pass the picture on unchanged (it is never negative, so that PReLU keeps it). Each head
        starts with the difference of bilinear and nearest-neighbour interpolation.
        """
        for number, layer in enumerate(self.body[::2]):
            # He initialisation for the other channels; weaker after the first layer, beside the identity's ones.
            spread = 1.0 if number == 0 else 0.3
            noise = torch.randn_like(layer.weight) * spread * (2 / layer.weight[0].numel()) ** 0.5
            nn.init.dirac_(layer.weight)
            layer.weight[3:] += noise[3:]
            nn.init.zeros_(layer.bias)
        for factor in HEADS:
            head = self.heads[str(factor)]
            nn.init.zeros_(head.weight), nn.init.zeros_(head.bias)
            head.weight[:, :3] = _bilinear_minus_nearest(factor)


def _bilinear_minus_nearest(factor: int) -> Tensor:
    """Weights [3 factor^2, 3, 3, 3] of a convolution before a pixel shuffle."""
    offset = (torch.arange(factor) + 0.5) / factor - 0.5  # of each new pixel from the old one's centre
    # Weights of the left, the middle and the right old pixel for each new one, and their products over both axes.
    line = torch.stack([(-offset).clamp(min=0), 1 - offset.abs(), offset.clamp(min=0)], dim=1)  # [factor, 3]
    taps = line[:, None, :, None] * line[None, :, None, :]  # [factor, factor, 3, 3]
    taps[..., 1, 1] -= 1
    weight = torch.zeros(3, factor, factor, 3, 3, 3)
    for channel in range(3):
        weight[channel, :, :, channel] = taps
    return weight.flatten(0, 2)  # [3, factor, factor, 3, 3, 3] -> [3 factor^2, 3, 3, 3], the order of a pixel shuffle


def train(settings: UpscalerSettings) -> None:
    """Train, resuming from the last checkpoint, and write the weights with their recipe and metrics.

    Raises:
        KinlibError: if the patches are too small for the losses, or what the metrics need is missing.
    """
    if 2 * settings.patch < CROP:
        raise KinlibError(f"--patch must be at least {CROP // 2} pixels, not {settings.patch}")
    if settings.small and not any(Path(settings.small).glob("*.parquet")):
        raise KinlibError(f"there is no *.parquet file with small photographs in '{settings.small}'")
    if settings.photos:
        family_jobs(settings.photos)  # fails now rather than after hours of training
    launch(_train, settings)


def _train(settings: UpscalerSettings, accelerator: Accelerator) -> None:
    device = accelerator.device
    torch.manual_seed(settings.seed)
    training, held_out = split_people(read_pairs(settings.data, settings.small))
    net = use_channels_last(TwoHeads(settings.width, settings.depth)).to(device)
    average = EMA(net, EMA_STEPS * settings.batch)
    # Adam's settings are Real-ESRGAN's.
    optimizer = accelerator.prepare(torch.optim.Adam(net.parameters(), settings.lr, betas=(0.9, 0.99)))
    parts = {"net": net, "average": average, "optimizer": optimizer}
    adversarial = _AdversarialLoss(settings, accelerator) if settings.adversarial else None
    run = Run(settings.run, accelerator, settings.minutes, settings.steps)
    run.restore(**parts, **(adversarial.parts if adversarial else {}))
    calls, source = run.record_call(asdict(settings)), run.seed(settings.seed)
    # Patches are cut and degraded by NumPy and OpenCV, with random numbers of their own.
    rng = np.random.default_rng([settings.seed, accelerator.process_index, run.step])
    patches = Patches(settings.patch, settings.strength, settings.rendered, settings.clean)
    share = settings.batch // accelerator.num_processes
    order = batches(
        max(len(training), share), share, source
    )  # with fewer photographs than that, several patches of one
    while run.going():
        small, large = patches([training[index % len(training)] for index in next(order).tolist()], rng)
        with accelerator.autocast():
            enlarged = net(_tensor(small, device))
        # {2: [B, 3, 2 P, 2 P], 4: [B, 3, 4 P, 4 P]}, whose errors are smaller than bfloat16's steps.
        enlarged = {factor: picture.float() for factor, picture in enlarged.items()}
        wanted = _targets(_tensor(large, device))
        against = adversarial if run.progress() >= settings.adversarial_from else None
        loss = _loss(accelerator, enlarged, wanted, settings, against, run.step)
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        optimizer.param_groups[0]["lr"] = settings.lr * _schedule(run.progress())
        step(accelerator, optimizer)
        average.update(net, settings.batch)
        run.advance()
        run.log_losses({"loss": loss})
    if run.is_main:
        used = {"steps_done": run.step, "pictures_used": len(training), "people": len({p.person for p in training})}
        _write(average.net.cpu(), settings, used, run, held_out, calls)


def _loss(
    accelerator: Accelerator,
    enlarged: dict[int, Tensor],
    wanted: dict[int, Tensor],
    settings: UpscalerSettings,
    adversarial: "_AdversarialLoss | None",
    number: int,
) -> Tensor:
    """The sum of all losses in step `number`; the adversarial one takes a step of its discriminator."""
    found_crops, wanted_crops = _crops(enlarged), _crops(wanted)
    loss = _pixels(enlarged, wanted)
    if settings.perceptual:
        loss = loss + settings.perceptual * _perceptual(accelerator, found_crops, wanted_crops)
    if adversarial:
        loss = loss + settings.adversarial * adversarial(found_crops, wanted_crops, number)
    return loss


def _schedule(progress: float) -> float:
    """Share of the learning rate: warm-up over 5% of the schedule, then half a cosine down to 2%."""
    return min(1.0, 0.05 + progress / 0.05) * (0.51 + 0.49 * math.cos(math.pi * progress))


def _write(
    net: TwoHeads, settings: UpscalerSettings, used: dict, run: Run, held_out: list[SizePair], calls: list[dict]
) -> None:
    singles = {factor: net.single(factor) for factor in HEADS}
    # Three sets: held-out photographs, the same degraded, and the course's families rendered again in full size.
    metrics = measure_upscaler(singles, [as_photograph(pair) for pair in held_out])
    metrics["people"] = len({pair.person for pair in held_out})
    bad = measure_upscaler(singles, [as_bad_photograph(pair, number) for number, pair in enumerate(held_out)])
    metrics |= {f"bad_{name}": value for name, value in record.scalars(bad).items()}
    if settings.photos:
        families = measure_upscaler(singles, list(family_pairs(settings.photos, settings.workers)))
        metrics["groups"] = families.pop("groups")  # more people than are held out
        metrics |= {f"families_{name}": value for name, value in families.items()}
    run.log(**record.scalars(metrics))
    name = "upscaler_esrgan" if settings.clean else "upscaler"
    record.write(net, settings.out, name, asdict(settings) | used, metrics, calls=calls)


def _tensor(pixels: np.ndarray, device: torch.device) -> Tensor:
    """uint8 [B, H, W, 3] -> [B, 3, H, W] in [0, 1]."""
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255


def _targets(large: Tensor) -> dict[int, Tensor]:
    # Box averages, as a sensor with larger pixels would take.
    return {factor: F.avg_pool2d(large, FACTOR // factor) for factor in HEADS}


def _pixels(enlarged: dict[int, Tensor], wanted: dict[int, Tensor]) -> Tensor:
    """L1 at both sizes."""
    parts = []
    for factor in HEADS:
        # BORDER pixels of the small picture are BORDER x factor of the enlarged one.
        inside = (..., *[slice(BORDER * factor, -BORDER * factor)] * 2)
        parts.append(F.l1_loss(enlarged[factor][inside], wanted[factor][inside]))
    return torch.stack(parts).sum()


def _crops(pictures: dict[int, Tensor]) -> Tensor:
    """The middle of each, [2 B, 3, 64, 64] in [-1, 1], for the identity network and the discriminator."""
    middles = []
    for picture in pictures.values():
        top, left = ((side - CROP) // 2 for side in picture.shape[2:])
        middles.append(picture[..., top : top + CROP, left : left + CROP] * 2 - 1)
    return torch.cat(middles)


def _perceptual(accelerator: Accelerator, found: Tensor, wanted: Tensor) -> Tensor:
    """Distance of the identity network's features of two batches [B, 3, 64, 64]."""
    net = load_identity().to(found.device)
    with accelerator.autocast():
        with torch.no_grad():
            target = net.features(wanted)
        return losses.perceptual(net.features(found), target)


class _AdversarialLoss:
    """The loss against a discriminator of 64 px crops, which takes a step in each call."""

    R1 = 1.0  # weight of the penalty

    def __init__(self, settings: UpscalerSettings, accelerator: Accelerator):
        self.accelerator = accelerator
        # Narrow, as the upscaler is; with half its learning rate, by trial.
        self.net = Discriminator(CROP, channels={64: 32, 32: 48, 16: 64, 8: 96, 4: 128}).to(accelerator.device)
        optimizer = torch.optim.Adam(self.net.parameters(), settings.lr / 2, betas=(0.0, 0.99))
        self.optimizer = accelerator.prepare(optimizer)
        self.parts = {"discriminator": self.net, "discriminator_optimizer": self.optimizer}

    def __call__(self, found: Tensor, wanted: Tensor, number: int) -> Tensor:
        """Train the discriminator for one step, then return the loss of the enlarged crops."""
        discriminator_step(self.accelerator, self.net, self.optimizer, wanted, found.detach(), self.R1, number)
        self.net.requires_grad_(False)  # its gradients are not needed for the upscaler's
        loss = losses.gan_generator(self.net(diff_augment(found)).float())
        self.net.requires_grad_(True)
        return loss
