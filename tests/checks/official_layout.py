"""Files of the ffhq preset in their official layouts and at full size, with seeded weights.

The published files may be neither shipped nor downloaded by a test. Names, shapes and containers are what loading them
depends on, and those are here as they are in the originals.
"""

import lzma
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from kinlib.checkpoints import weights
from kinlib.faces.bisenet import BiSeNet
from kinlib.faces.facenet import FaceNet
from kinlib.faces.landmarks import bundled_predictor
from kinlib.gan.encoder import IRSE50
from kinlib.gan.generator import Generator
from kinlib.io import images
from kinlib.io.photos import read_photo
from kinlib.runtime.compat import patch_torchvision
from kinlib.studio.datasets import sample_parents

__all__ = ["e4e_content", "facenet_state", "offered", "write_all", "write_parser_and_upscaler"]

E4E_OPTIONS = {  # the ones that loaders ask for, of the 40 in the file
    "encoder_type": "Encoder4Editing",
    "start_from_latent_avg": True,
    "stylegan_size": 1024,
    "device": "cuda:0",
}


def write_all(folder: Path, seed: int = 0) -> None:
    """Write what a child needs: generator, e4e, InceptionResnetV1, 68 landmarks and three directions; 1.5 GB."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = seeded_generator()
        content = {"g_ema": generator.state_dict(), "latent_avg": generator.latent_avg[0].clone()}
        torch.save(content, folder / "stylegan2-ffhq-config-f.pt")
        torch.save(e4e_content(seeded_encoder(), generator), folder / "e4e_ffhq_encode.pt")
        torch.save(facenet_state(), folder / "20180402-114759-vggface2.pt")
        for name, shape in (("age", (1, 512)), ("smile", (1, 512)), ("pose", (1, 18, 512))):
            direction = torch.nn.functional.normalize(torch.randn(shape), dim=-1)
            torch.save(direction, folder / f"interfacegan_{name}.pt")
    predictor = lzma.decompress(bundled_predictor().read_bytes())
    (folder / "shape_predictor_68_face_landmarks.dat").write_bytes(predictor)


def write_parser_and_upscaler(folder: Path, seed: int = 0) -> None:
    """Write BiSeNet's and RealESRGAN_x2plus' files; 120 MB."""
    patch_torchvision()
    from basicsr.archs.rrdbnet_arch import RRDBNet

    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.save(BiSeNet().state_dict(), folder / "79999_iter.pth")
        network = RRDBNet(3, 3, scale=2, num_feat=64, num_block=23, num_grow_ch=32)
        torch.save({"params_ema": network.state_dict()}, folder / "RealESRGAN_x2plus.pth")


@contextmanager
def offered(folder: Path, patch):
    """The table of weights with the sums of the files in `folder`, which is the cache's `weights`.

    Args:
        patch: pytest's MonkeyPatch.
    """
    entries = []
    for entry in weights.PUBLISHED:
        place = folder / entry.file
        if place.is_file():
            entry = replace(entry, sha256=weights.sha256(place), size=place.stat().st_size, also=())
        entries.append(entry)
    with patch.context() as changes:
        changes.setattr(weights, "PUBLISHED", tuple(entries))
        changes.setenv("KINLIB_CACHE", str(folder.parent))
        yield


def seeded_generator() -> Generator:
    """1,024 px, config-f; noise strengths are not zero, as they are before training."""
    generator = Generator(1024).requires_grad_(False).eval()
    for name, parameter in generator.named_parameters():
        if name.endswith("noise.weight"):
            parameter.fill_(0.1)
    generator.latent_avg.copy_(generator.mean_latent().expand(18, -1))
    return generator


def seeded_encoder() -> IRSE50:
    """The batch norms know the bundled parents, so activations have the size they would have after training."""
    net = IRSE50(18).requires_grad_(False).train()
    photos = torch.cat([images.to_tensor(read_photo(photo).resize((256, 256))) for photo in sample_parents.couple(1)])
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # averages of all that was seen
    net(photos)
    return net.eval()


def e4e_content(encoder: IRSE50, generator: Generator) -> dict:
    """`state_dict` with both networks, `opts` as a plain dictionary, the average once per layer."""
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    state |= {f"decoder.{name}": value for name, value in generator.state_dict().items()}
    return {"state_dict": state, "opts": dict(E4E_OPTIONS), "latent_avg": generator.latent_avg.clone()}


def facenet_state(people: int = 8_631) -> dict[str, Tensor]:
    """A flat dictionary of 716 tensors, with the layer that tells the people apart."""
    state = dict(FaceNet().net.state_dict())
    return state | {"logits.weight": torch.randn(people, 512) / 20, "logits.bias": torch.zeros(people)}
