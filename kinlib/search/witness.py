"""A simulated witness: remembers a face badly, looks at screens of faces, and picks those most like the memory.

The memory is an identity embedding. It begins mixed with that of somebody else, which is how it errs consistently; each
face viewed draws it a little towards what was viewed, which is how it is overwritten; and some picks are mistakes. The
same identity network that makes the embeddings also ranks the composite in the end, so that figures made with this
witness are an upper bound on what a person with these faults would reach.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kinlib.runtime.errors import KinlibError

__all__ = ["Witness", "WitnessFaults"]


@dataclass(frozen=True)
class WitnessFaults:
    """How badly a witness remembers.

    Attributes:
        clarity: cosine between the memory and the face seen, before the first screen; from 0 to 1.
        forgetting: share of the memory that each face viewed replaces by itself.
        error: probability that a pick is any face on the screen.
    """

    clarity: float = 0.8
    forgetting: float = 0.001
    error: float = 0.1

    def __post_init__(self):
        """Raises KinlibError for a number outside 0 to 1."""
        for name in ("clarity", "forgetting", "error"):
            if not 0 <= getattr(self, name) <= 1:
                raise KinlibError(f"the {name} of a witness must be from 0 to 1, not {getattr(self, name)}")


class Witness:
    """One witness of one face.

    Args:
        seen: embedding of the face that was seen, float32 [E], unit length.
        other: embedding of somebody else, whose features the memory took over.
        faults: how badly it remembers.
        seed: of its mistakes.

    Attributes:
        memory: float32 [E], unit length.
    """

    def __init__(self, seen: Tensor, other: Tensor, faults: WitnessFaults | None = None, seed: int = 0):
        self.faults = faults or WitnessFaults()
        self.rng = np.random.default_rng(seed)
        foreign = F.normalize(other - (other @ seen) * seen, dim=0)  # what the other has and the seen face has not
        clarity = self.faults.clarity
        self.memory = clarity * seen + (1 - clarity**2) ** 0.5 * foreign

    def pick(self, embeddings: Tensor, count: int) -> tuple[int, ...]:
        """The faces on a screen that are most like the memory, the best first; the memory then fades.

        Args:
            embeddings: of the faces shown, [n, E].
            count: picks.

        Raises:
            KinlibError: if there are fewer faces than picks.
        """
        if not 1 <= count <= len(embeddings):
            raise KinlibError(f"a witness cannot pick {count} of {len(embeddings)} faces")
        likeness = (embeddings @ self.memory).numpy()
        picks = [int(number) for number in np.argsort(-likeness)[:count]]
        for place in range(count):
            if self.rng.random() < self.faults.error:  # a mistake: any face that is not picked yet
                free = [number for number in range(len(embeddings)) if number not in picks]
                picks[place] = int(self.rng.choice(free)) if free else picks[place]
        for face in embeddings:
            self.memory = F.normalize(torch.lerp(self.memory, face, self.faults.forgetting), dim=0)
        return tuple(picks)
