"""Parsing faces: the labels' names, both networks, and the training that goes with ours."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from kinlib.faces.bisenet import BISENET_ORDER, _with_the_persons_sides, load_bisenet
from kinlib.faces.parsing import Parser, ParsingNet, load_parser, parse
from kinlib.io.face_labels import CLASSES, MIRRORED_CLASSES, REGIONS
from kinlib.runtime.errors import KinlibError
from kinlib.studio import labels as studio_labels
from kinlib.studio.datasets.encoding import array_to_png
from kinlib.training.data.label_maps import LabelledAugmentation, LabelledFaces, load_labelled
from kinlib.training.recipes.parsing import ParsingSettings, dice_loss, evaluate
from kinlib.training.recipes.registry import train

HAIR = CLASSES.index("hair")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Pictures of eight people whose every block of 16 px has a class, a region and a colour; 0 and 18 are held out."""
    folder = tmp_path_factory.mktemp("labelled")
    rng = np.random.default_rng(0)
    rows = []
    for person in (0, 18, 1, 2, 3, 4, 5, 6):
        block = rng.integers(0, len(CLASSES), (8, 8), dtype=np.uint8)
        classes = block.repeat(16, 0).repeat(16, 1)
        picture = np.stack([classes * 12, 255 - classes * 12, classes * 6], axis=2).astype(np.uint8)
        rows.append({"person": person, "view": 0, "image": array_to_png(picture), "mask": array_to_png(classes)})
        rows[-1]["regions"] = array_to_png(((classes.astype(int) * 2) % len(REGIONS)).astype(np.uint8))
    pd.DataFrame(rows).to_parquet(folder / "part-00000.parquet")
    return folder


@pytest.fixture(scope="module")
def parser() -> Parser:
    """A network that has learnt nothing, with running averages as a trained one has them."""
    torch.manual_seed(0)
    net = ParsingNet(widths=(8, 8, 8, 8), rising=(8, 8, 8))
    for _ in range(3):
        net(torch.randn(4, 3, 128, 128))
    return Parser(net.eval().requires_grad_(False))


def test_mirroring_swaps_sides_and_nothing_else():
    assert [MIRRORED_CLASSES[i] for i in MIRRORED_CLASSES] == list(range(len(CLASSES)))
    changed = {CLASSES[i] for i, other in enumerate(MIRRORED_CLASSES) if i != other}
    assert changed == {"l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear"}
    assert CLASSES[MIRRORED_CLASSES[CLASSES.index("l_brow")]] == "r_brow"


def test_renderer_and_networks_speak_of_the_same_labels():
    assert studio_labels.CLASSES is CLASSES and studio_labels.REGIONS is REGIONS
    assert len(CLASSES) == len(set(CLASSES)) == 19 and len(REGIONS) == len(set(REGIONS)) == 34
    assert sorted(BISENET_ORDER) == sorted(CLASSES)


def test_bundled_network_is_small():
    assert sum(parameter.numel() for parameter in ParsingNet().parameters()) <= 1.2e6


@pytest.mark.parametrize("size", [(128, 128), (256, 256), (60, 60), (150, 120)])
def test_labels_have_the_pictures_size(parser, size):
    found = parse(torch.rand(3, 3, *size) * 2 - 1, parser=parser, batch=2)
    assert found.classes.shape == found.regions.shape == (3, *size)
    assert found.classes.dtype == np.uint8 and found.classes.max() < 19 and found.regions.max() < 34
    torch.testing.assert_close(found.class_probabilities.sum(1), torch.ones(3, 128, 128))
    torch.testing.assert_close(found.region_probabilities.sum(1), torch.ones(3, 128, 128))


def test_mirrored_picture_is_parsed_mirrored(parser):
    pictures = torch.rand(2, 3, 128, 128) * 2 - 1
    one, other = (parse(x, parser=parser) for x in (pictures, pictures.flip(3)))
    torch.testing.assert_close(other.class_probabilities.flip(3)[:, list(MIRRORED_CLASSES)], one.class_probabilities)
    assert np.mean(np.array(MIRRORED_CLASSES)[other.classes[:, :, ::-1]] == one.classes) > 0.999
    assert np.mean(other.regions[:, :, ::-1] == one.regions) > 0.999
    alone = parse(pictures, parser=parser, mirror=False)
    assert not torch.equal(alone.class_probabilities, one.class_probabilities)


def test_pictures_do_not_depend_on_their_batch(parser):
    pictures = [Image.fromarray(np.random.default_rng(i).integers(0, 255, (64, 64, 3), np.uint8)) for i in range(3)]
    together, alone = parse(pictures, parser=parser), parse(pictures[2], parser=parser)
    torch.testing.assert_close(together.class_probabilities[2:], alone.class_probabilities)


def test_masks(parser):
    found = parse(torch.rand(2, 3, 96, 96) * 2 - 1, parser=parser)
    both = found.mask("hair", "hat")
    assert both.shape == (2, 96, 96) and both.dtype == bool
    assert (both == ((found.classes == HAIR) | (found.classes == CLASSES.index("hat")))).all()
    assert (found.mask("iris", of="regions") == (found.regions == REGIONS.index("iris"))).all()
    soft = found.soft_mask("hair", "hat")
    assert soft.shape == (2, 1, 96, 96) and soft.min() >= 0 and soft.max() <= 1
    torch.testing.assert_close(found.soft_mask(*REGIONS, of="regions"), torch.ones(2, 1, 96, 96))
    with pytest.raises(KinlibError, match="unknown name 'chin': choose from background"):
        found.mask("chin")
    with pytest.raises(KinlibError, match="'parts'"):
        found.mask("chin", of="parts")


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 8, 64), (0, 3, 64, 64)])
def test_what_cannot_be_parsed_is_refused(parser, shape):
    with pytest.raises(KinlibError, match=r"must be \[B, 3, H, W\]"):
        parse(torch.zeros(shape), parser=parser)


def official_layout() -> dict[str, tuple[int, ...]]:
    """Names and shapes in 79999_iter.pth, as its 191 tensors are known to be."""
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, channels: int) -> None:
        shapes.update({f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = ()

    def unit(name: str, before: int, after: int, kernel: int) -> None:
        shapes[f"{name}.conv.weight"] = (after, before, kernel, kernel)
        norm(f"{name}.bn", after)

    shapes["cp.resnet.conv1.weight"] = (64, 3, 7, 7)
    norm("cp.resnet.bn1", 64)
    for layer, (before, after) in enumerate([(64, 64), (64, 128), (128, 256), (256, 512)], start=1):
        for block in (0, 1):
            name = f"cp.resnet.layer{layer}.{block}"
            shapes[f"{name}.conv1.weight"] = (after, after if block else before, 3, 3)
            norm(f"{name}.bn1", after)
            shapes[f"{name}.conv2.weight"] = (after, after, 3, 3)
            norm(f"{name}.bn2", after)
        if layer > 1:
            shapes[f"cp.resnet.layer{layer}.0.downsample.0.weight"] = (after, before, 1, 1)
            norm(f"cp.resnet.layer{layer}.0.downsample.1", after)
    for arm, before in (("arm16", 256), ("arm32", 512)):
        unit(f"cp.{arm}.conv", before, 128, 3)
        shapes[f"cp.{arm}.conv_atten.weight"] = (128, 128, 1, 1)
        norm(f"cp.{arm}.bn_atten", 128)
    unit("cp.conv_head32", 128, 128, 3)
    unit("cp.conv_head16", 128, 128, 3)
    unit("cp.conv_avg", 512, 128, 1)
    unit("ffm.convblk", 256, 256, 1)
    shapes["ffm.conv1.weight"], shapes["ffm.conv2.weight"] = (64, 256, 1, 1), (256, 64, 1, 1)
    for name, before, middle in (("conv_out", 256, 256), ("conv_out16", 128, 64), ("conv_out32", 128, 64)):
        unit(f"{name}.conv", before, middle, 3)
        shapes[f"{name}.conv_out.weight"] = (19, middle, 1, 1)
    return shapes


def bisenet_file(path: Path, likeliest: str = "hair", without: str | None = None) -> Path:
    """A file in the official layout whose network sees `likeliest` everywhere."""
    source = torch.Generator().manual_seed(0)
    state = {
        name: torch.tensor(7) if not shape else torch.randn(shape, generator=source).abs() * 0.01
        for name, shape in official_layout().items()
    }
    state["conv_out.conv.bn.weight"].zero_()
    state["conv_out.conv.bn.bias"].fill_(1.0)
    state["conv_out.conv_out.weight"].zero_()
    state["conv_out.conv_out.weight"][BISENET_ORDER.index(likeliest)] = 0.05
    torch.save({name: value for name, value in state.items() if name != without}, path)
    return path


def test_bisenet_takes_the_official_layout_and_puts_its_classes_in_our_order(parser, tmp_path):
    assert len(official_layout()) == 191
    for name in ("hair", "l_lip"):
        net = load_bisenet(bisenet_file(tmp_path / "parser.pth", name))
        found = parse(torch.zeros(1, 3, 128, 128), parser=Parser(parser.net, net), mirror=False)
        assert (found.classes == CLASSES.index(name)).all()
    assert found.class_probabilities.shape == (1, 19, 512, 512)
    assert found.region_probabilities.shape == (1, 34, 128, 128) and found.regions.shape == (1, 128, 128)


def test_bisenet_file_that_lacks_something_is_refused(tmp_path):
    with pytest.raises(KinlibError, match=r"lacks 'ffm\.conv2\.weight'"):
        load_bisenet(bisenet_file(tmp_path / "parser.pth", without="ffm.conv2.weight"))
    load_bisenet(bisenet_file(tmp_path / "parser.pth", without="cp.resnet.bn1.num_batches_tracked"))


def test_left_is_the_persons_left_whatever_the_file_calls_it():
    logits = torch.zeros(2, 19, 16, 16)
    logits[0, CLASSES.index("l_eye"), 8, 12], logits[0, CLASSES.index("r_eye"), 8, 3] = 50.0, 50.0
    logits[1, CLASSES.index("l_eye"), 8, 3], logits[1, CLASSES.index("r_eye"), 8, 12] = 50.0, 50.0
    logits[:, CLASSES.index("l_ear"), 9, 15] = 20.0
    sides = _with_the_persons_sides(logits)
    assert torch.equal(sides[0], logits[0])
    assert torch.equal(sides[1], logits[1, list(MIRRORED_CLASSES)])


def test_absent_weights_say_how_to_get_them(cache, tmp_path, monkeypatch):
    with pytest.raises(KinlibError, match="kinlib weights fetch bisenet"):
        parse(torch.zeros(1, 3, 64, 64), preset="ffhq")
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    load_parser.cache_clear()
    with pytest.raises(KinlibError, match="kinlib train parsing"):
        parse(torch.zeros(1, 3, 64, 64))
    with pytest.raises(KinlibError, match="unknown preset"):
        parse(torch.zeros(1, 3, 64, 64), preset="cartoon")


def test_training_goes_on_and_leaves_a_parser(data, tmp_path):
    for steps in (1, 2):
        settings = ParsingSettings(data, tmp_path, run=tmp_path / "run", steps=steps, batch=4)
        train("parsing", settings)
    report = json.loads((tmp_path / "parsing.json").read_text())
    assert report["recipe"]["steps_done"] == 2 and [call["step"] for call in report["calls"]] == [0, 1]
    figures = report["metrics"]
    assert figures["people"] == 2 and report["recipe"]["pictures_used"] == 6
    assert 0 <= figures["class_iou_mean"] <= 1 and set(figures["class_iou"]) <= set(CLASSES)
    assert "parsing.safetensors" in json.loads((tmp_path / "manifest.json").read_text())
    found = parse(torch.zeros(1, 3, 64, 64), parser=load_parser(path=tmp_path / "parsing.safetensors"))
    assert found.classes.shape == (1, 64, 64)


def test_training_with_two_workers(data, tmp_path):
    train("parsing", ParsingSettings(data, tmp_path, run=tmp_path / "run", steps=1, batch=4, workers=2))
    assert (tmp_path / "parsing.safetensors").exists()


def test_renders_without_regions_are_refused(data, tmp_path):
    pd.read_parquet(data / "part-00000.parquet").drop(columns="regions").to_parquet(tmp_path / "part-0.parquet")
    with pytest.raises(KinlibError, match="lacks the column"):
        load_labelled(tmp_path)
    with pytest.raises(KinlibError, match="too few people"):
        one = pd.read_parquet(data / "part-00000.parquet").query("person == 3")
        one.to_parquet(tmp_path / "part-0.parquet")
        load_labelled(tmp_path, held_out=True)


def test_nobody_is_in_training_and_testing(data):
    training, held_out = load_labelled(data, held_out=False), load_labelled(data, held_out=True)
    assert held_out.person.tolist() == [0, 18] and training.person.tolist() == [1, 2, 3, 4, 5, 6]
    whole, few = load_labelled(data), load_labelled(data, pictures=3)
    assert torch.equal(whole.images[2:], training.images) and torch.equal(whole.labels[:2], held_out.labels)
    assert few.person.tolist() == [0, 18, 1] and torch.equal(few.images, whole.images[:3])


def test_labels_move_with_their_picture(data):
    faces = load_labelled(data)
    for strength, least in ((0.0, 1.0), (1.0, 0.85)):
        augment = LabelledAugmentation(128, strength=strength)
        pictures, labels = augment.placed(faces.images, faces.labels, torch.Generator().manual_seed(1))
        seen = ((pictures[:, 0] + 1) * 127.5 / 12).round().long()  # the class that the colour tells
        swapped = torch.tensor(MIRRORED_CLASSES)[seen]
        as_seen = (labels[:, 0] == seen).float().mean(dim=(1, 2))
        as_mirrored = (labels[:, 0] == swapped).float().mean(dim=(1, 2))
        assert torch.maximum(as_seen, as_mirrored).min() >= least
        assert (as_seen > as_mirrored).any() and (as_mirrored > as_seen).any()
        region_seen = (labels[:, 1] == seen * 2 % len(REGIONS)).float().mean(dim=(1, 2))
        assert region_seen.min() >= least


def test_augmentation_repeats_and_stays_in_range(data):
    faces = load_labelled(data)
    augment = LabelledAugmentation(128)
    a, b, c = (augment.labelled(faces.images, faces.labels, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) and not torch.equal(a[0], c[0])
    assert a[0].shape == faces.images.shape and a[1].shape == faces.labels.shape
    assert a[0].abs().max() <= 1 and a[1].dtype == torch.int64


def test_dice_loss_weighs_small_parts_as_large_ones():
    truth = torch.zeros(1, 16, 16, dtype=torch.int64)
    truth[0, :2, :2] = 1
    right = torch.nn.functional.one_hot(truth, 3).permute(0, 3, 1, 2) * 60.0
    assert dice_loss(right.log_softmax(1), truth) < 1e-3
    missed = right.clone()
    missed[:, 0], missed[:, 1] = 60.0, 0.0  # the small part is overlooked
    assert dice_loss(missed.log_softmax(1), truth) > 0.35


class Oracle(torch.nn.Module):
    """Tells the class from the colour, which is how `data` was painted; every hair pixel is called hat."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, images):
        seen = ((images[:, 0] + 1) * 127.5 / 12).round().long()
        regions = torch.nn.functional.one_hot(seen * 2 % len(REGIONS), len(REGIONS))
        seen[seen == HAIR] = CLASSES.index("hat")
        classes = torch.nn.functional.one_hot(seen, len(CLASSES))
        return classes.permute(0, 3, 1, 2) * 50.0, regions.permute(0, 3, 1, 2) * 50.0


def test_figures_are_what_they_say(data):
    faces = load_labelled(data)
    keep = [i for i in range(len(CLASSES)) if MIRRORED_CLASSES[i] == i]
    sided = ~torch.isin(faces.labels[:, 0], torch.tensor(keep, dtype=torch.uint8))
    faces.labels[:, 0][sided] = 1  # the oracle knows no sides
    faces.images[:, 0][sided] = 12
    faces.labels[:, 1] = (faces.labels[:, 0].long() * 2 % len(REGIONS)).byte()
    figures = evaluate(Oracle(), LabelledFaces(faces.images, faces.labels, faces.person))
    hair = (faces.labels[:, 0] == HAIR).float().mean()
    assert figures["region_iou_mean"] == figures["region_accuracy"] == 1
    assert figures["class_accuracy"] == pytest.approx(1 - float(hair))
    assert figures["class_iou"]["hair"] == 0 and figures["class_iou"]["nose"] == 1
    assert 0 < figures["class_iou"]["hat"] < 1
    assert figures["people"] == figures["pictures"] == 8 and figures["groups"] == {}


def test_figures_of_groups_rest_on_classes_that_all_of_them_have(data):
    faces = load_labelled(data)
    faces.labels[:, 0] = 1
    faces.labels[:2, 0, :64] = HAIR  # of two pictures the oracle calls half "hat"
    faces.labels[2, 0, :64] = CLASSES.index("nose")
    faces.images[:, 0] = faces.labels[:, 0] * 12
    groups = evaluate(Oracle(), faces, pd.DataFrame({"male": [True, True, *[False] * 6]}))["groups"]
    assert groups["men"] == {"pictures": 2, "class_iou_mean": 1.0, "class_accuracy": 0.5}  # of skin alone
    assert groups["women"] == {"pictures": 6, "class_iou_mean": 1.0, "class_accuracy": 1.0}
