"""The weight network of the student report: its listing's names and shapes, its processors and its loss."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from kinlib.inheritance.weight_network import (
    AdaptiveDimensionWeightModel,
    FaceProcessor,
    MockProcessor,
    combine,
    load_weight_network,
    shift_weights,
    similarity_loss,
)
from kinlib.runtime.errors import KinlibError

SHAPE = (4, 16)


def codes(seed: int, count: int = 3, shape: tuple[int, int] = SHAPE) -> torch.Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))


def small(**more) -> AdaptiveDimensionWeightModel:
    torch.manual_seed(0)
    return AdaptiveDimensionWeightModel(SHAPE, width=32, **more)


def test_names_and_shapes_are_those_of_the_listing():
    with torch.device("meta"):
        state = AdaptiveDimensionWeightModel((18, 512)).state_dict()
    size = 18 * 512
    linear = {
        "encoder.0": (2048, 2 * size),
        "encoder.4": (1024, 2048),
        "encoder.8": (512, 1024),
        "attention.0": (256, 2 * size),
        "attention.2": (2 * size, 256),
        "weight_decoder.0": (1024, 512),
        "weight_decoder.3": (2048, 1024),
        "weight_decoder.6": (size, 2048),
    }
    norms = {
        "encoder.2": 2048,
        "encoder.6": 1024,
        "encoder.10": 512,
        "weight_decoder.2": 1024,
        "weight_decoder.5": 2048,
    }
    expected = {f"{name}.weight": shape for name, shape in linear.items()}
    expected |= {f"{name}.bias": shape[:1] for name, shape in linear.items()}
    for name, units in norms.items():
        expected |= {f"{name}.{part}": (units,) for part in ("weight", "bias", "running_mean", "running_var")}
        expected[f"{name}.num_batches_tracked"] = ()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == expected


def test_weights_are_shares_that_depend_on_both_parents():
    model = small().eval()
    father, mother = codes(0), codes(1)
    weights = model(father, mother)
    assert weights.shape == father.shape and ((weights > 0) & (weights < 1)).all()
    assert not torch.equal(model(codes(2), mother), weights) and not torch.equal(model(father, codes(2)), weights)
    torch.testing.assert_close(model(father[:1], mother[:1]), weights[:1])


def test_attention_multiplies_the_codes():
    model = small().eval()
    torch.nn.init.zeros_(model.attention[2].weight)
    torch.nn.init.constant_(model.attention[2].bias, -1e4)  # nothing passes
    assert torch.equal(model(codes(0), codes(1)), model(codes(2), codes(3)))


def test_dropout_can_be_changed():
    model = small(dropout=0.0).train()
    father, mother = codes(0), codes(1)
    assert torch.equal(model(father, mother), model(father, mother))
    model.set_dropout(0.5)
    assert not torch.equal(model(father, mother), model(father, mother))


@pytest.mark.parametrize(
    "make",
    [
        lambda: AdaptiveDimensionWeightModel((18,)),
        lambda: AdaptiveDimensionWeightModel((0, 512)),
        lambda: small(dropout=1.0),
        lambda: AdaptiveDimensionWeightModel(SHAPE, width=4),
    ],
)
def test_senseless_sizes_are_refused(make):
    with pytest.raises(KinlibError) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mother", [codes(1, count=2), codes(1, shape=(5, 16))])
def test_codes_of_another_shape_are_refused(mother):
    with pytest.raises(ValueError, match="codes must both be"):
        small()(codes(0), mother)


def test_mock_is_the_printed_projection():
    mock = MockProcessor(SHAPE, embedding=8, seed=3)
    latent = codes(0)
    expected = F.normalize(F.relu(F.linear(latent.view(3, -1), mock.projection_matrix)), p=2, dim=1)
    torch.testing.assert_close(mock.generate_embeddings_from_latent(latent), expected)
    torch.testing.assert_close(mock.generate_embeddings_from_latent(latent[0]), expected[:1])
    same, other = MockProcessor(SHAPE, embedding=8, seed=3), MockProcessor(SHAPE, embedding=8, seed=4)
    assert torch.equal(same.projection_matrix, mock.projection_matrix)
    assert not torch.equal(other.projection_matrix, mock.projection_matrix)
    assert not list(mock.parameters()) and MockProcessor((18, 512)).projection_matrix.shape == (512, 18 * 512)


def test_gradients_pass_a_real_processor():
    """The report takes synthesis for non-differentiable; a generator as small as can be shows that it is not."""
    from kinlib.gan.generator import Generator

    torch.manual_seed(0)
    generator = Generator(8, channels={4: 4, 8: 4}, n_mlp=1).requires_grad_(False)
    shape = (generator.num_layers, 512)
    model = AdaptiveDimensionWeightModel(shape, width=16).eval()
    processor = FaceProcessor(generator.synthesis, lambda pictures: F.normalize(pictures.flatten(1), dim=1))
    child = combine(*(parents := (codes(0, shape=shape), codes(1, shape=shape))), model(*parents))
    target = F.normalize(codes(2, shape=(1, 3 * 8 * 8)).flatten(1), dim=1)
    similarity_loss(processor.generate_embeddings_from_latent(child), target).mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in model.weight_decoder[6].parameters())


def test_weights_are_the_fathers_share():
    father, mother = codes(0), codes(1)
    torch.testing.assert_close(combine(father, mother, torch.ones(SHAPE)), father)
    torch.testing.assert_close(combine(father, mother, torch.full(SHAPE, 0.25)), 0.25 * father + 0.75 * mother)


def test_loss_is_a_multiple_of_one_minus_cosine():
    generated, target = codes(0, 8)[:, 0], 3 * codes(1, 8)[:, 0]
    loss = similarity_loss(generated, target)
    torch.testing.assert_close(loss, 1.1 * (1 - F.cosine_similarity(generated, target)))
    torch.testing.assert_close(similarity_loss(target, target), torch.zeros(8), atol=1e-6, rtol=0)
    torch.testing.assert_close(similarity_loss(target, -target), torch.full((8,), 2.2))


@pytest.mark.parametrize("blocks", ["entry", "dimension", "layer", "group"])
def test_blocks_share_one_weight(blocks):
    torch.manual_seed(0)
    shape = (12, 16)
    model = AdaptiveDimensionWeightModel(shape, width=32, blocks=blocks).eval()
    weights = model(codes(0, shape=shape), codes(1, shape=shape))
    assert weights.shape == (3, *shape)
    each = {"entry": 12 * 16, "dimension": 16, "layer": 12, "group": 3}[blocks]
    assert len(weights[0].unique()) == each
    if blocks == "group":
        assert (weights[:, :4] == weights[:, :1, :1]).all() and (weights[:, 8:] == weights[:, 8:9, :1]).all()


@pytest.mark.parametrize("blocks", ["entry", "dimension", "layer", "group"])
def test_a_file_gives_the_same_weights(blocks, tmp_path):
    shape = (2, 512)
    model = AdaptiveDimensionWeightModel(shape, width=16, blocks=blocks).eval()
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, tmp_path / "w.safetensors")
    again = load_weight_network(tmp_path / "w.safetensors")
    assert again.blocks == blocks and not again.training
    parents = codes(0, shape=shape), codes(1, shape=shape)
    torch.testing.assert_close(again(*parents), model(*parents))


def test_another_file_is_refused(tmp_path):
    save_file({"axes": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(KinlibError, match="holds no weight network"):
        load_weight_network(tmp_path / "other.safetensors")


def test_the_fathers_share_moves_the_weights():
    weights = torch.tensor([[[0.0, 0.2], [0.9, 1.0]]])
    assert torch.equal(shift_weights(weights, 0.5), weights)
    assert (shift_weights(weights, 1.0) == 1).all() and (shift_weights(weights, 0.0) == 0).all()
    shifted = shift_weights(weights, torch.tensor([0.8, 0.5]))
    assert shifted[0, 0, 1].item() == pytest.approx(0.5)  # odds of 1/4 times 4
    assert torch.equal(shifted[:, 1], weights[:, 1])


def test_a_couple_has_one_child():
    model = small().eval()
    father, mother = codes(0), codes(1)
    first, second = (model.inherit(father, mother, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert torch.equal(first, second)
    torch.testing.assert_close(first, combine(father, mother, model(father, mother)))
    torch.testing.assert_close(model.inherit(father, mother, torch.Generator(), father_share=1.0), father)
