"""A network that learns how much of each number in a child's code comes from the father.

The student report (7.3) learns a weight for each of the L x 512 entries of W+ from both parents' codes:

    child = w * father + (1 - w) * mother,  w = model(father, mother) in (0, 1)

and takes the embedding of the child's face as its target. It holds StyleGAN's synthesis for non-differentiable, and
puts a fixed random projection in its place (`MockProcessor`). Synthesis is differentiable, so that the true embedding
can take that place (`FaceProcessor`).
"""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.checkpoints.state_dicts import build
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.inheritance.blend import BLOCKS, GROUPS, Share, check_blocks, check_share
from kinlib.runtime.errors import KinlibError

__all__ = ["AdaptiveDimensionWeightModel", "FaceProcessor", "MockProcessor", "combine", "load_weight_network"]
__all__ += ["shift_weights", "similarity_loss"]

EMBEDDING = 512  # numbers in the embedding of the report's face network (InceptionResnetV1)
DROPOUT = 0.3  # of the report's listing; its 7.4.4 changes it in the course of training
L2_SHARE = 0.05  # of the squared distance in the loss (report, 7.4.1)
STYLE_DIM = 512  # dimensions of every layer's code in StyleGAN2
SURE = 1e-6  # weights are held this far from 0 and 1 before their odds are taken


class AdaptiveDimensionWeightModel(nn.Module):
    """The weight network of the student report's listing 7.3.2.1; the sizes and names of its layers are those.

    The report does not print `forward`. Its text says that the attention finds the most relevant features of the
    parents' codes and that the encoder compresses them: attention multiplies the codes, before the encoder.

    Args:
        latent_shape: (L, 512), the shape of a code.
        width: units of the widest hidden layers; the report has 2048. All others keep their ratio to it.
        dropout: rate of both dropout layers.
        blocks: what shares one weight: "entry" (the report), "dimension", "layer" or "group", as in `blend.mask`.

    Raises:
        KinlibError: if a size is not positive, `width` is below 8, `dropout` is not in [0, 1), or `blocks` is unknown.
    """

    def __init__(
        self, latent_shape: tuple[int, int], width: int = 2048, dropout: float = DROPOUT, blocks: str = "entry"
    ):
        super().__init__()
        if len(latent_shape) != 2 or min(latent_shape) < 1:
            raise KinlibError(f"a code has the shape (layers, dimensions), not {tuple(latent_shape)}")
        if width < 8:
            raise KinlibError(f"the width must be 8 or more, not {width}")
        self.blocks = check_blocks(blocks)
        self.latent_shape = tuple(latent_shape)
        self.num_layers, self.latent_dim = self.latent_shape
        latent_size = self.num_layers * self.latent_dim
        input_dim = 2 * latent_size  # both parents
        outputs = _num_blocks(self.latent_shape)[self.blocks]
        half, quarter, eighth = width // 2, width // 4, width // 8
        self.encoder = nn.Sequential(
            *_stage(input_dim, width), nn.Dropout(), *_stage(width, half), nn.Dropout(), *_stage(half, quarter)
        )
        self.attention = nn.Sequential(
            nn.Linear(input_dim, eighth), nn.ReLU(), nn.Linear(eighth, input_dim), nn.Sigmoid()
        )
        self.weight_decoder = nn.Sequential(
            *_stage(quarter, half), *_stage(half, width), nn.Linear(width, outputs), nn.Sigmoid()
        )
        self.set_dropout(dropout)

    def set_dropout(self, rate: float) -> None:
        """Change the rate of both dropout layers, in [0, 1), as the report's progressive dropout does (7.4.4)."""
        if not 0 <= rate < 1:
            raise KinlibError(f"the dropout rate must be at least 0 and below 1, not {rate}")
        for layer in self.encoder:
            if isinstance(layer, nn.Dropout):
                layer.p = rate

    def forward(self, father: Tensor, mother: Tensor) -> Tensor:
        """The father's share of each entry of the child's code.

        Args:
            father: W+ codes [B, L, 512]; with batch normalisation in training, B is at least 2.
            mother: the same shape.

        Returns:
            [B, L, 512] in (0, 1).

        Raises:
            ValueError: if the shapes differ from each other or from `latent_shape`.
        """
        if father.shape != mother.shape or father.shape[1:] != self.latent_shape:
            wanted = ["B", *self.latent_shape]
            raise ValueError(f"codes must both be {wanted}, not {list(father.shape)} and {list(mother.shape)}")
        both = torch.cat([father.flatten(1), mother.flatten(1)], dim=1)  # [B, L, 512] -> [B, 2*L*512]
        features = self.encoder(both * self.attention(both))  # [B, width / 4]
        return self._spread(self.weight_decoder(features))  # [B, blocks] -> [B, L, 512]

    def _spread(self, weights: Tensor) -> Tensor:
        """Weights of blocks [B, N] -> one for each entry of a code, [B, L, 512]."""
        if self.blocks == "entry":
            return weights.unflatten(1, self.latent_shape)
        if self.blocks == "dimension":
            return weights.unsqueeze(1).expand(-1, *self.latent_shape)
        if self.blocks == "group":
            sizes = [len(range(self.num_layers)[slice(*ends)]) for ends in GROUPS.values()]
            weights = weights.repeat_interleave(torch.tensor(sizes, device=weights.device), dim=1)  # [B, L]
        return weights.unsqueeze(2).expand(-1, *self.latent_shape)

    @torch.no_grad()
    def inherit(self, father: Tensor, mother: Tensor, generator: torch.Generator, father_share: Share = 0.5) -> Tensor:
        """One child of each couple, always the same one: a method of inheritance.

        Args:
            father, mother: W+ [B, L, 512].
            generator: not used; the weights follow from the parents.
            father_share: 0.5 leaves the weights as they were learned; see `shift_weights`. A number, or one a layer.
        """
        place = self.attention[0].weight.device
        codes = [code.to(place).float() for code in (father, mother)]
        return combine(*codes, shift_weights(self(*codes), father_share)).to(father)


def _num_blocks(latent_shape: tuple[int, int]) -> dict[str, int]:
    """How many weights a code needs, by what shares one."""
    layers, size = latent_shape
    return {"entry": layers * size, "dimension": size, "layer": layers, "group": len(GROUPS)}


def _stage(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """One layer of the report's encoder and decoder; normalisation follows the activation, as printed."""
    return nn.Linear(inputs, outputs), nn.LeakyReLU(0.2), nn.BatchNorm1d(outputs)


class MockProcessor(nn.Module):
    """The report's stand-in for synthesis and face network (7.3.2.2): a fixed random projection of the code.

    embedding = ReLU(P code) / |ReLU(P code)| with P [512, L*512] drawn once. The report does not print how; here P is
    normal, with the variance 1 / (L * 512) that keeps the scale of its input.

    Args:
        latent_shape: (L, 512), the shape of a code.
        embedding: numbers in an embedding.
        seed: of the projection.
    """

    def __init__(self, latent_shape: tuple[int, int], embedding: int = EMBEDDING, seed: int = 0):
        super().__init__()
        size = latent_shape[0] * latent_shape[1]
        projection = torch.randn(embedding, size, generator=torch.Generator().manual_seed(seed)) * size**-0.5
        self.register_buffer("projection_matrix", projection)

    def generate_embeddings_from_latent(self, latent: Tensor) -> Tensor:
        """Codes [B, L, 512] or one code [L, 512] to embeddings [B, 512] of unit length."""
        codes = latent.unsqueeze(0) if latent.ndim == 2 else latent
        projected = F.linear(codes.flatten(1), self.projection_matrix)  # [B, L, 512] -> [B, L*512] -> [B, 512]
        return F.normalize(F.relu(projected), dim=1)


class FaceProcessor(nn.Module):
    """The embedding of the face that the generator synthesises from a code. Gradients pass both networks.

    Args:
        synthesis: W+ codes [B, L, 512] -> images [B, 3, S, S] in [-1, 1].
        identity: images in [-1, 1] -> embeddings [B, 512] of unit length.
    """

    def __init__(self, synthesis: Callable[[Tensor], Tensor], identity: Callable[[Tensor], Tensor]):
        super().__init__()
        self._synthesis, self._identity = synthesis, identity  # their weights do not learn here

    def generate_embeddings_from_latent(self, latent: Tensor) -> Tensor:
        """Codes [B, L, 512] or one code [L, 512] to embeddings [B, 512] of unit length."""
        codes = latent.unsqueeze(0) if latent.ndim == 2 else latent
        return self._identity(self._synthesis(codes))


def combine(father: Tensor, mother: Tensor, weights: Tensor) -> Tensor:
    """The child's code of the report's 7.4.3, all [B, L, 512]; weights are the father's share."""
    return father * weights + mother * (1 - weights)


def shift_weights(weights: Tensor, father_share: Share) -> Tensor:
    """Weights [B, L, 512] whose odds are multiplied by those of `father_share`: 0 gives the mother, 1 the father."""
    share = check_share(father_share).to(weights).reshape(1, -1, 1)  # [1, 1, 1] or [1, L, 1]
    held = weights.clamp(SURE, 1 - SURE)
    return torch.where(share == 0.5, weights, held * share / (held * share + (1 - held) * (1 - share)))


def load_weight_network(path: str | Path) -> AdaptiveDimensionWeightModel:
    """Read a weight network's file; its sizes follow from the tensors.

    Raises:
        KinlibError: if the file is missing or holds no weight network.
    """
    state = open_checkpoint(path)
    try:
        width, inputs = state["encoder.0.weight"].shape
        outputs = state["weight_decoder.6.weight"].shape[0]
        shape = (inputs // (2 * STYLE_DIM), STYLE_DIM)
        blocks = next(name for name in BLOCKS if _num_blocks(shape)[name] == outputs)
    except (KeyError, ValueError, IndexError, AttributeError, StopIteration) as problem:
        raise KinlibError(f"{path} holds no weight network ({problem})") from problem
    model = build(lambda: AdaptiveDimensionWeightModel(shape, width, blocks=blocks), state, path)
    return model.float().eval().requires_grad_(False)


def similarity_loss(generated: Tensor, target: Tensor) -> Tensor:
    """The report's loss of 7.4.1: 1 - cosine + 0.05 * squared distance, of embeddings [B, 512] scaled to unit length.

    For unit vectors the squared distance is 2 * (1 - cosine), so that the loss is 1.1 * (1 - cosine): the second term
    changes its scale only.

    Returns:
        [B], from 0 to 2.2.
    """
    generated, target = F.normalize(generated, dim=1), F.normalize(target, dim=1)
    distance = (generated - target).square().sum(dim=1)
    return 1 - F.cosine_similarity(generated, target) + L2_SHARE * distance
