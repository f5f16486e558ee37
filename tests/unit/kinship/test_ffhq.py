"""The ffhq preset at full size, on seeded weights in the official layouts: what a photograph goes through."""

import json
import os
import platform
import subprocess
import sys
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from official_layout import offered, write_all, write_parser_and_upscaler

from kinlib import Kinship
from kinlib.checkpoints import weights
from kinlib.faces import keypoints, landmarks
from kinlib.faces.bisenet import load_bisenet
from kinlib.faces.facenet import FaceNet
from kinlib.faces.identity import load_identity
from kinlib.faces.parsing import Parser, ParsingNet, parse
from kinlib.faces.upscale import upscale
from kinlib.gan.generator import Generator, load_generator
from kinlib.io import images
from kinlib.io.files import write_json
from kinlib.io.photos import read_photo
from kinlib.kinship.kinship import Face
from kinlib.runtime import memory
from kinlib.studio.datasets import sample_parents

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
MEMORY_MB = 6_000  # of the whole process, PyTorch and all; a bound meant for a GPU


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with every file that a child needs, 1.5 GB."""
    folder = tmp_path_factory.mktemp("ffhq")
    write_all(folder / "weights")
    return folder


@pytest.fixture(scope="module")
def kin(folder: Path) -> Kinship:
    with offered(folder / "weights", pytest.MonkeyPatch()):
        yield Kinship.load("ffhq", device="cpu")


@pytest.fixture(scope="module")
def faces(kin: Kinship) -> list[Face]:
    return [kin.encode(photo) for photo in sample_parents.couple(1)]


def decibels(one: torch.Tensor, other: torch.Tensor) -> float:
    """PSNR of pictures in [-1, 1]."""
    return 10 * float(torch.log10(4 / (one - other).square().mean()))


def test_the_whole_way_of_a_child(folder: Path, record_property):
    """In a process of its own, so that its memory is the preset's and nobody else's."""
    command = [sys.executable, str(ROOT / "tests" / "checks" / "draw_ffhq_child.py"), str(folder)]
    run = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["drawn"]["size"] == [1024, 1024] and found["drawn"]["layers"] == 18
    assert "the published direction cannot read the parents' ages" in found["drawn"]["notes"][0]
    for stage, row in found["stages"].items():
        record_property(stage, f"{row['seconds']:.2f} s, the process reached {row['megabytes']:.0f} MB")
    if os.environ.get("KINLIB_NUMBERS"):  # only where asked for: tests leave the project as it is
        write_numbers(Path(os.environ["KINLIB_NUMBERS"]) / "ffhq_cpu.json", found)
    assert max(row["megabytes"] for row in found["stages"].values()) < MEMORY_MB


def write_numbers(path: Path, found: dict) -> None:
    """What a child took on this machine's CPU, stage by stage."""
    machine = {"cores": os.cpu_count(), "torch": torch.__version__, "system": platform.platform()}
    machine["load"] = round(os.getloadavg()[1], 1)  # seconds depend on what else was going on in these five minutes
    networks = "official layouts at full size, seeded weights"
    peak = max(row["megabytes"] for row in found["stages"].values())
    total = round(sum(row["seconds"] for row in found["stages"].values()), 2)
    totals = {"seconds": total, "megabytes": peak}
    write_json(path, {"networks": networks, "machine": machine, "totals": totals, "stages": found["stages"]})


def test_every_file_of_the_table_is_used(kin: Kinship, folder: Path):
    assert (kin.num_layers, kin.generator.resolution, kin.encoder.kind) == (18, 1024, "e4e")
    assert kin.landmarks == folder / "weights" / "shape_predictor_68_face_landmarks.dat"
    assert kin.identity == folder / "weights" / "20180402-114759-vggface2.pt"
    assert isinstance(load_identity(kin.identity), FaceNet)
    assert {name: tuple(one.step.shape) for name, one in kin.directions.items()} == {
        "age": (1, 512),
        "smile": (1, 512),
        "pose": (18, 512),
    }
    states = {row["name"]: row["state"] for row in weights.verify("ffhq")}
    assert {name for name, state in states.items() if state == "good"} >= {"stylegan2_ffhq", "e4e_ffhq", "vggface2"}
    assert "damaged" not in states.values()


def test_sizes_are_those_on_record(folder: Path):
    """The tensors of the published e4e file: 621 of the encoder, 171 of the generator, to the byte."""
    state = weights.open_checkpoint(folder / "weights" / "e4e_ffhq_encode.pt")["state_dict"]
    for prefix, count, size in (("encoder.", 621, 1_068_644_512), ("decoder.", 171, 132_665_968)):
        part = [value for name, value in state.items() if name.startswith(prefix)]
        assert (len(part), sum(value.nbytes for value in part)) == (count, size)
    # Within a tenth of a per mille of the published 1,201,649,680 and 132,729,083 bytes, which differ in the container.
    assert (folder / "weights" / "e4e_ffhq_encode.pt").stat().st_size == pytest.approx(1_201_649_680, rel=1e-4)
    assert (folder / "weights" / "stylegan2-ffhq-config-f.pt").stat().st_size == pytest.approx(132_729_083, rel=1e-4)


def test_the_decoder_of_e4e_is_the_generator(kin: Kinship, folder: Path):
    decoder = load_generator(folder / "weights" / "e4e_ffhq_encode.pt")
    mine = kin.generator.state_dict()
    assert all(torch.equal(value, mine[name]) for name, value in decoder.state_dict().items())
    assert torch.equal(decoder.latent_avg, kin.generator.latent_avg)


def test_codes_follow_e4es_formula(kin: Kinship, faces: list[Face]):
    """w for the first layer, w plus an offset for the others, the average on top of all."""
    for face in faces:
        with torch.inference_mode():
            raw = kin.encoder.backbone(images.to_tensor(face.aligned))
        wanted = raw.clone()
        wanted[:, 1:] += raw[:, :1]
        torch.testing.assert_close(face.latent, wanted + kin.generator.latent_avg, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(faces[0].latent, faces[1].latent, atol=1e-2)


def test_the_preset_s_own_landmarks_are_asked(kin: Kinship, faces: list[Face], monkeypatch):
    asked = []
    load = landmarks.load_predictor
    monkeypatch.setattr(landmarks, "load_predictor", lambda path=None: asked.append(path) or load(path))
    face = replace(kin, _faces=OrderedDict()).encode(sample_parents.couple(1)[0])
    assert asked == [kin.landmarks]
    assert np.array_equal(np.asarray(face.aligned), np.asarray(faces[0].aligned))
    assert keypoints.detect(face.aligned)[0] is not None


def test_refinement_uses_the_preset_s_own_identity(kin: Kinship, faces: list[Face], monkeypatch):
    seen = []
    forward = FaceNet.forward
    monkeypatch.setattr(FaceNet, "forward", lambda net, x: seen.append(tuple(x.shape)) or forward(net, x))
    face = replace(kin, _faces=OrderedDict()).encode(sample_parents.couple(1)[0], refine_steps=1)
    assert seen == [(1, 3, 1024, 1024)] * 2  # what was drawn, and what was wanted
    assert 0 < float((face.latent - faces[0].latent).abs().max()) < 0.1


def test_bfloat16_from_photograph_to_child(kin: Kinship, faces: list[Face]):
    half = replace(kin, dtype=torch.bfloat16, _faces=OrderedDict())
    mine = [half.encode(photo) for photo in sample_parents.couple(1)]
    spread = (faces[0].latent - kin.generator.latent_avg).square().mean().sqrt()
    for one, other in zip(mine, faces, strict=True):
        assert 0 < float((one.latent - other.latent).square().mean().sqrt() / spread) < 0.05
    child, wanted = half.child(*mine), kin.child(*faces)
    assert decibels(images.to_tensor(child.image), images.to_tensor(wanted.image)) > 25


def cut_generator(whole: Generator, resolution: int) -> Generator:
    """The official generator up to a smaller size: the same weights, and nothing beyond."""
    cut = Generator(resolution).eval().requires_grad_(False)
    mine = whole.state_dict()
    cut.load_state_dict({name: mine[name] for name in cut.state_dict()})
    return cut


def test_float16_of_encoder_and_generator(kin: Kinship, faces: list[Face]):
    """The whole encoder on one face, and the generator as far as a CPU gets in 16 bits."""
    aligned = images.to_tensor(faces[0].aligned)
    generator = cut_generator(kin.generator, 64)
    with torch.inference_mode():
        wanted = generator.synthesis(faces[0].latent[:, : generator.num_layers])
        with memory.autocast(torch.device("cpu"), torch.float16):
            code = kin.encoder(aligned).float()
            picture = generator.synthesis(faces[0].latent[:, : generator.num_layers]).float()
    spread = (faces[0].latent - kin.generator.latent_avg).square().mean().sqrt()
    assert code.isfinite().all() and 0 < float((code - faces[0].latent).square().mean().sqrt() / spread) < 0.01
    assert picture.isfinite().all() and 40 < decibels(picture, wanted) < 100


def test_parser_and_upscaler_at_full_size(tmp_path: Path):
    """BiSeNet as in 79999_iter.pth and RealESRGAN_x2plus, on a photograph of odd size."""
    place = tmp_path / "weights"
    write_parser_and_upscaler(place)
    photo = read_photo(sample_parents.couple(1)[0]).resize((61, 47))
    with offered(place, pytest.MonkeyPatch()):
        state = weights.open_checkpoint(place / "RealESRGAN_x2plus.pth")["params_ema"]
        assert len(state) == 702 and tuple(state["conv_first.weight"].shape) == (64, 12, 3, 3)
        # More than the 66,791,948 bytes of the fourfold network: twelve channels come in, not three.
        assert sum(value.nbytes for value in state.values()) == 66_791_948 + 4 * 64 * 9 * 9
        assert len(weights.open_checkpoint(place / "79999_iter.pth")) == 191
        larger = upscale(photo, 2, preset="ffhq", device="cpu")
        parser = Parser(ParsingNet().eval(), load_bisenet(place / "79999_iter.pth"))
    assert larger.size == (122, 94) and np.asarray(larger).std() > 0
    found = parse(photo, mirror=False, device="cpu", parser=parser)
    assert found.classes.shape == (1, 47, 61) and found.class_probabilities.shape == (1, 19, 512, 512)
    assert found.class_probabilities.isfinite().all() and found.classes.max() < 19


def test_saving_memory_changes_no_picture(kin: Kinship, faces: list[Face]):
    saving = replace(kin, memory_efficient=True)
    assert saving.child(*faces).image.tobytes() == kin.child(*faces).image.tobytes()
