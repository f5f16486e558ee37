"""Every training recipe, a few steps on a handful of pictures: it runs, writes, stops and resumes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from kinlib.cli import main
from kinlib.evaluation.quality import attribute_retention
from kinlib.evaluation.realism import frechet_distance
from kinlib.faces.align import find_and_align
from kinlib.faces.identity import load_identity
from kinlib.faces.parsing import ParsingNet, load_parser
from kinlib.gan.directions import load_directions
from kinlib.gan.discriminator import PatchDiscriminator
from kinlib.gan.encoder import CompactBackbone, Encoder, load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.io import images
from kinlib.io.face_labels import CLASSES
from kinlib.io.photos import read_photo
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.encoding import array_to_png
from kinlib.studio.datasets.renders import load_faces, read_attributes
from kinlib.studio.datasets.sample_parents import couple, couples
from kinlib.studio.person import NUM_SHAPE, PROPORTIONS, Glasses, Look, Person, Shot, Traits
from kinlib.studio.rendering.ground_truth import attributes
from kinlib.training.cards.model_cards import model_card
from kinlib.training.data.attribute_codes import AttributeCodes
from kinlib.training.data.attributes import picture_attributes
from kinlib.training.data.augment import Augmentation, diff_augment
from kinlib.training.engine import losses, record
from kinlib.training.engine.net2net import deepen_encoder, refine_heads, widen_generator
from kinlib.training.engine.network_sizes import studio_generator
from kinlib.training.recipes.directions import DirectionSettings, _varying, attribute_table
from kinlib.training.recipes.encoder import EncoderSettings, encoder_state
from kinlib.training.recipes.generator import GeneratorSettings
from kinlib.training.recipes.identity import ArcFace, IdentitySettings, main_lamps
from kinlib.training.recipes.mapping import fit_mapping
from kinlib.training.recipes.pair import PairSettings
from kinlib.training.recipes.registry import train


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Two views of eight people, made of the bundled parents; persons 0 and 18 are held out."""
    folder = tmp_path_factory.mktemp("data")
    mask = np.zeros((128, 128), np.uint8)
    mask[16:, 24:104] = 1
    rows = []
    for i, photo in enumerate(path for pair in couples()[:4] for path in pair):
        picture = np.asarray(Image.open(photo).convert("RGB").resize((128, 128)))
        for view in (0, 1):
            record = {
                "male": i % 2 == 0, "age": 20.0 + 3 * i + 20 * view, "melanin": 0.1 * i, "redness": 0.5,
                "glasses": i == 1, "beard": "none", "hair_style": "short" if i % 3 else "long", "hair_colour": "brown",
                "grey": 0.1 * i, "smile": 0.1 * view, "mouth_open": 0.0, "fringe": i % 3 == 0, "recede": 0.2 * i,
                "freckles": 0.0, "lipstick": 0.0, "hat": False, "earrings": i == 2, "necklace": False,
            }  # fmt: skip
            view_image = picture[:, ::-1] if view else picture
            rows.append(
                {
                    "person": 18 * (i // 4) if i in (0, 4) else i + 1,
                    "view": view,
                    "image": array_to_png(np.ascontiguousarray(view_image)),
                    "mask": array_to_png(mask),
                    "landmarks": np.random.default_rng(2 * i + view).uniform(20, 108, 136),
                    "yaw": 5.0 * view + i,
                    "pitch": float(i),
                    "roll": 0.0,
                    "identity": np.arange(3.0) * i,
                    "attributes": json.dumps(record),
                }
            )
    pd.DataFrame(rows).to_parquet(folder / "part-00.parquet")
    return folder


@pytest.fixture(scope="module")
def parser(tmp_path_factory) -> Path:
    """Random weights of a parser."""
    torch.manual_seed(0)
    return record.write(ParsingNet(), tmp_path_factory.mktemp("parser"), "parsing", {}, {})


@pytest.fixture(scope="module")
def pair(data, parser, tmp_path_factory) -> Path:
    """Generator and encoder after three steps, the last of them adversarial; the run was stopped after two."""
    out = tmp_path_factory.mktemp("pair")
    for steps in (2, 3):
        settings = PairSettings(data, out, parsing=parser, run=out / "run", steps=steps, batch=4, mapping_steps=2)
        train("pair", replace(settings, features_from=0.3, read_from=0.0, read_to=0.3, adversarial_from=0.6))
    return out


def test_a_stopped_pair_is_resumed_and_says_so(pair):
    report = json.loads((pair / "encoder.json").read_text())
    assert report["recipe"]["steps_done"] == 3
    assert [call["step"] for call in report["calls"]] == [0, 2]
    assert report["metrics"]["people"] == 2
    men = report["metrics"]["groups"]["men"]  # both
    assert men["pictures"] == 2 and men["psnr_db"] == pytest.approx(report["metrics"]["psnr_db"], abs=1e-3)
    assert men["ssim"] == pytest.approx(report["metrics"]["ssim"], abs=1e-3)
    assert report["recipe"]["data"] and "/" not in report["recipe"]["data"]
    assert sorted(json.loads((pair / "manifest.json").read_text())) == ["encoder.safetensors", "generator.safetensors"]
    assert not list(pair.rglob("*.part"))


def test_pair_can_be_loaded_and_agrees_on_the_average(pair):
    generator, encoder = load_generator(pair / "generator.safetensors"), load_encoder(pair / "encoder.safetensors")
    assert generator.resolution == 64 and encoder.num_layers == generator.num_layers == 10
    torch.testing.assert_close(encoder.latent_avg, generator.latent_avg)
    assert generator.synthesis(encoder(torch.zeros(1, 3, 256, 256))).shape == (1, 3, 64, 64)


def test_moving_the_average_out_of_the_bias_changes_no_code(data, parser, tmp_path):
    """What the encoder adds inside must be what was taken out of its last layer."""
    settings = PairSettings(data, tmp_path, parsing=parser, run=tmp_path / "run", steps=1, batch=4)
    train("pair", replace(settings, mapping_steps=1))
    saved = torch.load(tmp_path / "run" / "state.pt", weights_only=True)["E"]["net"]
    encoder = load_encoder(tmp_path / "encoder.safetensors")
    taken = saved["backbone.base.bias"] - encoder.state_dict()["backbone.base.bias"]
    assert taken.abs().max() > 0.1
    torch.testing.assert_close(taken, encoder.latent_avg[0], atol=5e-3, rtol=0)  # stored in half precision


def test_larger_networks_compute_the_same_at_first(tmp_path):
    """Wider layers, more units: the same picture, until the first step, which moves what is new."""
    torch.manual_seed(0)
    small, large = (Generator(32, channels={4: 8, 8: 8, 16: 8, 32: width}, n_mlp=2) for width in (6, 10))
    codes = torch.randn(2, 8, 512)
    widen_generator(large, small)
    torch.testing.assert_close(large.synthesis(codes), small.synthesis(codes), atol=1e-5, rtol=1e-4)
    large.synthesis(codes).square().sum().backward()
    assert large.convs[5].conv.weight.grad[0, :6, 6:].abs().max() > 0

    backbones = (
        CompactBackbone(8, widths=(16, 16, 16, 16), hidden=8, depths=depths) for depths in ((0, 2, 2, 2), (1, 3, 2, 3))
    )
    plain, deep = (Encoder(one, "e4e", 8) for one in backbones)
    for _ in range(3):
        plain(torch.randn(4, 3, 64, 64))  # running averages as a trained network has them
    plain.latent_avg.normal_()
    deepen_encoder(deep, plain)
    pictures = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(deep.eval()(pictures), plain.eval()(pictures), atol=1e-5, rtol=1e-4)
    with pytest.raises(RuntimeError, match="has no"):
        deepen_encoder(plain, deep)
    with pytest.raises(RuntimeError, match="too small"):
        widen_generator(small, large)
    path = record.write(encoder_state(deep), tmp_path, "encoder", {}, {})
    torch.testing.assert_close(load_encoder(path)(pictures), deep(pictures), atol=1e-2, rtol=1e-2)


def test_finer_heads_begin_alike(tmp_path):
    coarse, fine = (Encoder(CompactBackbone(10, grid=grid), "e4e", 10).eval() for grid in (4, 8))
    coarse.latent_avg.normal_()
    refine_heads(fine, coarse)
    pictures = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(fine(pictures), coarse(pictures), atol=1e-5, rtol=1e-4)
    path = record.write(encoder_state(fine), tmp_path, "encoder", {}, {})
    torch.testing.assert_close(load_encoder(path)(pictures), fine(pictures), atol=1e-2, rtol=1e-2)


def test_pair_resumes_from_another(data, parser, pair, tmp_path):
    """Attribute codes are then those of that encoder, and its batch normalisation keeps its statistics."""
    settings = PairSettings(data, tmp_path, start=pair, parsing=parser, run=tmp_path / "run", steps=1, batch=4)
    train("pair", replace(settings, mapping_steps=1))
    report, first = (json.loads((folder / "encoder.json").read_text()) for folder in (tmp_path, pair))
    assert report["recipe"]["start"] == pair.name and report["start"]["calls"] == first["calls"]
    assert "resumed from a pair of 3 steps on 12 renders" in model_card("encoder", report)
    before, after = (load_encoder(folder / "encoder.safetensors").state_dict() for folder in (pair, tmp_path))
    assert all(torch.equal(before[name], after[name]) for name in before if "running" in name)
    assert not torch.equal(before["backbone.base.weight"], after["backbone.base.weight"])


def test_attribute_codes_can_be_fitted_to_an_encoder(data):
    """Here there are more attributes than pictures, so nearly exactly."""
    faces = load_faces(data)
    encoder = Encoder(CompactBackbone(10), "e4e", 10).eval()
    known = AttributeCodes(faces)
    known.fit_to(encoder, faces)
    views = Augmentation(64, strength=0.0)(faces.images, faces.labels, torch.Generator().manual_seed(0))
    codes = known(torch.arange(len(faces)), views)
    with torch.no_grad():
        read = encoder(views.target)[:, 0]
    read = read - read.mean(dim=0)
    assert (codes - read).square().mean() < 0.2 * read.square().mean()


def test_attribute_codes_are_principal_components(data):
    """Mean 0, mean square 1, uncorrelated, the leading ones largest; over pictures and their mirror images."""
    faces = load_faces(data)
    known = AttributeCodes(faces)
    plain = Augmentation(128, strength=0.0)
    both = {}
    for seed in range(40):
        views = plain(faces.images, faces.labels, torch.Generator().manual_seed(seed))
        codes = known(torch.arange(len(faces)), views)
        both |= {(i, float(side)): codes[i] for i, side in enumerate(views.side)}
    codes = torch.stack(list(both.values()))
    assert codes.shape == (32, 512)
    assert codes.mean(dim=0).abs().max() < 0.05
    assert codes.square().mean().item() == pytest.approx(1, abs=0.02)
    spread = codes.std(dim=0)[:31]
    assert (spread[1:] < spread[:-1] + 0.05).all()
    correlation = torch.corrcoef(codes[:, :8].T) - torch.eye(8)
    assert correlation.abs().max() < 0.1


def test_points_move_with_the_picture(data):
    """A bright square in the original is found where its place is said to have moved, mirrored or not."""
    images, rows, columns = torch.zeros(16, 3, 128, 128, dtype=torch.uint8), range(30, 94, 4), range(90, 26, -4)
    for image, row, column in zip(images, rows, columns, strict=True):
        image[:, row - 2 : row + 3, column - 2 : column + 3] = 255
    views = Augmentation(128)(images, torch.ones(16, 128, 128, dtype=torch.uint8), torch.Generator().manual_seed(0))
    points = torch.tensor([[(column + 0.5), (row + 0.5)] for row, column in zip(rows, columns, strict=True)]) / 64 - 1
    said = (views.moved(points[:, None])[:, 0] + 1) * 64 - 0.5
    brightest = (views.target.mean(dim=1) + 1).clamp_min(0).pow(4)
    axis = torch.arange(128.0)
    total = brightest.sum(dim=(1, 2))
    found = torch.stack([(brightest.sum(1) * axis).sum(1) / total, (brightest.sum(2) * axis).sum(1) / total], dim=1)
    assert (found - said).abs().max() < 1
    assert {-1, 1} == set(views.side.tolist())


def test_the_mapping_network_learns_a_distribution():
    """Codes of two kinds along the leading axis: random codes must become so as well."""
    torch.manual_seed(0)
    codes = torch.randn(2000, 512)
    codes[:, 0] = 0.2 * codes[:, 0] + torch.where(torch.rand(2000) < 0.3, 1.5, -0.65)
    style = studio_generator(64).style
    before, after = fit_mapping(style, codes, 1, 0, batch=256), fit_mapping(style, codes, 150, 0, batch=256)
    assert after < 0.2 * before
    with torch.no_grad():
        first = style(torch.randn(2000, 512))[:, 0]
    assert 0.2 < (first > 0.5).float().mean() < 0.4


def test_lamps_follow_from_seed_person_and_view():
    table = pd.DataFrame({"person": [18, 18, 18, 36, 36, 36], "view": [0, 1, 2, 0, 1, 2], "seed": 5})
    lamps = main_lamps(table)
    assert lamps.shape == (6, 3) and np.allclose(np.linalg.norm(lamps, axis=1), 1, atol=1e-6)
    assert len(np.unique(lamps.round(6), axis=0)) == 6  # no two pictures in one light
    order = [4, 0, 5, 2, 1, 3]
    assert (main_lamps(table.iloc[order]) == lamps[order]).all()


def test_attributes_are_retained_or_lost():
    """The mother of couple 5 wears glasses."""
    people = [read_photo(photo) for photo in (couple(5)[1], *couple(1))]
    faces = images.to_tensor([find_and_align(photo, 128).aligned for photo in people])
    parser = load_parser()
    assert attribute_retention(parser, faces, faces) == {"hair_iou": 1.0, "glasses_contrast": pytest.approx(1)}
    assert attribute_retention(parser, faces, faces / 2)["glasses_contrast"] == pytest.approx(0.5)
    changed = attribute_retention(parser, faces, faces.roll(1, 0))
    assert abs(changed["glasses_contrast"]) < 0.3 and 0.1 < changed["hair_iou"] < 0.9


def test_frechet_distance_is_that_of_gaussians():
    x, y = torch.randn(4000, 3) * torch.tensor([1.0, 2.0, 3.0]), torch.randn(4000, 3) + 1
    assert frechet_distance(x, y) == pytest.approx(3 + 1 + 4, rel=0.1)  # means: 3; deviations: (2 - 1)^2 + (3 - 1)^2
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)


def test_attributes_of_a_picture(data):
    """Every attribute has mean 0; only those of the pose change sign in a mirror image."""
    table = load_faces(data).table
    even, odd = picture_attributes(table)
    assert len(even) == len(odd) == len(table) and odd.shape[1] == 2
    torch.testing.assert_close(even.mean(dim=0), torch.zeros(even.shape[1]), atol=1e-5, rtol=0)
    assert np.corrcoef(odd[:, 0], table["yaw"])[0, 1] == pytest.approx(1)
    assert np.corrcoef(even[:, 0], table["age"])[0, 1] == pytest.approx(1)


def test_generator_alone(data, pair, tmp_path):
    start = pair / "generator.safetensors"
    train("generator", GeneratorSettings(data, tmp_path, start=start, run=tmp_path / "run", steps=1, batch=2))
    before, after = load_generator(start), load_generator(tmp_path / "generator.safetensors")
    assert not torch.equal(before.convs[0].conv.weight, after.convs[0].conv.weight)


def test_encoder_alone(data, pair, tmp_path):
    generator = pair / "generator.safetensors"
    train("encoder", EncoderSettings(data, tmp_path, generator=generator, run=tmp_path / "run", steps=1, batch=4))
    metrics = json.loads((tmp_path / "encoder.json").read_text())["metrics"]
    assert 0 < metrics["psnr_db"] < 60
    torch.testing.assert_close(
        load_encoder(tmp_path / "encoder.safetensors").latent_avg, load_generator(generator).latent_avg
    )


def test_identity_with_two_workers(data, tmp_path):
    settings = IdentitySettings(data, tmp_path, run=tmp_path / "run", steps=2, batch=8, workers=2)
    train("identity", settings)
    report = json.loads((tmp_path / "identity.json").read_text())
    assert 0 <= report["metrics"]["verification_auc"] <= 1
    men = report["metrics"]["groups"]["men"]  # all held-out people
    assert men == {
        "pictures": 4,
        "identification_rate": report["metrics"]["identification_rate"],
        "verification_auc": report["metrics"]["verification_auc"],
    }
    assert report["recipe"]["people"] == 6 and report["recipe"]["pictures_used"] == 12
    embeddings = load_identity(tmp_path / "identity.safetensors")(torch.zeros(2, 3, 64, 64))
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


def test_directions(data, pair, tmp_path):
    settings = DirectionSettings(
        data,
        tmp_path,
        encoder=pair / "encoder.safetensors",
        generator=pair / "generator.safetensors",
        components=8,
    )
    train("directions", settings)
    directions = load_directions(tmp_path / "directions.safetensors")
    assert {"age", "sex", "smile", "yaw", "glasses"} <= set(directions)
    assert "beard" not in directions  # nobody of these has one
    assert directions["age"].step.shape == (10, 512)
    report = json.loads((tmp_path / "directions.json").read_text())
    men = report["metrics"]["groups"]["men"]
    assert men["pictures"] == 4 and men["age_mae"] == pytest.approx(
        report["metrics"]["age"]["mean_absolute_error"], abs=1e-3
    )
    assert "| men | 4 |" in model_card("directions", report)


def test_directions_of_too_few_pictures(data, pair, tmp_path):
    settings = DirectionSettings(
        data, tmp_path, encoder=pair / "encoder.safetensors", generator=pair / "generator.safetensors"
    )
    with pytest.raises(KinlibError, match="fewer than the 200 principal components"):
        train("directions", settings)
    assert not (tmp_path / "directions.safetensors").exists()


def test_attributes_that_do_not_vary():
    table = pd.DataFrame({"age": [30.0, 40.0], "sex": [0.0, 1.0], "beard": [0.0, 0.0]})
    assert list(_varying(table)) == ["age", "sex"]
    with pytest.raises(KinlibError, match="the same sex"):
        _varying(table.assign(sex=1.0))


def test_attributes_become_numbers():
    traits = Traits(np.zeros(NUM_SHAPE), np.zeros(len(PROPORTIONS)), 0.6, 0.5, "brown", "black", freckles=0.25)
    look = Look(age=61.0, hair_style="braids", fringe=True, grey=0.5, beard="goatee", glasses=Glasses())
    strength = {"mouthSmile_L": 0.5, "mouthSmile_R": 0.3, "jawOpen": 0.1}
    record = attributes(Person(traits, "female"), look, Shot(expression=strength))
    row = read_attributes(json.dumps(record)) | {"yaw": 3.0, "pitch": -2.0}
    numbers = attribute_table(pd.DataFrame([row]))
    assert numbers.dtypes.eq(float).all()
    names = ["age", "sex", "skin", "smile", "glasses", "beard", "hair_length", "mouth_open"]
    assert numbers.loc[0, names].tolist() == [
        61.0, 0.0, 0.6, 0.4, 1.0, 1.0, 1.0, 0.1,
    ]  # fmt: skip


def test_grey_hair_is_light():
    traits = Traits(np.zeros(NUM_SHAPE), np.zeros(len(PROPORTIONS)), 0.6, 0.5, "brown", "black")
    records = [attributes(Person(traits, "male"), Look(grey=grey), Shot()) for grey in (0.0, 0.5, 1.0)]
    light = [read_attributes(json.dumps(record))["hair_light"] for record in records]
    assert light == pytest.approx([0.089, 0.378, 0.667], abs=0.001)


def test_command_line_refuses_data_that_are_none(tmp_path, capsys):
    assert main(["train", "identity", "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "parquet" in capsys.readouterr().err
    assert main(["train", "nose"]) == 2
    with pytest.raises(KinlibError, match="parquet"):
        load_faces(tmp_path)


def test_command_line_refuses_workers_without_pictures(data, tmp_path, capsys):
    folders = ["--data", str(data), "--out", str(tmp_path)]
    for options in (["--workers", "0"], ["--workers", "5", "--batch", "4"]):
        assert main(["train", "identity", *folders, *options]) == 2
        assert "--workers must be from 1 to the batch" in capsys.readouterr().err
    run = ["--run", str(tmp_path / "run"), "--batch", "100"]
    assert main(["train", "identity", *folders, *run]) == 2
    assert "batches of 100 from 12 pictures" in capsys.readouterr().err


def test_training_and_held_out_people_are_disjoint(data):
    training, held_out = load_faces(data).split()
    assert set(held_out.table.person) == {0, 18}
    assert not set(training.table.person) & set(held_out.table.person)
    assert len(training) + len(held_out) == 16


def test_augmentation_repeats_with_its_generator_and_spares_the_target(data):
    faces = load_faces(data)
    views = [Augmentation(64)(faces.images, faces.labels, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(views[0].source, views[1].source)
    assert not torch.equal(views[0].source, views[2].source)
    one = views[0]
    assert one.source.shape == one.target.shape == (16, 3, 64, 64) and one.weight.shape == (16, 1, 64, 64)
    assert one.source.abs().max() <= 1 and one.target.abs().max() <= 1
    assert one.weight.min() >= 0.2 - 1e-6 and 2 < one.weight.max() <= 4 + 1e-6
    assert not torch.equal(one.source, one.target)


def test_what_is_worn_weighs_more(data):
    """Where glasses are, mirrored or not, and nowhere else; and the background stays the least."""
    faces = load_faces(data)
    glasses = torch.zeros(128, 128, dtype=torch.bool)
    glasses[40:60, 30:70] = True
    labels = faces.labels.masked_fill(glasses, CLASSES.index("eye_g"))
    plain, heavy = (
        Augmentation(128, strength=0.0, feature_weight=0.0, worn_weight=more)(
            faces.images, labels, torch.Generator().manual_seed(0)
        )
        for more in (0.0, 6.0)
    )
    assert torch.equal(plain.target, heavy.target)
    for before, after, side in zip(plain.weight[:, 0], heavy.weight[:, 0], plain.side, strict=True):
        where = glasses if side == 1 else glasses.flip(1)
        torch.testing.assert_close(after / before, 1 + 6.0 * where, atol=1e-3, rtol=0)


def test_augmentation_of_no_strength_only_flips_and_resizes(data):
    faces = load_faces(data)
    views = Augmentation(64, strength=0.0)(faces.images, faces.labels, torch.Generator().manual_seed(0))
    halved = torch.nn.functional.avg_pool2d(faces.images.float() / 127.5 - 1, 2)
    for found, wanted, side in zip(views.target, halved, views.side, strict=True):
        assert (found - (wanted if side == 1 else wanted.flip(2))).abs().max() < 0.02
    assert set(views.side.tolist()) == {-1, 1}


def test_diff_augment_lets_gradients_through():
    torch.manual_seed(0)
    x = torch.rand(4, 3, 32, 32, requires_grad=True)
    generated = diff_augment(x)
    assert generated.shape == x.shape and not torch.equal(generated, x)
    generated.sum().backward()
    assert x.grad.abs().sum() > 0


def test_turned_pictures_stay_sharp():
    """Their finest detail is what the discriminator takes for real; bilinear weights would leave 0.6 of it here."""
    noise = torch.randint(0, 256, (8, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.ones(8, 64, 64, dtype=torch.uint8)
    target = Augmentation(64)(noise, labels, torch.Generator().manual_seed(1)).target
    detail = [(one[..., 1:] - one[..., :-1]).std() for one in (target, noise.float() / 127.5 - 1)]
    assert detail[0] > 0.7 * detail[1]
    assert target.abs().max() <= 1


def test_texture_compares_the_strength_of_detail_not_its_place():
    """Strands may lie elsewhere; a blur is wrong, and so are strands that run across."""
    wave = torch.sin(torch.arange(64) * 1.3)
    strands, others = (one.view(1, 1, 1, 64).expand(1, 3, 64, 64) for one in (wave, wave.roll(2)))
    weight = torch.ones(1, 1, 64, 64)
    far = {
        "same": losses.texture(strands, strands, weight),
        "others": losses.texture(others, strands, weight),
        "blurred": losses.texture(torch.nn.functional.avg_pool2d(strands, 5, 1, 2), strands, weight),
        "across": losses.texture(strands.transpose(2, 3), strands, weight),
        "flat": losses.texture(torch.zeros_like(strands), strands, weight),
    }
    assert far["same"] == 0
    assert far["others"] < 0.5 * far["blurred"] and far["others"] < 0.5 * far["across"]
    assert far["blurred"] < far["flat"]
    weight[..., :32] = 0
    half = torch.cat([torch.zeros(1, 3, 64, 32), strands[..., 32:]], dim=3)
    assert losses.texture(half, strands, weight) < 0.2 * losses.texture(half, strands, torch.ones_like(weight))


def test_matching_is_zero_for_equal_pictures_only():
    torch.manual_seed(0)
    discriminator, pictures = PatchDiscriminator(), torch.rand(2, 3, 32, 32)
    seen = discriminator.features(pictures)
    assert [tuple(one.shape[1:]) for one in seen] == [(32, 16, 16), (64, 8, 8), (128, 4, 4)]
    torch.testing.assert_close(discriminator[-1](seen[-1]), discriminator(pictures))
    assert losses.feature_matching(seen, seen) == 0
    assert losses.feature_matching(seen, discriminator.features(pictures.flip(3))) > 0


def test_pixel_loss_ignores_what_has_no_weight():
    target, generated = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    generated[..., :4, :4] = 1
    weight = torch.ones(1, 1, 16, 16)
    assert losses.pixels(generated, target, weight) > 0.01
    weight[..., :8, :8] = 0
    assert losses.pixels(generated, target, weight) == 0


def test_arcface_margin_makes_the_same_embedding_dearer():
    torch.manual_seed(0)
    head = ArcFace(5, 8, margin=0.3, scale=10.0)
    embeddings, labels = torch.nn.functional.normalize(torch.randn(6, 8), dim=1), torch.arange(6) % 5
    assert head(embeddings, labels) > head(embeddings, labels, margin_share=0.0)
