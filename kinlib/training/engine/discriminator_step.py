"""One step of the discriminator, shared by all adversarial recipes."""

from torch import Tensor, nn

from kinlib.training.data.augment import diff_augment
from kinlib.training.engine import losses
from kinlib.training.engine.loop import precision

__all__ = ["R1_EVERY", "judge"]

R1_EVERY = 16  # steps; the penalty is multiplied by as much (lazy regularisation, Karras et al. 2020, section 3.1)


def judge(discriminator: nn.Module, real: Tensor, fakes: Tensor, r1: float = 0.0, step: int = 0) -> Tensor:
    """Leave the gradients of one step in the discriminator; R1 now and then, in full precision.

    Args:
        real, fakes: [B, 3, R, R]; fakes without gradients.
        r1: weight of the penalty; 0 leaves it out.
        step: number of the step, which says whether the penalty is due.

    Returns:
        The logistic loss, a scalar without gradients.
    """
    discriminator.zero_grad(set_to_none=True)
    with precision(real.device):
        real_logits = discriminator(diff_augment(real)).float()
        fake_logits = discriminator(diff_augment(fakes)).float()
    loss = losses.gan_discriminator(real_logits, fake_logits)
    loss.backward()
    if r1 and step % R1_EVERY == 0:
        some = real[: max(1, len(real) // 2)]
        (R1_EVERY * r1 * losses.r1_penalty(discriminator, some)).backward()
    return loss.detach()
