"""Known and unknown members of a family: one parent, a wanted sex, a child as a parent, another parent."""

from dataclasses import replace

import pytest
import torch

from kinlib import Kinship
from kinlib.inheritance import registry
from kinlib.inheritance.weights_file import BlendWeights
from kinlib.runtime.errors import KinlibError

LEARNED = {"method": "learned"}


def sex_of(kin: Kinship, codes: torch.Tensor) -> torch.Tensor:
    """From 0 for female to 1 for male, by the direction's probe."""
    return kin.directions["sex"].read(codes)


def test_one_parent_is_enough_for_a_method_that_takes_one(kin, faces):
    child = kin.child(faces[0], **LEARNED)
    assert child.father is faces[0] and child.mother is None
    assert torch.equal(child.latent, kin.child(father=faces[0], **LEARNED).latent)
    other = kin.child(mother=faces[1], **LEARNED)
    assert other.father is None and not torch.allclose(child.latent, other.latent, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "the method 'average' needs both parents, and there is no mother: try 'learned'"),
        (LEARNED | {"father_share": 0.7}, "a father's share needs both parents"),
        ({"weights": BlendWeights("studio", 12)}, "blend weights need both parents"),
    ],
)
def test_other_methods_say_who_is_missing(kin, faces, options: dict, message: str):
    with pytest.raises(KinlibError, match=message):
        kin.child(faces[0], **options)


def test_nobody_has_no_children(kin):
    with pytest.raises(KinlibError, match="there is no parent"):
        kin.children(**LEARNED)


def test_the_wanted_sex_is_sampled(kin, faces):
    found = {sex: kin.children(*faces, n=6, sex=sex, **LEARNED) for sex in ("male", "female")}
    sexes = {sex: sex_of(kin, torch.cat([child.latent for child in young])) for sex, young in found.items()}
    assert sexes["male"].min() > sexes["female"].max()
    # Sampled, not moved along the direction, which would give all of them one value.
    assert sexes["male"].std() > 0.01


def test_a_method_without_sexes_is_not_asked_for_one(kin, faces):
    child = kin.child(*faces, sex="male")
    assert sex_of(kin, child.latent).item() == pytest.approx(1, abs=0.05)
    with pytest.raises(KinlibError, match="does not take the child's sex"):
        registry.create("average", sex="male")


def test_a_child_may_be_a_parent(kin, faces):
    son, daughter = (kin.child(*faces, sex=sex, **LEARNED) for sex in ("male", "female"))
    grandchild = kin.child(son, daughter, **LEARNED)
    assert torch.equal(grandchild.father.latent, son.latent)
    assert torch.isfinite(grandchild.latent).all()


def test_another_parent_is_sampled(kin, faces):
    child = kin.child(*faces, seed=3, **LEARNED)
    mothers = [kin.other_parent(child, faces[0], seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(mothers[0].latent, mothers[1].latent)
    assert not torch.allclose(mothers[0].latent, mothers[2].latent, atol=1e-3)
    father = kin.other_parent(child, sex="male")
    assert sex_of(kin, father.latent) > sex_of(kin, mothers[0].latent)
    with pytest.raises(KinlibError, match="which parent is wanted"):
        kin.other_parent(child, sex=None)


def test_parents_unlike_the_training_set_are_told_in_one_note(kin, faces):
    assert not any("unlike" in note for note in kin.child(*faces, **LEARNED).notes)
    far = replace(faces[0], latent=faces[0].latent + 20 * torch.randn(faces[0].latent.shape))
    notes = [note for note in kin.children(far, faces[1], n=2, **LEARNED)[1].notes if "unlike" in note]
    assert len(notes) == 1 and notes[0].startswith("the father's picture is unlike those that the method 'learned'")
