"""The forward passes of published networks against plain versions of them, on random weights.

Names and shapes say which tensors a file has; only this says that they are put together as they were in training.
"""

import pytest
import torch
from random_weights import randomised

from kinlib.faces.bisenet import BiSeNet, _with_the_persons_sides
from kinlib.gan.encoder import IRSE50, Encoder
from kinlib.io.face_labels import CLASSES
from tests.reference import plain_bisenet, plain_e4e

SIDE = 64  # pixels, instead of 256 and 512: the layers are the same
NUM_LAYERS = 9  # codes: three coarse, four middle and two fine ones
EXACT = {"rtol": 1e-8, "atol": 1e-8}


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    source = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, SIDE, SIDE, generator=source, dtype=torch.float64) * 2 - 1


@pytest.fixture(scope="module")
def backbone() -> IRSE50:
    """Codes are small, since most of the official network's weights are in its heads."""
    torch.manual_seed(0)
    backbone = randomised(IRSE50(NUM_LAYERS, style_dim=16))
    backbone.input_size = SIDE
    return backbone


def test_encoder_of_psp_follows_its_architecture(backbone, pictures):
    encoder = Encoder(backbone, "psp", NUM_LAYERS, style_dim=16)
    wanted = plain_e4e.psp_codes(backbone.state_dict(), pictures)
    torch.testing.assert_close(encoder(pictures), wanted, **EXACT)
    assert wanted.std(dim=2).min() > 0.01  # no head is silent


def test_encoder_of_e4e_follows_its_architecture(backbone, pictures):
    encoder = Encoder(backbone, "e4e", NUM_LAYERS, style_dim=16).double()
    encoder.latent_avg.normal_(generator=torch.Generator().manual_seed(1))
    wanted = plain_e4e.e4e_codes(backbone.state_dict(), pictures[:1])
    torch.testing.assert_close(encoder(pictures[:1]), wanted + encoder.latent_avg, **EXACT)


def test_bisenet_follows_its_architecture(pictures):
    torch.manual_seed(0)
    net = randomised(BiSeNet())
    net.input_size = SIDE
    logits = plain_bisenet.logits(net.state_dict(), pictures)[:, [plain_bisenet.ORDER.index(name) for name in CLASSES]]
    torch.testing.assert_close(net(pictures), _with_the_persons_sides(logits), **EXACT)
    assert logits.std(dim=(2, 3)).min() > 0.01  # no class is the same everywhere
