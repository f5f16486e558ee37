"""Generator and encoder trained together: the recipe of the bundled studio pair.

Training StyleGAN2 first and e4e after it needs a GPU. On renders two CPU cores are enough, because the attributes of
every picture are known (`kinlib.training.data.attribute_codes`). At first the generator synthesises from attribute
codes while the encoder learns to predict them. Then more and more pictures are synthesised from the encoder's codes,
and its offsets are used. When faces are nearly right, adversarial training begins: a discriminator of patches sees
reconstructions, blends of two people's codes (which is how children are made later), and random samples, for which the
mapping network learns the distribution of the attribute codes (energy distance beside the adversarial loss). At the end
the mapping network is fitted once more by itself, to the encoder's codes.

With `start`, training resumes from a trained pair, in networks as large or larger (`kinlib.training.engine.net2net`).
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn

from kinlib.evaluation.quality import measure_pair, sample_sheet
from kinlib.faces.identity import load_identity
from kinlib.faces.parsing import load_parser
from kinlib.gan.discriminator import PatchDiscriminator
from kinlib.gan.encoder import Encoder, load_encoder
from kinlib.gan.generator import Generator, ModulatedConv2d, load_generator
from kinlib.studio.datasets.renders import FaceSet, load_faces
from kinlib.training.data.attribute_codes import AttributeCodes
from kinlib.training.data.augment import Augmentation, Views, diff_augment
from kinlib.training.engine import losses, record
from kinlib.training.engine.discriminator_step import discriminator_step
from kinlib.training.engine.ema import EMA
from kinlib.training.engine.loop import Run, batches
from kinlib.training.engine.net2net import deepen_encoder, widen_generator
from kinlib.training.engine.network_sizes import studio_encoder, studio_generator, use_channels_last
from kinlib.training.engine.processes import launch, step
from kinlib.training.engine.settings import TrainSettings
from kinlib.training.recipes.encoder import encoder_state
from kinlib.training.recipes.mapping import fit_mapping

__all__ = ["PairSettings", "train"]

# Factor on the initial weights of the style layers, by trial: with 1 every code scrambles the picture for a long time.
STYLE_INIT = 0.02
EMA_HALF_LIFE = 8000  # pictures, 500 steps of the default batch; StyleGAN2 has 10,000 pictures
MAPPING_SAMPLES = 256  # random codes for the energy distance, which costs little beside the pictures


@dataclass(kw_only=True)
class PairSettings(TrainSettings):
    """Train generator and encoder together."""

    start: Path | None = None
    """folder of a smaller or equal pair to resume from; read_from and features_from are then over"""
    identity: Path | None = None
    """weights of the identity network; the bundled ones by default"""
    parsing: Path | None = None
    """weights of the parser, whose features a reconstruction must share; the bundled ones by default"""
    run: Path = Path("runs/pair")
    """folder of checkpoints, log and sample sheets"""
    resolution: int = 64
    """side of the pictures"""
    batch: int = 16
    """pictures in a step, over all processes"""
    # Stages of the schedule, set by eye on sample sheets: attribute codes, the encoder's codes, features, adversarial.
    read_from: float = 0.15
    """share of the schedule after which pictures are synthesised from the encoder's codes as well"""
    read_to: float = 0.6
    """share of the schedule after which four pictures of five are"""
    features_from: float = 0.15
    """share of the schedule after which features of trained networks are compared, not pixels alone"""
    features_of: float = 0.5
    """share of a step's pictures whose features are compared, which takes as long as synthesising them"""
    adversarial_from: float = 0.65
    """share of the schedule after which the discriminator joins"""
    # Equalised weights scale the steps of the generator and the mapping network down by the size of their layers, so
    # their rates are higher than those of encoder and discriminator.
    lr: float = 0.015
    """highest learning rate of the generator, which falls to a twentieth along the schedule"""
    encoder_lr: float = 2e-3
    """highest learning rate of the encoder, which falls likewise"""
    discriminator_lr: float = 1e-3
    """constant learning rate of the discriminator, which joins last"""
    mapping_lr: float = 0.1
    """learning rate of the mapping network; its layers divide it by a hundred"""
    # Weights of the losses, set by eye on sample sheets; pixels count 1.
    code: float = 1.0
    """weight of the distance between the encoder's w and the attribute code"""
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
    """weight of the feature-matching loss in the discriminator's layers"""
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


class Pair(nn.Module):
    """The networks in training."""

    def __init__(self, settings: PairSettings):
        super().__init__()
        self.generator = studio_generator(settings.resolution)
        self.encoder = studio_encoder(settings.resolution, self.generator.num_layers)
        # Of patches: it is for detail; the face as a whole is in other losses.
        self.discriminator = use_channels_last(PatchDiscriminator())
        for layer in self.generator.modules():
            if isinstance(layer, ModulatedConv2d):
                layer.modulation.weight.data.mul_(STYLE_INIT)
        if settings.start is None:
            self.encoder.backbone.close_offsets()  # zero at first: one w for all layers
        else:
            self._resume(settings.start)

    def _resume(self, start: Path) -> None:
        """Resume from a trained pair, with the average code back in the bias, as it is during training.

        The statistics of the encoder's batch normalisation stay: those of a batch of 16 would add noise.
        """
        widen_generator(self.generator, load_generator(start / "generator.safetensors"))
        deepen_encoder(self.encoder, load_encoder(start / "encoder.safetensors", corrections=False))
        self.encoder.backbone.base.bias.data += self.encoder.latent_avg[0]
        self.encoder.latent_avg.zero_()
        for layer in self.encoder.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()


def train(settings: PairSettings) -> None:
    """Train, resuming from the last checkpoint, and write both networks with their recipe and metrics."""
    launch(_train, settings)


def _train(settings: PairSettings, accelerator: Accelerator) -> None:
    device = accelerator.device
    torch.manual_seed(settings.seed)
    training, held_out = load_faces(settings.data).split()
    pair, target_codes = Pair(settings).to(device), AttributeCodes(training)
    if settings.start is not None:
        # Four codes of five are the encoder's from the first step, and features are compared.
        settings = replace(settings, read_from=-1.0, read_to=0.0, features_from=0.0)
    features = FeatureNetworks.load(settings, device)
    optimizers = _optimizers(pair, settings, accelerator)
    averages = {"G": EMA(pair.generator, EMA_HALF_LIFE), "E": EMA(pair.encoder, EMA_HALF_LIFE)}
    run = Run(settings.run, accelerator, settings.minutes, settings.steps)
    run.restore(pair=pair, target_codes=target_codes, **optimizers, **averages)
    if settings.start is not None and not run.step:
        target_codes.fit_to(pair.encoder, training)
    run.share(target_codes.buffers())  # eigenvectors may differ in sign between processes
    calls, rng = run.record_call(asdict(settings)), run.seed(settings.seed)
    weights = {"feature_weight": settings.feature_weight, "worn_weight": settings.worn_weight}
    augment = Augmentation(settings.resolution, 0.8, **weights)
    order = batches(len(training), settings.batch // accelerator.num_processes, rng)
    while run.going():
        index = next(order)
        views = augment(training.images[index], training.labels[index], rng)  # on the CPU
        known, views = target_codes(index, views).to(device), _to(views, device)
        terms, fakes = _losses(accelerator, pair, features, views, known, settings, run.progress())
        pair.zero_grad(set_to_none=True)
        accelerator.backward(sum(terms.values()))
        _set_lrs(optimizers["networks"], settings, run.progress())
        step(accelerator, optimizers["networks"])
        if len(fakes):  # the discriminator has joined
            terms["discriminator"] = discriminator_step(
                accelerator, pair.discriminator, optimizers["discriminator"], views.target, fakes
            )
        averages["G"].update(pair.generator, settings.batch)
        averages["E"].update(pair.encoder, settings.batch)
        run.advance()
        run.log_losses(terms)
        if run.is_main and run.step % 500 == 0:
            sample_sheet(averages["G"].net, averages["E"].net, held_out, run.folder / f"sheet_{run.step:06d}.png")
    if run.is_main:
        finish(settings, averages["G"].net, averages["E"].net, training, held_out, calls, run.step)


def _optimizers(pair: Pair, settings: PairSettings, accelerator: Accelerator) -> dict[str, AcceleratedOptimizer]:
    """One for what the encoder's and the generator's losses train, in three groups, and one for the discriminator.

    One optimizer for one backward pass: float16's gradient scaler is updated after every optimizer's step.
    """
    mapping = list(pair.generator.style.parameters())
    synthesis = [p for name, p in pair.generator.named_parameters() if not name.startswith("style.")]
    groups = [
        {"params": synthesis, "lr": settings.lr, "betas": (0.9, 0.99)},
        {"params": list(pair.encoder.parameters()), "lr": settings.encoder_lr, "betas": (0.9, 0.99)},
        # Less momentum for the mapping network, whose loss is estimated from random samples, new in every step.
        {"params": mapping, "lr": settings.mapping_lr, "betas": (0.5, 0.99)},
    ]
    # No momentum in the discriminator, as in StyleGAN2.
    against = torch.optim.Adam(
        pair.discriminator.parameters(), settings.discriminator_lr, betas=(0.0, 0.99), fused=True
    )
    return {
        "networks": accelerator.prepare(torch.optim.Adam(groups, fused=True)),
        "discriminator": accelerator.prepare(against),
    }


def _set_lrs(optimizer: AcceleratedOptimizer, settings: PairSettings, progress: float) -> None:
    """The groups' learning rates: from the settings, since a resumed run may have others than its checkpoint."""
    highest = (settings.lr, settings.encoder_lr, settings.mapping_lr)
    for group, lr in zip(optimizer.param_groups, highest, strict=True):
        group["lr"] = lr * _schedule(progress)


def _schedule(progress: float) -> float:
    """Share of the highest learning rate: warm-up over 1%, decay to a twentieth, to 2% of that over the last tenth."""
    return min(progress / 0.01 + 0.1, 1.0, (1 - progress) / 0.1 + 0.02) * 0.05**progress


def _to(views: Views, device: torch.device) -> Views:
    # Pictures [B, C, H, W] in channels-last memory, as the networks' weights; placements [B, 2, 3] as they are.
    formats = {4: torch.channels_last, 3: torch.contiguous_format}
    return Views(*(part.to(device, memory_format=formats[part.ndim]) for part in vars(views).values()))


@dataclass
class FeatureNetworks:
    """Trained networks in whose features a reconstruction is compared with its original."""

    identity: nn.Module
    parser: nn.Module

    @classmethod
    def load(cls, settings: PairSettings, device: torch.device) -> "FeatureNetworks":
        """Those that the settings name, on a device."""
        return cls(load_identity(settings.identity).to(device), load_parser(path=settings.parsing).net.to(device))


def _losses(
    accelerator: Accelerator,
    pair: Pair,
    features: FeatureNetworks,
    views: Views,
    known: Tensor,
    settings: PairSettings,
    progress: float,
) -> tuple[dict[str, Tensor], Tensor]:
    """Losses of encoder and generator by name, and generated pictures for the discriminator, none before it joins.

    Args:
        known: attribute codes [B, 512] of the pictures.
        progress: share of the schedule that is done.
    """
    generator, device = pair.generator, views.target.device
    with accelerator.autocast():
        base, offsets = pair.encoder.base_and_offsets(views.source)  # [B, 512], [B, L, 512]
        base, offsets = base.float(), offsets.float()  # distances of codes need more digits than 16 bits hold
        codes = _mix_codes(known, base, offsets, settings, progress)
        generated = generator.synthesis(codes, noise="random")
    terms = {
        "pixels": losses.pixels(generated, views.target, views.weight),
        "texture": settings.texture * losses.texture(generated, views.target, views.weight),
        "code": settings.code * F.mse_loss(base, known),
        "delta": settings.delta * losses.delta_norm(offsets),
    }
    if progress >= settings.features_from:
        terms |= _feature_losses(accelerator, features, generated, views.target, settings)
    w = generator.mapping(torch.randn(MAPPING_SAMPLES, 512, device=device))
    terms["mapping"] = losses.energy_loss(w, known)
    if progress < settings.adversarial_from:
        return terms, generated[:0]
    more, fakes = _adversarial_losses(accelerator, pair, generated, codes, w, views.target, settings)
    return terms | more, fakes


def _adversarial_losses(
    accelerator: Accelerator,
    pair: Pair,
    generated: Tensor,
    codes: Tensor,
    w: Tensor,
    target: Tensor,
    settings: PairSettings,
) -> tuple[dict[str, Tensor], Tensor]:
    """Losses against the discriminator, and what it saw, [1.5 B, 3, R, R]: reconstructions, blends, random samples.

    Args:
        generated: the reconstructions [B, 3, R, R], from `codes` [B, L, 512].
        w: codes [N, 512] of the mapping network.
        target: the originals.
    """
    generator, few = pair.generator, len(codes) // 4  # a quarter of the batch of blends, and of random samples
    with accelerator.autocast():
        others = torch.cat([_blend(codes[:few], codes[-few:]), generator.broadcast(w[:few])])  # [2 B/4, L, 512]
        fakes = torch.cat([generated, generator.synthesis(others, noise="random")])
        logits = pair.discriminator(diff_augment(fakes)).float()
        with torch.no_grad():
            wanted = pair.discriminator.features(target)
        found = pair.discriminator.features(generated)  # not augmented: both must show the same places
    terms = {
        "matching": settings.matching * losses.feature_matching(found, wanted),
        "adversarial": settings.adversarial * losses.gan_generator(logits),
    }
    return terms, fakes.detach()


def _mix_codes(known: Tensor, base: Tensor, offsets: Tensor, settings: PairSettings, progress: float) -> Tensor:
    """Codes [B, L, 512] to synthesise from: attribute codes at first, later mostly the encoder's."""
    # One in five stays an attribute code to the end, so that the generator remains right for these.
    share = 0.8 * (progress - settings.read_from) / (settings.read_to - settings.read_from)
    read = (torch.rand(len(base), 1, device=base.device) < min(share, 0.8)).float()  # [B, 1], 0 or 1
    w = torch.lerp(known, base, read)  # [B, 512]
    w = w + settings.code_noise * torch.randn_like(w)
    return w.unsqueeze(1) + offsets * read.unsqueeze(2)  # [B, 1, 512] + [B, L, 512]


def _feature_losses(
    accelerator: Accelerator, features: FeatureNetworks, generated: Tensor, target: Tensor, settings: PairSettings
) -> dict[str, Tensor]:
    """Losses in the features of identity network and parser."""
    identity, parser = features.identity, features.parser
    some = max(1, round(settings.features_of * len(generated)))  # batches are in random order: any will do
    generated, target = generated[:some], target[:some]
    with accelerator.autocast():
        with torch.no_grad():
            wanted, wanted_parts = identity.features(target), parser.features(target)
        found, found_parts = identity.features(generated), parser.features(generated)
        likeness = (identity.embed(found) * identity.embed(wanted)).sum(dim=1).mean()  # cosine of [B, 512]
    return {
        "perceptual": settings.perceptual * losses.perceptual(found, wanted),
        "parts": settings.parts * losses.perceptual(found_parts, wanted_parts),
        "identity": settings.identity_weight * (1 - likeness),
    }


def _blend(father: Tensor, mother: Tensor) -> Tensor:
    """Blends [B, L, 512] of two people's codes: half with one share for all layers, the rest with one a layer."""
    share = torch.rand(len(father), father.shape[1], 1, device=father.device)  # [B, L, 1], the father's
    whole = torch.rand(len(father), 1, 1, device=father.device) < 0.5  # [B, 1, 1]
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
    generator.eval().cpu(), encoder.eval().cpu()  # measured on the CPU, whatever they were trained on: comparable
    codes = [encoder(part.float() / 127.5 - 1)[:, 0] for part in training.images.split(256)]  # w of layer 0: the base
    fit_mapping(generator.style, torch.cat(codes), settings.mapping_steps, settings.seed)
    average = generator.mean_latent()  # [512]
    generator.latent_avg.copy_(average.expand_as(generator.latent_avg))
    encoder.latent_avg.copy_(generator.latent_avg)
    encoder.backbone.base.bias -= average  # added inside from now on, as official encoders do
    identity, parser = load_identity(settings.identity).cpu(), load_parser(path=settings.parsing)
    metrics = measure_pair(generator, encoder, identity, parser, held_out)
    used = {"steps_done": steps, "pictures": len(training), "people": training.table.person.nunique()}
    recipe, more = asdict(settings) | used, {"calls": calls} | record.history(settings.start)
    state = generator.state_dict() | {"latent_avg": generator.latent_avg}
    record.write(encoder_state(encoder), settings.out, "encoder", recipe, metrics, **more)
    record.write(state, settings.out, "generator", recipe, metrics, **more)
    sample_sheet(generator, encoder, held_out, settings.run / "final.png")
