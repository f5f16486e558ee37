"""The studio's upscaler: Real-ESRGAN's compact network with two heads, twofold and fourfold, on rendered photographs.

Half of the small pictures are small renders, as family photographs are, half are large ones spoilt in Real-ESRGAN's
way. The loss is L1 at both sizes and the distance of the identity network's features; adversarial training, which buys
texture with faithfulness, is there to be tried. `upscaler_esrgan` is the same network trained on cleanly reduced
pictures alone, as ESRGAN was, to see what the spoiling is good for.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.evaluation.size_pairs import FACTOR, SizePair, family_jobs, family_pairs, read_pairs, split_people
from kinlib.evaluation.upscaler_fidelity import as_bad_photograph, as_photograph, measure_upscaler
from kinlib.faces.identity import load_identity
from kinlib.faces.upscale_networks import Compact, Upscaler, compact_layers, pick_head
from kinlib.gan.discriminator import Discriminator
from kinlib.runtime.errors import KinlibError
from kinlib.training.data.augment import diff_augment
from kinlib.training.data.patches import Patches
from kinlib.training.engine import losses, record
from kinlib.training.engine.discriminator_step import judge
from kinlib.training.engine.loop import Average, Run, Workers, batches, launch, precision, use_channels_last

__all__ = ["EsrganSettings", "TwoHeads", "UpscalerSettings", "train"]

HEADS = (2, 4)
SEEN = 64  # pixels, side of what the identity network and the discriminator look at
BORDER = 3  # pixels of small patches that the losses leave out: what lies beyond a patch's border is unknown


@dataclass
class UpscalerSettings:
    """Train the upscaler."""

    data: Path
    """folder of Parquet files with large photographs (kinlib render --crop photo --size 480)"""
    out: Path
    """folder that receives the weights and a record of how they were made"""
    small: Path | None = None
    """folder with the same photographs in a quarter of the size; without, all small pictures are degraded large ones"""
    run: Path = Path("runs/upscaler")
    """folder of checkpoints and log"""
    minutes: float = 60.0
    """time this call may take"""
    steps: int = 6000
    """length of the schedule"""
    batch: int = 16
    """patches in a step"""
    rate: float = 4e-4
    """highest learning rate"""
    patch: int = 40
    """side of a small patch in pixels"""
    width: int = 64
    """channels of the network"""
    depth: int = 16
    """convolutions between the first and the last"""
    strength: float = 0.6
    """largest strength of the degradation; 1 for the paper's ranges"""
    rendered: float = 0.5
    """share of small patches that are small renders"""
    clean: bool = False
    """reduce large patches cleanly instead of spoiling them, as ESRGAN was trained"""
    perceptual: float = 0.02
    """weight of the distance of features"""
    adversarial: float = 0.0
    """weight of the adversarial loss; 0 for none"""
    adversarial_from: float = 0.6
    """share of the schedule after which it begins"""
    photos: int = 160
    """family photographs to render again in full size for the figures; 0 for none"""
    seed: int = 0
    """of weights, patches and degradation"""
    device: str = "cpu"
    """cpu or cuda"""
    workers: int = 1
    """processes, one thread each; 2 for two cores"""


@dataclass
class EsrganSettings(UpscalerSettings):
    """Train the upscaler on cleanly reduced pictures, to compare."""

    run: Path = Path("runs/upscaler_esrgan")
    """folder of checkpoints and log"""
    clean: bool = True
    """reduce large patches cleanly instead of spoiling them, as ESRGAN was trained"""


class TwoHeads(nn.Module):
    """The compact network with one last convolution for each factor: RGB in [0, 1] -> {2: ..., 4: ...}."""

    def __init__(self, width: int = 64, depth: int = 16):
        super().__init__()
        self.body = nn.ModuleList(compact_layers(width, depth))
        self.heads = nn.ModuleDict({str(factor): nn.Conv2d(width, 3 * factor**2, 3, 1, 1) for factor in HEADS})
        self._begin_bilinear()

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        features = x
        for layer in self.body:
            features = layer(features)
        return {
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
    def _begin_bilinear(self) -> None:
        """Start as bilinear interpolation, nearly the identity from layer to layer, which saves hours of training.

        The first three channels carry the picture through unchanged (it is never negative, so that PReLU keeps it);
        each head starts with the difference of bilinear and nearest-neighbour interpolation.
        """
        for number, layer in enumerate(self.body[::2]):
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
    line = torch.stack([(-offset).clamp(min=0), 1 - offset.abs(), offset.clamp(min=0)], dim=1)  # [factor, 3]
    taps = line[:, None, :, None] * line[None, :, None, :]  # [factor, factor, 3, 3]
    taps[..., 1, 1] -= 1
    weight = torch.zeros(3, factor, factor, 3, 3, 3)
    for channel in range(3):
        weight[channel, :, :, channel] = taps
    return weight.flatten(0, 2)


def train(settings: UpscalerSettings) -> None:
    """Train, going on from the last checkpoint, and write the weights with their recipe and figures.

    Raises:
        KinlibError: if the patches are too small for the losses, or what the figures need is not here.
    """
    if 2 * settings.patch < SEEN:
        raise KinlibError(f"--patch must be at least {SEEN // 2} pixels, not {settings.patch}")
    if settings.small and not any(Path(settings.small).glob("*.parquet")):
        raise KinlibError(f"there is no *.parquet file with small photographs in '{settings.small}'")
    if settings.photos:
        family_jobs(settings.photos)  # says what is missing now rather than after hours of training
    launch(_train, settings, settings.workers)


def _train(settings: UpscalerSettings, workers: Workers) -> None:
    device = torch.device(settings.device)
    torch.manual_seed(settings.seed)
    training, held_out = split_people(read_pairs(settings.data, settings.small))
    net = use_channels_last(TwoHeads(settings.width, settings.depth)).to(device)
    average = Average(net, 100 * settings.batch)
    optimiser = torch.optim.Adam(net.parameters(), settings.rate, betas=(0.9, 0.99))
    parts = {"net": net, "average": average, "optimiser": optimiser}
    adversary = _Adversary(settings, device) if settings.adversarial else None
    run = Run(settings.run, settings.minutes, settings.steps, workers)
    run.keep(**parts, **(adversary.parts if adversary else {}))
    calls, source = run.begin(asdict(settings)), run.randomness(settings.seed)
    rng = np.random.default_rng([settings.seed, workers.rank, run.step])
    patches = Patches(settings.patch, settings.strength, settings.rendered, settings.clean)
    share = settings.batch // workers.count
    order = batches(max(len(training), share), share, source)
    parameters = list(net.parameters())
    while run.going():
        small, large = patches([training[index % len(training)] for index in next(order).tolist()], rng)
        with precision(device):
            drawn = net(_tensor(small, device))
        drawn = {factor: picture.float() for factor, picture in drawn.items()}
        wanted = _targets(_tensor(large, device))
        mine, theirs = _cuts(drawn), _cuts(wanted)
        loss = _pixels(drawn, wanted)
        if settings.perceptual:
            loss = loss + settings.perceptual * _features(mine, theirs)
        if adversary and run.progress() >= settings.adversarial_from:
            loss = loss + settings.adversarial * adversary.step(mine, theirs, run, workers)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        workers.average_gradients(parameters)
        optimiser.param_groups[0]["lr"] = settings.rate * _pace(run.progress())
        optimiser.step()
        average.update(net, settings.batch)
        run.advance()
        if run.step % 50 == 0:
            run.log(loss=loss.item())
    if workers.leads:
        used = {"steps_done": run.step, "pictures_used": len(training), "people": len({p.person for p in training})}
        _write(average.net.cpu(), settings, used, run, held_out, calls)


def _pace(progress: float) -> float:
    """Share of the learning rate: a short warm-up, then half a cosine."""
    return min(1.0, 0.05 + progress / 0.05) * (0.51 + 0.49 * math.cos(math.pi * progress))


def _write(
    net: TwoHeads, settings: UpscalerSettings, used: dict, run: Run, held_out: list[SizePair], calls: list[dict]
) -> None:
    singles = {factor: net.single(factor) for factor in HEADS}
    figures = measure_upscaler(singles, [as_photograph(pair) for pair in held_out])
    figures["people"] = len({pair.person for pair in held_out})
    bad = measure_upscaler(singles, [as_bad_photograph(pair, number) for number, pair in enumerate(held_out)])
    figures |= {f"bad_{name}": value for name, value in record.scalars(bad).items()}
    if settings.photos:
        families = measure_upscaler(singles, list(family_pairs(settings.photos, settings.workers)))
        figures["groups"] = families.pop("groups")  # more people than are held out
        figures |= {f"families_{name}": value for name, value in families.items()}
    run.log(**record.scalars(figures))
    name = "upscaler_esrgan" if settings.clean else "upscaler"
    record.write(net, settings.out, name, asdict(settings) | used, figures, calls=calls)


def _tensor(pixels: np.ndarray, device: torch.device) -> Tensor:
    """uint8 [B, H, W, 3] -> [B, 3, H, W] in [0, 1]."""
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255


def _targets(large: Tensor) -> dict[int, Tensor]:
    return {factor: F.avg_pool2d(large, FACTOR // factor) for factor in HEADS}


def _pixels(drawn: dict[int, Tensor], wanted: dict[int, Tensor]) -> Tensor:
    """L1 at both sizes."""
    parts = []
    for factor in HEADS:
        inside = (..., *[slice(BORDER * factor, -BORDER * factor)] * 2)
        parts.append(F.l1_loss(drawn[factor][inside], wanted[factor][inside]))
    return torch.stack(parts).sum()


def _cuts(pictures: dict[int, Tensor]) -> Tensor:
    """The middle of each, in the size that the identity network and the discriminator want, in [-1, 1]."""
    middles = []
    for picture in pictures.values():
        top, left = ((side - SEEN) // 2 for side in picture.shape[2:])
        middles.append(picture[..., top : top + SEEN, left : left + SEEN] * 2 - 1)
    return torch.cat(middles)


def _features(mine: Tensor, theirs: Tensor) -> Tensor:
    """Distance of the identity network's features."""
    net = load_identity().to(mine.device)
    with precision(mine.device):
        with torch.no_grad():
            wanted = net.features(theirs)
        return losses.perceptual(net.features(mine), wanted)


class _Adversary:
    """A discriminator of patches, with its optimiser."""

    def __init__(self, settings: UpscalerSettings, device: torch.device):
        self.net = Discriminator(SEEN, channels={64: 32, 32: 48, 16: 64, 8: 96, 4: 128}).to(device)
        self.optimiser = torch.optim.Adam(self.net.parameters(), settings.rate / 2, betas=(0.0, 0.99))
        self.parts = {"adversary": self.net, "adversary_optimiser": self.optimiser}

    def step(self, drawn: Tensor, wanted: Tensor, run: Run, workers: Workers) -> Tensor:
        """Teach the discriminator, then return the loss of the drawn patches."""
        judge(self.net, wanted, drawn.detach(), 1.0, run.step)
        workers.average_gradients(list(self.net.parameters()))
        self.optimiser.step()
        self.net.requires_grad_(False)
        loss = losses.gan_generator(self.net(diff_augment(drawn)).float())
        self.net.requires_grad_(True)
        return loss
