"""How a child was made: shares that are measured on codes, and a command that makes the same child."""

import re
import shlex

import pytest
import torch
from PIL import Image, ImageChops

from kinlib.cli import main
from kinlib.demo.made import command, layer_shares, made
from kinlib.inheritance.blend import group_shares
from kinlib.session import Session, Settings
from kinlib.studio.datasets import sample_parents


@pytest.fixture(scope="module")
def session(kin) -> Session:
    session = Session(kin, refine=0)
    assert session.choose_couple(1)
    return session


def test_shares_of_a_blend_are_those_that_were_asked_for(session):
    session.generate(Settings(coarse=1.0, middle=0.25, fine=0.0))
    parents = [session.faces[role].latent for role in ("father", "mother")]
    found = layer_shares(session.child.latent, *parents)
    wanted = group_shares(session.kin.num_layers, 1.0, 0.25, 0.0)
    assert torch.allclose(torch.tensor([one.father for one in found]), wanted, atol=1e-3)
    assert max(one.neither for one in found) < 1e-2


def test_what_comes_from_neither_parent_is_told():
    father, mother = torch.zeros(1, 2, 512), torch.zeros(1, 2, 512)
    father[0, :, 0] = 4.0
    child = mother.clone()
    child[0, 0, :2] = torch.tensor([1.0, 3.0])  # a quarter of the way, and three quarters of it aside
    first, second = layer_shares(child, father, mother)
    assert (first.father, first.neither) == pytest.approx((0.25, 0.75))
    assert (second.father, second.neither) == (0.0, 0.0)


def test_parents_with_one_code_have_no_shares():
    code = torch.ones(1, 3, 512)
    assert [one.father for one in layer_shares(code, code, code)] == [None] * 3


def test_the_command_makes_the_same_child(session, tmp_path, monkeypatch):
    shares = dict.fromkeys(("coarse", "middle", "fine"), 0.3)
    session.generate(Settings(**shares, method="mask", seed=5, n=2, age=8.0, sex="male", edits={"smile": 0.6}))
    child = session.children[1]
    monkeypatch.chdir(tmp_path)
    father, mother = sample_parents.couple(1)
    words = shlex.split(command(child, session.settings).replace("FATHER", str(father)).replace("MOTHER", str(mother)))
    assert words[0] == "kinlib" and main([*words[1:], "--out", "child.png"]) == 0
    assert (tmp_path / "child.png").exists()
    assert ImageChops.difference(Image.open("child.png"), child.image).getbbox() is None


def test_shares_by_group_are_told_in_python(session, kin):
    session.generate(Settings(method="per_layer", seed=3, coarse=0.9, middle=0.5, fine=0.1, age=30.0))
    line = command(session.child, session.settings)
    names = {"kin": kin, "group_shares": group_shares}
    father, mother = sample_parents.couple(1)
    same = eval(line.replace('"FATHER"', repr(str(father))).replace('"MOTHER"', repr(str(mother))), names)
    assert torch.equal(same.latent, session.child.latent)


def test_the_page_escapes_what_it_shows(session):
    session.generate(Settings())
    shown = made(session.child, session.settings)
    assert len(re.findall("<tr>", shown)) == session.kin.num_layers + 1
    assert "kinlib child" in shown and "<script" not in shown
