"""Generator and discriminator of the document: STGAN (Liu et al., CVPR 2019) with an attention and a clothing mask.

Tables 1 and 2 are for 128 px; width, size and number of attributes are parameters. Table 1 prints layers 2 to 5 of the
three decoders in one cell, as Table 2 does for the layers that STGAN's two discriminators share. Both are read alike:
the decoders share these layers, and have a last layer each.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from kinlib.checkpoints.state_dicts import build
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.editing.attribute_sets import DOCUMENT, AttributeSet, check_count, from_tensor
from kinlib.runtime.errors import KinlibError

__all__ = ["Discriminator", "Edit", "Generator", "SelectiveTransferUnit", "blend", "load_editor"]

LAYERS = 5  # of encoder, decoder and discriminator, each halving or doubling the size
SLOPE = 0.2  # of the leaky ReLU; the document names none, STGAN's code has 0.2


class Edit(NamedTuple):
    """What the generator gives, all for images [B, 3, S, S] in [-1, 1].

    Attributes:
        edited: the whole picture as the decoder draws it, [B, 3, S, S] in [-1, 1].
        attention: 1 where the edit is taken, 0 where the photograph stays, [B, 1, S, S].
        clothing: 1 where clothing and jewellery are kept, [B, 1, S, S].
        image: the photograph with the edit in it (Eq 9 and 10), [B, 3, S, S].
    """

    edited: Tensor
    attention: Tensor
    clothing: Tensor
    image: Tensor


def blend(inside: Tensor, outside: Tensor, mask: Tensor) -> Tensor:
    """`inside` where the mask is 1, `outside` where it is 0 (Eq 9 and 10)."""
    return inside * mask + outside * (1 - mask)


class SelectiveTransferUnit(nn.Module):
    """A gated recurrent unit that runs over the encoder's layers, from the smallest to the largest (Eq 8; STGAN, Eq 3
    to 8). The change of attributes enters with the state, so that a unit can let pass what the change leaves alone.

    Args:
        state_channels: of the state from the next smaller layer.
        channels: of the encoder's feature, the new state and the result.
        num_attributes: A.
    """

    def __init__(self, state_channels: int, channels: int, num_attributes: int):
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(state_channels + num_attributes, channels, 4, 2, 1)
        self.reset = nn.Conv2d(2 * channels, channels, 3, 1, 1)
        self.update = nn.Conv2d(2 * channels, channels, 3, 1, 1)
        self.candidate = nn.Conv2d(2 * channels, channels, 3, 1, 1)

    def forward(self, feature: Tensor, state: Tensor, difference: Tensor) -> tuple[Tensor, Tensor]:
        """Feature [B, C, H, W], state [B, C', H / 2, W / 2], difference [B, A] to (feature, state), [B, C, H, W]."""
        change = difference[:, :, None, None].expand(-1, -1, *state.shape[2:])  # [B, A] -> [B, A, H / 2, W / 2]
        state = self.enlarge(torch.cat([state, change], dim=1))
        both = torch.cat([feature, state], dim=1)
        kept = torch.sigmoid(self.reset(both)) * state
        share = torch.sigmoid(self.update(both))
        candidate = torch.tanh(self.candidate(torch.cat([feature, kept], dim=1)))
        return blend(candidate, state, share), kept


class Bottleneck(nn.Module):
    """In place of a unit, as in AttGAN (He et al. 2019): the feature passes as it is, or not at all.

    The change of attributes enters at the bottleneck alone, and only the smallest of the features has a shortcut.
    """

    def __init__(self, shortcut: bool):
        super().__init__()
        self.shortcut = shortcut

    def forward(self, feature: Tensor, state: Tensor, _) -> tuple[Tensor, Tensor]:
        """(Feature [B, C, H, W] or zeros, the state as it was)."""
        return feature if self.shortcut else torch.zeros_like(feature), state


class Generator(nn.Module):
    """Table 1.

    Args:
        num_attributes: A.
        width: channels of the first layer; 64 in the document. Each further layer has twice as many.
        units: selective transfer units; False gives AttGAN's bottleneck, to compare with.
        attention: an attention mask; False gives STGAN, whose edit is the whole picture: its mask is 1 everywhere.
        clothing: a clothing mask; without one it is 0 everywhere.

    Attributes:
        attribute_set: which attributes they are; the document's unless a file of weights says others.
    """

    attribute_set: AttributeSet = DOCUMENT

    def __init__(
        self,
        num_attributes: int = 13,
        width: int = 64,
        *,
        units: bool = True,
        attention: bool = True,
        clothing: bool = True,
    ):
        super().__init__()
        self.num_attributes = num_attributes
        channels = [width * 2**layer for layer in range(LAYERS)]  # 64, 128, 256, 512, 1024
        self.encoder = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1), nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE))
            for inputs, outputs in zip([3, *channels[:-1]], channels, strict=True)
        )
        self.injected = 0 if units else num_attributes
        self.units = nn.ModuleList(  # for layers 4 to 1; the features of layer 5 are the first state
            SelectiveTransferUnit(channels[layer + 1], channels[layer], num_attributes)
            if units
            else Bottleneck(shortcut=layer == LAYERS - 2)
            for layer in reversed(range(LAYERS - 1))
        )
        # Layers 5 to 2. All but the first take the previous layer's output and the feature that a unit let pass.
        inputs = [
            channels[-1] + self.injected,
            *(channels[layer] + channels[layer - 1] for layer in range(LAYERS - 1, 1, -1)),
        ]
        self.decoder = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(count, outputs, 4, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU())
            for count, outputs in zip(inputs, reversed(channels[1:]), strict=True)
        )
        last = channels[1] + channels[0]
        self.edit = nn.ConvTranspose2d(last, 3, 4, 2, 1)
        self.attention = nn.ConvTranspose2d(last, 1, 4, 2, 1) if attention else None
        self.clothing = nn.ConvTranspose2d(last, 1, 4, 2, 1) if clothing else None

    def forward(self, images: Tensor, difference: Tensor) -> Edit:
        """Edit photographs.

        Args:
            images: [B, 3, S, S] in [-1, 1]; S is a multiple of 32.
            difference: wanted minus present attributes (Eq 7), [B, A] in [-1, 1]; zeros reconstruct.

        Raises:
            KinlibError: if S is no multiple of 32, or there are not as many differences as attributes.
        """
        _check_size(images)
        if difference.shape != (len(images), self.num_attributes):
            wanted = [len(images), self.num_attributes]
            raise KinlibError(f"the differences of attributes must be {wanted}, not {list(difference.shape)}")
        shared = self._decode(self._encode(images), difference)
        edited = torch.tanh(self.edit(shared))
        plain = torch.zeros_like(edited[:, :1])  # [B, 3, S, S] -> [B, 1, S, S]
        attention = torch.sigmoid(self.attention(shared)) if self.attention is not None else plain + 1
        clothing = torch.sigmoid(self.clothing(shared)) if self.clothing is not None else plain
        image = blend(images, blend(edited, images, attention), clothing)
        return Edit(edited, attention, clothing, image)

    def _encode(self, images: Tensor) -> list[Tensor]:
        """Eq 6: [B, 3, S, S] to features [B, width, S / 2, S / 2] to [B, 16 * width, S / 32, S / 32]."""
        features = []
        for layer in self.encoder:
            images = layer(images)
            features.append(images)
        return features

    def _decode(self, features: list[Tensor], difference: Tensor) -> Tensor:
        """The output of layer 2 with the first layer's feature, [B, 3 * width, S / 2, S / 2]."""
        x = state = features[-1]
        if self.injected:
            change = difference[:, :, None, None].expand(-1, -1, *x.shape[2:])  # [B, A] -> [B, A, S / 32, S / 32]
            x = torch.cat([x, change], dim=1)
        for layer, unit, feature in zip(self.decoder, self.units, reversed(features[:-1]), strict=True):
            passed, state = unit(feature, state, difference)
            x = torch.cat([layer(x), passed], dim=1)
        return x


def load_editor(path: str | Path) -> Generator:
    """A trained generator, as `kinlib train editor` writes it, ready to edit.

    Raises:
        KinlibError: if the file cannot be read, holds something else, or does not say which attributes it edits.
    """
    state = open_checkpoint(Path(path))
    known = from_tensor(state, path)
    try:
        width = state["encoder.0.0.weight"].shape[0]
        # The first unit takes the last layer's features together with the difference of attributes, or the decoder.
        units = "units.0.enlarge.weight" in state
        first = state["units.0.enlarge.weight" if units else "decoder.0.0.weight"]
        num_attributes = first.shape[0] - 2 ** (LAYERS - 1) * width
    except (KeyError, IndexError, TypeError, AttributeError) as problem:
        raise KinlibError(f"{path} holds no editing network: give a file that `kinlib train editor` wrote") from problem
    masks = {name: f"{name}.weight" in state for name in ("attention", "clothing")}
    net = build(
        lambda: Generator(num_attributes, width, units=units, **masks), state, path, optional=("num_batches_tracked",)
    )
    check_count(num_attributes, known, path)
    net.attribute_set = known
    return net.eval().requires_grad_(False)


class Discriminator(nn.Module):
    """Table 2: is a picture real (a critic, for WGAN-GP), and which attributes does it show.

    Args:
        num_attributes: A.
        width: channels of the first layer; 64 in the document.
        size: px of the pictures; None takes it from the first batch.
    """

    def __init__(self, num_attributes: int = 13, width: int = 64, size: int | None = None):
        super().__init__()
        channels = [width * 2**layer for layer in range(LAYERS)]
        layers: list[nn.Module] = []
        for inputs, outputs in zip([3, *channels[:-1]], channels, strict=True):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1)]
            layers += [nn.InstanceNorm2d(outputs, affine=True), nn.LeakyReLU(SLOPE)]
        self.features = nn.Sequential(*layers, nn.Flatten())
        hidden = channels[-1]  # FC(1024) at the document's width
        entries = None if size is None else channels[-1] * (size // 2**LAYERS) ** 2
        self.realness = self._head(entries, hidden, 1)
        self.attributes = self._head(entries, hidden, num_attributes)

    @staticmethod
    def _head(inputs: int | None, hidden: int, outputs: int) -> nn.Sequential:
        first = nn.LazyLinear(hidden) if inputs is None else nn.Linear(inputs, hidden)
        return nn.Sequential(first, nn.LeakyReLU(SLOPE), nn.Linear(hidden, outputs))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images [B, 3, S, S] in [-1, 1] to (realness [B], unbounded; probabilities of attributes [B, A]).

        Raises:
            KinlibError: if S is no multiple of 32.
        """
        _check_size(images)
        features = self.features(images)  # [B, 16 * width * (S / 32)^2]
        return self.realness(features).squeeze(1), torch.sigmoid(self.attributes(features))


def _check_size(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] % 2**LAYERS or images.shape[3] % 2**LAYERS:
        raise KinlibError(f"images must be [B, 3, S, S] with S a multiple of 32, not {list(images.shape)}")
