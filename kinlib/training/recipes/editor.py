"""The editing networks: STGAN with attention and clothing masks, learned from pictures without their edited versions.

The discriminator learns in every step and the generator in each fifth, as in STGAN's code; both by Adam, whose
learning rate falls to a tenth in the second half (the document's section 4.1). The file that is written holds a moving
average of the generator, which the document does not have.

The wanted attributes are those of another picture, as in STGAN. Almost all of these differ in an attribute that no mask
guides, so that masks learn little in a short training: in half of the samples one attribute changes alone.

Where `kinlib render --edits` has rendered pairs, a batch of these goes with each step of the generator, in both
directions: the edit is compared with the picture that should have come out of it, and the attention with the region
that truly changed. No photographs have such pairs. What the discriminator asks for is then told by example as well,
above all for what is hard to read off a small picture, and that everything else stays.

In the losses an edited picture is the photograph with the edit in it (Eq 9). The clothing mask learns from its guide
masks alone: put back into the pictures, as it is when networks are used (Eq 10), a mask of ones would reconstruct
everything.
"""

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn

from kinlib.editing import losses
from kinlib.editing.attribute_sets import AttributeSet, as_tensor, read_attribute_set
from kinlib.editing.losses import Weights, generator_total
from kinlib.editing.networks import Discriminator, Edit, Generator, blend
from kinlib.evaluation.edits.true_edits import EditPairs, background_psnr, edit_sheet, measure_pairs, read_pairs
from kinlib.runtime.errors import KinlibError
from kinlib.training.data.celeba import is_celeba
from kinlib.training.data.celebamask import is_celebamask
from kinlib.training.data.edit_faces import EditBatch, EditFaces, join, load_edit_faces
from kinlib.training.engine import record
from kinlib.training.engine.ema import EMA
from kinlib.training.engine.loop import Run, batches
from kinlib.training.engine.processes import launch, step
from kinlib.training.engine.settings import TrainSettings

__all__ = ["EditorSettings", "discriminator_loss", "generator_losses", "train", "true_edit_losses"]

SHEET_EVERY = 1000  # steps
SHOWN, MEASURED = 8, 500  # held-out pictures on a sheet, and to measure on, at most
LOG_EVERY = 10  # steps of the generator
HALF_LIFE = 10_000  # pictures, of the moving average


@dataclass(kw_only=True)
class EditorSettings(TrainSettings):
    """Train the networks that edit attributes within an attention mask."""

    run: Path = Path("runs/editor")
    """folder of checkpoints, log and sample sheets"""
    attribute_set: Path | None = None
    """JSON file of the attributes to edit (`kinlib.editing.attribute_sets`), in place of the document's thirteen"""
    more: Path | None = None
    """a second folder to learn from, such as CelebA's beside CelebAMask-HQ's"""
    pictures: int | None = None
    """most pictures of a folder to read; at 64 px each takes 16 KB of memory in every process"""
    edits: Path | None = None
    """folder that `kinlib render --edits` wrote, to measure on"""
    pairs: Path | None = None
    """another such folder, of other people, to learn from"""
    pair_batch: int = 32
    """pairs in a step of the generator, over all processes"""
    steps: int = 20_000
    """length of the schedule, in steps of the discriminator"""
    batch: int = 16
    """pictures in a step, over all processes"""
    lr: float = 2e-4
    """learning rate of both networks in the first half; then a tenth"""
    size: int = 64
    """side of the pictures, a multiple of 32"""
    width: int = 10
    """channels of the generator's first layer; 64 in the document"""
    critic_width: int = 16
    """channels of the discriminator's first layer; 64 in the document"""
    critic_steps: int = 5
    """steps of the discriminator for one of the generator"""
    single: float = 0.5
    """share of the samples in which one attribute changes alone; 0 in the document"""
    share: float = 1.0
    """share of the pictures whose guide masks are used"""
    units: bool = True
    """selective transfer units; without, AttGAN's bottleneck"""
    attention: bool = True
    """an attention mask; without, STGAN"""
    clothing_mask: bool = True
    """a clothing mask"""
    true_edit: float = 50.0
    """weight of the distance from the true edits, where there are pairs"""
    true_region: float = 10.0
    """weight of the distance of the attention from the region that truly changed"""
    reconstruction: float = Weights.reconstruction
    """weight of the reconstruction without a change"""
    attributes: float = Weights.attributes
    """weight of the wanted attributes, as the discriminator reads them"""
    dual: float = Weights.dual
    """weight of the reconstruction there and back"""
    attention_identity: float = Weights.attention_identity
    """weight of the attention without a change"""
    target: float = Weights.target
    """weight of the attention where its guide mask is exact"""
    nontarget: float = Weights.nontarget
    """weight of the attention outside of a guide mask"""
    clothing: float = Weights.clothing
    """weight of the clothing mask"""
    gradient_penalty: float = Weights.gradient_penalty
    """weight of the gradient penalty"""

    @property
    def weights(self) -> Weights:
        """The weights of the losses."""
        return Weights(**{field.name: getattr(self, field.name) for field in fields(Weights)})

    def check_data(self) -> None:
        """Raises KinlibError unless the folder holds renders, CelebAMask-HQ or CelebA."""
        if not (is_celebamask(self.data) or is_celeba(self.data)):
            super().check_data()


def train(settings: EditorSettings) -> None:
    """Train, resuming from the last checkpoint, and write the moving average with its recipe and metrics.

    Raises:
        KinlibError: if the pictures' size or the number of the discriminator's steps is impossible.
    """
    # At 32 px the discriminator's last layer would have one pixel, of which instance normalisation leaves nothing.
    if settings.size < 64 or settings.size % 32:
        raise KinlibError(f"--size must be a multiple of 32 and 64 at least, not {settings.size}")
    if settings.critic_steps < 1:
        raise KinlibError(f"--critic-steps must be 1 at least, not {settings.critic_steps}")
    launch(_train, settings)


def _train(settings: EditorSettings, accelerator: Accelerator) -> None:
    device = accelerator.device
    torch.manual_seed(settings.seed)
    known = read_attribute_set(settings.attribute_set)
    training, held_out = _load(settings, known)
    # A wrong folder is found now.
    measured, pairs = (
        read_pairs(folder, settings.size, known) if folder else None for folder in (settings.edits, settings.pairs)
    )
    generator = Generator(
        len(known),
        settings.width,
        units=settings.units,
        attention=settings.attention,
        clothing=settings.clothing_mask,
    ).to(device)
    discriminator = Discriminator(len(known), settings.critic_width, settings.size).to(device)
    average = EMA(generator, HALF_LIFE)
    optimizer, against = (
        accelerator.prepare(torch.optim.Adam(net.parameters(), settings.lr, betas=(0.5, 0.999)))
        for net in (generator, discriminator)
    )
    run = Run(settings.run, accelerator, settings.minutes, settings.steps)
    run.restore(G=generator, D=discriminator, optimizer=optimizer, discriminator=against, average=average)
    rng = run.seed(settings.seed)
    share = settings.batch // accelerator.num_processes
    order = batches(len(training), share, rng)
    pair_share = settings.pair_batch // accelerator.num_processes
    pair_order = batches(len(pairs), pair_share, rng) if pairs is not None else None
    calls = run.record_call(asdict(settings))
    while run.going():
        for group in (*optimizer.param_groups, *against.param_groups):
            group["lr"] = settings.lr * (1.0 if run.progress() < 0.5 else 0.1)
        batch = training.batch(next(order), rng, settings.single).to(device)
        found = _discriminator_step(accelerator, generator, discriminator, against, batch, settings.gradient_penalty)
        if run.step % settings.critic_steps == settings.critic_steps - 1:
            terms = generator_losses(generator, discriminator, batch)
            if pair_order is not None:
                terms |= true_edit_losses(generator, *pairs.batch(next(pair_order), rng, device))
            _generator_step(accelerator, optimizer, terms, settings)
            average.update(generator, settings.batch)
            if run.step // settings.critic_steps % LOG_EVERY == 0:
                run.log(discriminator=found, **{name: value.detach() for name, value in terms.items()})
        run.advance()
        if run.is_main and run.step % SHEET_EVERY == 0:
            _sheet(average.net, held_out, run.folder / f"sheet_{run.step:06d}.png")
    if run.is_main:
        _finish(settings, average.net, training, held_out, measured, calls, run)


def _load(settings: EditorSettings, known: AttributeSet) -> tuple[EditFaces, EditFaces]:
    training, held_out = load_edit_faces(settings.data, settings.size, settings.pictures, known)
    training = training.keep_parts(settings.share, settings.seed)
    if settings.more is not None:
        training = join(training, load_edit_faces(settings.more, settings.size, settings.pictures, known)[0])
    return training, held_out


def _discriminator_step(
    accelerator: Accelerator,
    generator: nn.Module,
    discriminator: nn.Module,
    optimizer: AcceleratedOptimizer,
    batch: EditBatch,
    penalty: float,
) -> Tensor:
    """Train the discriminator on a batch; the loss."""
    with torch.no_grad():
        _, fakes = _edited(generator, batch.images, batch.difference)
    loss = discriminator_loss(discriminator, batch, fakes, penalty)
    optimizer.zero_grad(set_to_none=True)  # the generator's loss has left gradients there as well
    accelerator.backward(loss)
    step(accelerator, optimizer)
    return loss.detach()


def _generator_step(
    accelerator: Accelerator, optimizer: AcceleratedOptimizer, terms: dict[str, Tensor], settings: EditorSettings
) -> None:
    """Train the generator by the terms of its loss."""
    loss = generator_total(terms, settings.weights)
    for name in ("true_edit", "true_region"):
        loss = loss + getattr(settings, name) * terms.get(name, 0.0)
    optimizer.zero_grad(set_to_none=True)
    accelerator.backward(loss)
    step(accelerator, optimizer)


def discriminator_loss(discriminator: nn.Module, batch: EditBatch, fakes: Tensor, penalty: float) -> Tensor:
    """Eq 17: the critic's loss with its gradient penalty, and the attributes of the photographs."""
    attributes = discriminator(batch.images)[1]
    critic = losses.critic(lambda images: discriminator(images)[0], batch.images, fakes, penalty)
    return critic + losses.attributes(attributes, batch.present)


def generator_losses(generator: nn.Module, discriminator: nn.Module, batch: EditBatch) -> dict[str, Tensor]:
    """The terms of Eq 18, without their weights; names as in `kinlib.editing.losses.generator_total`."""
    there, edited = _edited(generator, batch.images, batch.difference)
    back, returned = _edited(generator, edited, -batch.difference)
    still, same = _edited(generator, batch.images, torch.zeros_like(batch.difference))
    realness, attributes = discriminator(edited)
    return {
        "realness": realness.mean(),
        "attributes": losses.attributes(attributes, batch.wanted),
        "reconstruction": (batch.images - same).abs().mean(),
        "dual": (batch.images - returned).abs().mean(),
        "attention_identity": still.attention.mean(),
        "target": losses.target_region(there.attention, back.attention, batch.guide, batch.target),
        "nontarget": losses.nontarget(there.attention, back.attention, batch.guide, batch.nontarget),
        "clothing": losses.target_region(there.clothing, back.clothing, batch.clothing, batch.segmented),
    }


def true_edit_losses(
    generator: nn.Module, images: Tensor, edited: Tensor, changed: Tensor, difference: Tensor
) -> dict[str, Tensor]:
    """Distances from true edits, of a batch of `EditPairs`.

    What the decoder draws is judged as well as the photograph with the edit in it: an early, bad edit would otherwise
    turn the attention off, and learn nothing from then on. For the same reason the attention's distance is a cross
    entropy, whose gradient a closed mask does not take away. The region that changes counts as much as all the rest:
    glasses are a fiftieth of a picture.
    """
    edit, composed = _edited(generator, images, difference)
    error = torch.stack([(found - edited).abs().mean(dim=1, keepdim=True) for found in (composed, edit.edited)])
    parts = [(error * region).sum() / (2 * region.sum()).clamp(min=1) for region in (changed, 1 - changed)]
    return {"true_edit": sum(parts) / 2, "true_region": F.binary_cross_entropy(edit.attention, changed)}


def _edited(generator: nn.Module, images: Tensor, difference: Tensor) -> tuple[Edit, Tensor]:
    """What the generator gives, and the photographs with the edit in them, clothing included (Eq 9)."""
    edit = generator(images, difference)
    return edit, blend(edit.edited, images, edit.attention)


def _sheet(net: Generator, faces: EditFaces, path: Path) -> None:
    index = torch.linspace(0, len(faces) - 1, min(SHOWN, len(faces))).long()
    edit_sheet(net, faces.pictures(index), faces.attributes[index], path, faces.attribute_set)


def _finish(
    settings: EditorSettings,
    net: Generator,
    training: EditFaces,
    held_out: EditFaces,
    pairs: EditPairs | None,
    calls: list[dict],
    run: Run,
) -> None:
    """Write the network with its metrics: on the background of held-out faces, and on true edits."""
    _sheet(net, held_out, run.folder / "final.png")
    some = torch.arange(min(MEASURED, len(held_out)))
    metrics: dict = {}
    if held_out.segmented.all():  # else nothing tells where the background is
        change = held_out.attributes[some.roll(1)] - held_out.attributes[some]  # to those of another face
        metrics["background_psnr_db"] = background_psnr(net, held_out.pictures(some), held_out.masks[some] == 0, change)
        metrics["pictures"] = len(some)
    metrics |= measure_pairs(net, pairs) if pairs is not None else {}
    used = {"steps_done": run.step, "pictures_used": len(training)}
    used |= {"people": training.people} if training.people is not None else {}
    state = net.state_dict() | as_tensor(training.attribute_set)
    record.write(state, settings.out, "editor", asdict(settings) | used, metrics, calls=calls)
