"""Damage to aligned faces: what it does, and what a perfect encoder would make of it."""

import pytest
import torch

from kinlib.evaluation.inversion import FAULTS, Fault, measure_fault


@pytest.fixture
def images() -> torch.Tensor:
    """Smooth pictures that have no symmetry, [2, 3, 64, 64]."""
    noise = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    return torch.nn.functional.interpolate(noise, (64, 64), mode="bicubic").clamp(-1, 1)


def middle(pictures: torch.Tensor) -> torch.Tensor:
    """What no fault of position moves out of the picture, as unit vectors."""
    inner = pictures[..., 24:40, 24:40].flatten(1)
    return torch.nn.functional.normalize(inner, dim=1)


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.undo])
def test_moved_faces_are_moved_back(name, images):
    fault = FAULTS[name]
    for level in fault.levels:
        if name == "enlarged":
            assert not torch.allclose(fault.apply(images, level), images, atol=0.1)
        back = fault.undo(fault.apply(images, level), level)
        assert (back - images)[..., 24:40, 24:40].abs().max() < 0.08  # two interpolations


def test_rotation_is_clockwise(images):
    """By 90 degrees: what was on top is on the right."""
    turned = FAULTS["rotated"].apply(images, 90)
    assert torch.allclose(turned, torch.rot90(images, -1, (2, 3)), atol=1e-4)


def test_shift_is_to_the_right(images):
    moved = FAULTS["shifted"].apply(images, 0.25)
    assert torch.allclose(moved[..., 16:], images[..., :-16], atol=1e-5)


def test_damage_grows_with_its_level():
    noise = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for name in ("covered", "reduced"):
        fault = FAULTS[name]
        changes = [float((fault.apply(noise, level) - noise).square().mean()) for level in fault.levels]
        assert changes == sorted(changes) and changes[0] > 0, name


def test_a_bar_covers_what_it_should(images):
    covered = FAULTS["covered"].apply(images, 0.2)
    changed = (covered != images).any(dim=1)[0]
    rows, columns = (changed.any(dim=axis).nonzero().flatten() for axis in (1, 0))
    assert columns.min() >= 16 and columns.max() < 48
    assert rows.max() - rows.min() + 1 == pytest.approx(0.2 * 64, abs=1)


def test_an_encoder_that_changes_nothing_adds_no_error(images):
    for fault in FAULTS.values():
        table = measure_fault(images, fault, lambda x: x, middle)
        assert len(table) == 2 * len(fault.levels)
        assert table["identity"].to_numpy() == pytest.approx(table["identity_of_input"].to_numpy(), abs=1e-6)
        assert (table["psnr_db"] > 80).all()


def test_an_encoder_that_ignores_the_damage_is_seen(images):
    """Against what it was given it is wrong; the person is all there."""
    table = measure_fault(images, FAULTS["covered"], lambda x: images, middle)
    assert table["psnr_db"].max() < 40
    assert table["identity"].min() > 0.999 and table["identity_of_input"].min() < 0.9


def test_undamaged_faces(images):
    whole = Fault("undamaged", "", (0,), lambda x, _: x)
    table = measure_fault(images, whole, lambda x: x, middle)
    assert table["identity"].min() > 0.999
