"""One step of the discriminator, shared by all adversarial recipes."""

from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn

from kinlib.training.data.augment import diff_augment
from kinlib.training.engine import losses
from kinlib.training.engine.processes import step

__all__ = ["R1_EVERY", "discriminator_step"]

R1_EVERY = 16  # steps; the penalty is multiplied by as much (lazy regularisation, Karras et al. 2020, section 3.1)


def discriminator_step(
    accelerator: Accelerator,
    discriminator: nn.Module,
    optimizer: AcceleratedOptimizer,
    real: Tensor,
    fakes: Tensor,
    r1: float = 0.0,
    number: int = 0,
) -> Tensor:
    """Train the discriminator for one step of the logistic loss, with R1 now and then, in full precision.

    Args:
        accelerator: of this process.
        discriminator: images -> logits.
        optimizer: of the discriminator.
        real, fakes: [B, 3, R, R]; fakes without gradients.
        r1: weight of the penalty; 0 leaves it out.
        number: of the step, which says whether the penalty is due.

    Returns:
        The logistic loss, a scalar without gradients.
    """
    discriminator.zero_grad(set_to_none=True)  # the generator's loss has left gradients there as well
    with accelerator.autocast():
        real_logits = discriminator(diff_augment(real)).float()
        fake_logits = discriminator(diff_augment(fakes)).float()
    loss = losses.gan_discriminator(real_logits, fake_logits)  # over pictures and, of patches, over these
    accelerator.backward(loss)
    if r1 and number % R1_EVERY == 0:
        # On half of the batch, which halves the time that the second derivatives take.
        some = real[: max(1, len(real) // 2)]
        accelerator.backward(R1_EVERY * r1 * losses.r1_penalty(discriminator, some))
    step(accelerator, optimizer)
    return loss.detach()
