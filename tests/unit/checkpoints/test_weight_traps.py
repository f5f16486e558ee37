"""What is known to go wrong with the files of the ffhq preset, and which test holds each of these cases.

Published checkpoints are old, renamed, mirrored, and made for code that no longer runs. Each line is one recorded
trap; the tests of this module stand for those that no other module has a place for.

Generator
- several different files are called stylegan2-ffhq-config-f.pt:
  `test_weights::test_other_published_variants_are_accepted`,
  `test_weights::test_swapped_and_altered_files_are_refused`, `test_copies_beside_the_averaged_generator_are_left_alone`
- a file may lack `g` and `d`, or `latent_avg`: `test_layouts::test_published_generator`
- 550000.pt keeps its settings in a Namespace: `test_layouts::test_training_checkpoint`
- the average is [512], [1, 512] or [18, 512]: `test_layouts::test_averages_in_every_published_shape`
- older files lack noise maps and kernels: `test_layouts::test_older_files_lack_noise_maps_and_kernels`
- the converter has folded +1 into the modulation's bias: `test_modulation_is_taken_as_it_is`
- networks of the same size with half the channels: `test_half_width_network_of_256_px`
- loading that is not strict hides what is missing: `test_layouts::test_files_that_hold_no_generator`
- NVIDIA's pickles bring code along: `test_pickles_of_nvidia_are_not_opened`

e4e and pSp
- the average must be added to the codes: `test_layouts::test_official_encoder_adds_its_average`
- e4e's codes are offsets, pSp's are not: `test_networks::test_psp_codes_stand_alone`,
  `test_ffhq::test_codes_follow_e4es_formula`
- both have the same names and shapes: `test_layouts::test_options_tell_the_kinds_apart`,
  `test_psp_in_the_place_of_e4e_is_named`, `test_psp_without_options_is_known_by_its_sum`
- which layers the levels are taken from, and how they are stretched, no name or shape tells:
  `test_published_networks::test_encoder_of_psp_follows_its_architecture`,
  `test_published_networks::test_encoder_of_e4e_follows_its_architecture`
- pSp's options lack `output_size` and `learn_in_w`: `test_psp_options_may_be_few`
- the file holds a generator too: `test_layouts::test_decoder_of_an_encoder_file`

InceptionResnetV1
- the library takes whatever was sent, and keeps half a file: `test_facenet_never_downloads`,
  `test_half_a_download_is_refused`
- the same network exists for CASIA-WebFace: `test_facenet::test_other_people_are_named`
- fixed standardisation, not that of the picture: `test_facenet::test_what_it_sees_is_standardised`,
  `test_facenet::test_embedding_is_that_of_the_library`
- old files count no batches: `test_facenet::test_counters_that_old_files_lack_do_not_matter`
- the wheel would downgrade PyTorch: `test_setup_files::test_packages_that_would_downgrade_others_are_installed_alone`
- MTCNN's weights come with the wheel: `test_mtcnn_weights_are_the_recorded_ones`

dlib
- the file is served packed: `test_weights::test_packed_mirror_is_unpacked`,
  `test_landmarks::test_files_that_are_no_predictor`
- a predictor of 5 points exists under a similar name: `test_predictor_of_five_points_is_named`
- another predictor under the official name: `test_predictor_with_another_sum_is_refused`
- tuned for the box of dlib's own detector: `test_landmarks::test_astronaut`
- the 68 points are not free, the rest is: `test_licences_are_said`

Upscaling, parsing, demography
- scale 2 differs in the first layer only; three schemes of names; `params_ema`: `test_upscale::test_large_network`,
  `test_upscale::test_older_names_of_the_large_network`, `test_upscale::test_compact_weights_are_real_esrgans`
- a file may hold `params` and `params_ema`: `test_upscale::test_averaged_weights_come_first`
- names that no layout has, wrappers around nothing: `test_upscale::test_files_that_are_no_upscalers`,
  `test_upscale::test_large_network_with_a_stray_tensor`
- other weights with the same name and size: `test_sums_that_are_wrong_are_not_in_the_table`,
  `test_weights::test_swapped_and_altered_files_are_refused`
- basicsr imports a module that is gone: `test_compat::test_old_name_is_importable_afterwards`
- BiSeNet's classes have an order of their own:
  `test_parsing::test_bisenet_takes_the_official_layout_and_puts_its_classes_in_our_order`
- how BiSeNet's layers are wired, and that its colours are spread as ImageNet's, the file does not say:
  `test_published_networks::test_bisenet_follows_its_architecture`
- left may be the viewer's: `test_parsing::test_left_is_the_persons_left_whatever_the_file_calls_it`
- the original BiSeNet downloads a ResNet when it is made: `test_bisenet_downloads_nothing`
- ESRGAN expects pictures that MATLAB has reduced: `test_clean_pictures_are_reduced_as_matlab_does`
- DeepFace takes TensorFlow first, where that is installed: `test_deepface_computes_with_pytorch`
- DeepFace checks no sums: `test_demography::test_what_is_not_deepfaces_model_is_refused`
- DeepFace's colours, files, labels:
  `test_demography::test_deepface_gets_its_files_from_our_cache_and_its_colours_in_order`,
  `test_demography::test_deepface_s_age_model_at_full_size`, `test_demography::test_labels_are_deepfaces`

Directions
- [1, 512] for all layers, [1, 18, 512] for each: `test_directions::test_published_shapes`
- rows need not have unit length, numbers may be float64: `test_directions::test_published_shapes`
- ffhq_pca.pt is no direction: `test_components_are_no_direction`
- InterFaceGAN's own boundaries have the right shape and belong to other networks:
  `test_boundaries_of_other_networks_are_refused`

All files
- files without a published sum: `test_weights::test_without_a_sum_what_is_no_weights_is_not_stored`,
  `test_weights::test_sum_of_the_first_good_download_is_noted`
- quota and error pages, archives, dropped connections: `test_weights::test_bad_mirrors_are_passed_over`,
  `test_weights::test_dropped_connections_are_resumed`, `test_weights::test_spoilt_beginning_is_thrown_away`
- a quota page in place of the rest of a file: `test_weights::test_mirror_that_sends_something_else_costs_nothing`,
  `test_weights::test_what_has_arrived_survives_a_failure`
- no network: `test_weights::test_offline`
- notes of Git LFS, web pages, halves: `test_weights::test_bad_files_are_refused_in_one_sentence`
- code in the file: `test_layouts::test_code_is_never_run`, `test_weights::test_malicious_file_is_malicious`
- files that nothing opens: `test_every_row_has_a_loader`
- sums and sizes that went round and are wrong: `test_sums_that_are_wrong_are_not_in_the_table`
"""

import ast
import hashlib
import pickle
import re
import sys
import types
from dataclasses import replace
from pathlib import Path

import dlib
import numpy as np
import pytest
import torch
from official_layout import facenet_state
from PIL import Image

from kinlib.checkpoints import weights
from kinlib.checkpoints.registry import PUBLISHED
from kinlib.faces import landmarks
from kinlib.faces.bisenet import BiSeNet, load_bisenet
from kinlib.faces.deepface_analysis import ACTIONS, prepare
from kinlib.faces.degrade import reduce
from kinlib.faces.facenet import FaceNet
from kinlib.faces.identity import load_identity
from kinlib.faces.upscale_networks import load_upscaler
from kinlib.gan import layouts
from kinlib.gan.directions import load_direction
from kinlib.gan.encoder import IRSE50, load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.runtime.errors import KinlibError

UNIT = Path(__file__).parents[1]
CHANNELS = {4: 8, 8: 8}
WRONG_STARTS = ("748f4cb01604", "22151b43e01d", "5e4c2578ffef", "c830d067", "aa00f09a")
WRONG_SIZES = {89_456_789, 175_004_821}


def test_every_trap_has_its_test():
    named = re.findall(r"`(?:(test_\w+)::)?(test_\w+)`", __doc__)
    assert len(named) > 40
    for module, name in named:
        (path,) = UNIT.rglob(f"{module or Path(__file__).stem}.py")
        tree = ast.parse(path.read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (module, name)


def small_generator() -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Generator(8, channels=CHANNELS, n_mlp=2).eval().requires_grad_(False)


def empty(state: dict[str, torch.Tensor], prefix: str = "") -> dict[str, torch.Tensor]:
    """The same names and shapes from one number each: all of a checkpoint's layout, none of its size."""
    return {prefix + name: torch.zeros((), dtype=value.dtype).expand(value.shape) for name, value in state.items()}


def encoder_file(path: Path, options: object) -> Path:
    """An e4e or pSp file of two layers; the heads say 1 and 2, the average is 0."""
    with torch.device("meta"):
        network = IRSE50(2)
    state = empty(network.state_dict(), "encoder.")
    for layer in range(2):
        state[f"encoder.styles.{layer}.linear.bias"] = torch.full((512,), 1.0 + layer)
    torch.save({"state_dict": state, "latent_avg": torch.zeros(2, 512), "opts": options}, path)
    return path


def offer(monkeypatch, *entries) -> None:
    monkeypatch.setattr(weights, "PUBLISHED", entries)


def published(name: str):
    return next(entry for entry in PUBLISHED if entry.name == name)


# --- generator ---


def test_copies_beside_the_averaged_generator_are_left_alone(tmp_path: Path, cache: Path):
    generator = small_generator()
    other = {name: torch.full_like(value, 7.0) for name, value in generator.state_dict().items()}
    torch.save({"g_ema": generator.state_dict(), "g": other, "d": other, "latent_avg": torch.ones(512)}, tmp_path / "g")
    loaded = load_generator(tmp_path / "g").state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in generator.state_dict().items())


def test_modulation_is_taken_as_it_is(tmp_path: Path, cache: Path):
    """A style of nothing but the bias: the output is that of an ordinary convolution with unit styles."""
    generator = small_generator()
    state = generator.state_dict()
    for name in state:
        if name.endswith("modulation.bias"):
            state[name] = torch.ones_like(state[name])
    torch.save({"g_ema": state, "latent_avg": torch.zeros(512)}, tmp_path / "g.pt")
    conv = load_generator(tmp_path / "g.pt").conv1.conv
    x = torch.randn(1, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    weight = conv.weight[0] * conv.scale
    plain = torch.nn.functional.conv2d(x, weight, padding=1) / weight.square().sum((1, 2, 3)).sqrt().view(1, -1, 1, 1)
    torch.testing.assert_close(conv(x, torch.zeros(1, 512)), plain)


def test_half_width_network_of_256_px(tmp_path: Path, cache: Path):
    """NVIDIA's paper256 has 64 channels at 256 px, rosinality's 550000.pt has 128: the tensors decide."""
    for multiplier, width in ((1, 64), (2, 128)):
        with torch.device("meta"):
            network = Generator(256, multiplier)
        torch.save({"g_ema": empty(network.state_dict()), "latent_avg": torch.zeros(512)}, tmp_path / "g.pt")
        assert (tmp_path / "g.pt").stat().st_size < 1e6
        loaded = load_generator(tmp_path / "g.pt")
        assert (loaded.resolution, loaded.num_layers, loaded.channels[256]) == (256, 14, width)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("module", "kind", "function"),
    [("torch_utils.persistence", "G_ema", True), ("dnnlib.tflib.network", "Network", False)],
)
def test_pickles_of_nvidia_are_not_opened(tmp_path: Path, cache: Path, monkeypatch, module, kind, function):
    """ffhq.pkl rebuilds its networks from source code in the file; the original of TensorFlow is three objects."""
    ran = []
    for depth in range(len(module.split("."))):
        name = ".".join(module.split(".")[: depth + 1])
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    holder = sys.modules[module]
    holder.ran = ran
    exec("class Network: pass\ndef _reconstruct_persistent_obj(meta):\n    ran.append(meta)", holder.__dict__)

    class Persistent:
        def __reduce__(self):
            return holder._reconstruct_persistent_obj, ({"type": "class", "module_src": "print('ran')"},)

    content = {kind: Persistent(), "augment_pipe": None} if function else (holder.Network(), holder.Network())
    (tmp_path / "ffhq.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(KinlibError, match=r"could run code|damaged") as caught:
        load_generator(tmp_path / "ffhq.pkl")
    assert "\n" not in str(caught.value) and ran == []
    pickle.loads((tmp_path / "ffhq.pkl").read_bytes())
    assert bool(ran) is function  # the trap was armed


# --- e4e and pSp ---


def test_psp_in_the_place_of_e4e_is_named(cache: Path, monkeypatch):
    place = cache / "weights" / "e4e_ffhq_encode.pt"
    place.parent.mkdir(parents=True)
    encoder_file(place, {"encoder_type": "GradualStyleEncoder"})
    offer(monkeypatch, published("e4e_ffhq"), replace(published("psp_ffhq"), sha256=weights.sha256(place)))
    with pytest.raises(KinlibError, match="holds the weights 'psp_ffhq', not 'e4e_ffhq'"):
        load_encoder(place)


def test_psp_without_options_is_known_by_its_sum(tmp_path: Path, cache: Path, monkeypatch):
    path = encoder_file(tmp_path / "encode.pt", {})
    assert load_encoder(path).kind == "e4e"
    monkeypatch.setattr(layouts, "PSP_SHA256", weights.sha256(path))
    assert load_encoder(path).kind == "psp"
    assert published("psp_ffhq").sha256.startswith("f786ac5cf18f")


def test_psp_options_may_be_few(tmp_path: Path, cache: Path):
    encoder = load_encoder(encoder_file(tmp_path / "psp.pt", {"encoder_type": "GradualStyleEncoder"}))
    assert encoder.kind == "psp"
    with torch.inference_mode():
        codes = encoder(torch.zeros(1, 3, 256, 256))
    torch.testing.assert_close(codes[0, :, 0], torch.tensor([1.0, 2.0]))  # not 1 and 3, as offsets would give


# --- InceptionResnetV1 and MTCNN ---


def test_facenet_never_downloads(tmp_path: Path, monkeypatch):
    """Tests have no network; and nothing is looked for in the library's cache either."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "20180402-114759-vggface2.pt").write_bytes(b"half a file")
    assert FaceNet().net.pretrained is None
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


def test_tensors_without_numbers_are_missing_ones(tmp_path: Path, cache: Path):
    """What `torch.device("meta")` makes has a shape only, and PyTorch saves it without a word."""
    with torch.device("meta"):
        network = Generator(8, channels=CHANNELS, n_mlp=2)
    torch.save({"g_ema": network.state_dict(), "latent_avg": torch.zeros(512)}, tmp_path / "g.pt")
    with pytest.raises(KinlibError, match=r"lacks '.*' \(\d+ in all\)"):
        load_generator(tmp_path / "g.pt")


def test_half_a_download_is_refused(cache: Path, monkeypatch):
    place = cache / "weights" / "20180402-114759-vggface2.pt"
    place.parent.mkdir(parents=True)
    torch.save(empty(facenet_state(), ""), place)
    whole = place.read_bytes()
    offer(monkeypatch, replace(published("vggface2"), sha256=weights.sha256(place), size=len(whole)))
    assert isinstance(load_identity(place), FaceNet)
    place.write_bytes(whole[: len(whole) // 2])
    load_identity.cache_clear()
    with pytest.raises(KinlibError, match="not the published file of 'vggface2'"):
        load_identity(place)


def test_mtcnn_weights_are_the_recorded_ones():
    import facenet_pytorch

    folder = Path(facenet_pytorch.__file__).parent / "data"
    starts = {"pnet": "a2a71925e0b9996a", "rnet": "bbb937de72efc9ef", "onet": "165bfbe42940416c"}
    for name, start in starts.items():
        assert hashlib.sha256((folder / f"{name}.pt").read_bytes()).hexdigest().startswith(start)


# --- dlib ---


def trained_predictor(path: Path, points: int) -> Path:
    """A predictor of that many points, made by dlib itself from noise."""
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (64, 64), dtype=np.uint8) for _ in range(4)]
    shapes = []
    for _ in pictures:
        parts = [dlib.point(int(x), int(y)) for x, y in random.integers(10, 54, (points, 2))]
        shapes.append([dlib.full_object_detection(dlib.rectangle(8, 8, 56, 56), parts)])
    options = dlib.shape_predictor_training_options()
    options.cascade_depth, options.num_trees_per_cascade_level, options.tree_depth = 2, 2, 2
    options.num_test_splits, options.feature_pool_size, options.num_threads = 2, 20, 1
    dlib.train_shape_predictor(pictures, shapes, options).save(str(path))
    return path


def test_predictor_of_five_points_is_named(tmp_path: Path, cache: Path):
    path = trained_predictor(tmp_path / "shape_predictor_5_face_landmarks.dat", 5)
    with pytest.raises(KinlibError, match="predicts 5 points: a predictor of 68 points is needed"):
        landmarks.load_predictor(path)
    assert landmarks.load_predictor(trained_predictor(tmp_path / "mine.dat", 68))


def test_predictor_with_another_sum_is_refused(cache: Path, monkeypatch):
    place = cache / "weights" / "shape_predictor_68_face_landmarks.dat"
    place.parent.mkdir(parents=True)
    trained_predictor(place, 68)
    with pytest.raises(KinlibError, match=r"not the published file of 'dlib_68'.*kinlib weights fetch dlib_68"):
        landmarks.load_predictor(place)
    offer(monkeypatch, replace(published("dlib_68"), sha256=weights.sha256(place), size=place.stat().st_size))
    assert landmarks.load_predictor(place)


# --- directions, and the table ---


def test_components_are_no_direction(tmp_path: Path, cache: Path):
    content = {"mean": torch.zeros(1, 512), "comp": torch.zeros(80, 1, 512), "std": torch.zeros(80)}
    torch.save(content, tmp_path / "ffhq_pca.pt")
    with pytest.raises(KinlibError, match="one tensor was expected"):
        load_direction(tmp_path / "ffhq_pca.pt")


@pytest.mark.parametrize(
    "name", ["stylegan_ffhq_age_w_boundary", "stylegan_celebahq_pose_boundary", "pggan_celebahq_smile_c_age_boundary"]
)
def test_boundaries_of_other_networks_are_refused(tmp_path: Path, name: str):
    boundary = np.random.default_rng(0).normal(size=(1, 512))
    boundary /= np.linalg.norm(boundary)
    np.save(tmp_path / f"{name}.npy", boundary)
    with pytest.raises(KinlibError, match="belongs to PGGAN or the first StyleGAN"):
        load_direction(tmp_path / f"{name}.npy")
    np.save(tmp_path / "age.npy", boundary)  # of the same shape and type, for StyleGAN2, as others publish them
    assert load_direction(tmp_path / "age.npy").shape == (1, 512)


# --- upscaling, parsing, demography ---


def matlab_reduced(picture: np.ndarray, factor: int) -> np.ndarray:
    """MATLAB's imresize(picture, 1 / factor): Keys' cubic with a = -1/2, stretched by the factor, edges mirrored."""

    def along_rows(values: np.ndarray) -> np.ndarray:
        length = values.shape[0]
        rows = []
        for target in range(length // factor):
            centre = (target + 0.5) * factor - 0.5
            taps = np.arange(np.floor(centre - 2 * factor), np.ceil(centre + 2 * factor) + 1)
            x = np.abs(taps - centre) / factor
            weight = np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2) * (x < 2)
            index = np.mod(taps.astype(int), 2 * length)
            index = np.where(index < length, index, 2 * length - 1 - index)
            rows.append(np.tensordot(weight / weight.sum(), values[index], axes=1))
        return np.stack(rows)

    reduced = along_rows(along_rows(picture.astype(np.float64)).swapaxes(0, 1)).swapaxes(0, 1)
    return np.clip(np.round(reduced), 0, 255)


@pytest.mark.parametrize("factor", [2, 4])
def test_clean_pictures_are_reduced_as_matlab_does(factor: int):
    """What our own ESRGAN learns from is what the published one learnt from, but for the edges."""
    picture = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    inside = (slice(3, -3), slice(3, -3))
    found, wanted = reduce(picture, factor).astype(float)[inside], matlab_reduced(picture, factor)[inside]
    assert np.abs(found - wanted).max() <= 1
    plain = np.asarray(Image.fromarray(picture[::factor, ::factor]), float)[inside]
    assert np.abs(plain - wanted).max() > 50  # another way of reducing is far from it


def test_bisenet_downloads_nothing(tmp_path: Path, monkeypatch):
    """Its layers are ResNet-18's; the original starts from torchvision's file and fails without a network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    asked = []
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *given, **_: asked.append(given))
    assert len(BiSeNet().state_dict()) == 191
    assert asked == [] and not list(tmp_path.iterdir())


def test_deepface_computes_with_pytorch(tmp_path: Path, cache: Path, monkeypatch):
    """A package called tensorflow is here, which DeepFace would take; after `prepare` it does not."""
    pytest.importorskip("deepface")
    monkeypatch.setenv("DEEPFACE_HOME", str(cache))
    monkeypatch.delenv("DEEPFACE_BACKEND_ENGINE", raising=False)
    from deepface.commons import backend_utils

    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text("raise ImportError('the wrong one')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(backend_utils, "_backend_engine", None)
    assert backend_utils.get_backend_engine() == "tensorflow"
    prepare(())
    monkeypatch.setattr(backend_utils, "_backend_engine", None)
    assert backend_utils.get_backend_engine() == "pytorch"


def test_every_row_has_a_loader(tmp_path: Path, cache: Path):
    """What nothing opens would be downloaded for nothing."""
    loaders = {"generator": load_generator, "encoder": load_encoder, "encoder_psp": load_encoder}
    loaders |= {"landmarks": landmarks.load_predictor, "identity": load_identity, "parsing": load_bisenet}
    loaders |= dict.fromkeys(("upscaler", "upscaler_x4", "upscaler_esrgan"), load_upscaler)
    loaders |= dict.fromkeys(("direction_age", "direction_smile", "direction_pose"), load_direction)
    loaders |= {f"demography_{action}": lambda _, action=action: prepare((action,)) for action in ACTIONS}
    assert set(loaders) == {entry.role for entry in PUBLISHED}
    for entry in PUBLISHED:
        with pytest.raises(KinlibError, match=r"there is no|are not here"):
            loaders[entry.role](tmp_path / entry.file)


def test_sums_that_are_wrong_are_not_in_the_table():
    for entry in PUBLISHED:
        assert not any(digest.startswith(WRONG_STARTS) for digest in entry.hashes)
        assert entry.size not in WRONG_SIZES


def test_licences_are_said():
    """Every file of the preset but the upscalers' is for research only, and the table says so."""
    free = {entry.name for entry in PUBLISHED if not re.search("non-commercial|research only", entry.licence)}
    assert free == {"realesrgan_x2", "realesrgan_x4", "esrgan_x4"}
    assert "iBUG 300-W" in published("dlib_68").licence
