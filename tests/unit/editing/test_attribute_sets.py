"""Attributes of a file of one's own: rules, names, what is refused, and how a network's file keeps them."""

import json

import pytest
import torch

from kinlib.editing.attribute_sets import DOCUMENT, KEY, as_tensor, from_tensor, read_attribute_set
from kinlib.editing.names import check_changes, difference_of
from kinlib.editing.rules import ATTRIBUTES, EXCLUDED, RULES
from kinlib.runtime.errors import KinlibError

OWN = {
    "Eyeglasses": {},
    "Smiling": {"name": "smile", "touches": ["skin"], "loss": "nontarget"},
    "Wearing_Hat": {
        "add": {"touches": ["hair", "skin"], "loss": "nontarget"},
        "remove": {"touches": ["unknown"], "loss": "none"},
        "excludes": ["Bald", "Smiling"],
    },
}


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "attributes.json"
    path.write_text(json.dumps(OWN))
    return read_attribute_set(path)


def test_the_document_has_thirteen():
    assert read_attribute_set(None) is DOCUMENT and DOCUMENT.columns == ATTRIBUTES
    for one in DOCUMENT.attributes:
        assert (one.added, one.removed) == (RULES[one.celeba, 1], RULES[one.celeba, -1])
        assert one.excludes == EXCLUDED.get(one.celeba, ())


def test_a_file_names_its_attributes_and_their_rules(own):
    assert own.columns == ("Eyeglasses", "Smiling", "Wearing_Hat")
    assert [one.name for one in own.attributes] == ["glasses", "smile", "wearing_hat"]
    assert [one.label for one in own.attributes] == ["glasses", "smile", "wearing hat"]
    assert [one.absent for one in own.attributes] == ["no glasses", "no smile", "no wearing hat"]
    assert own.find("glasses") == DOCUMENT.find("glasses")
    assert own.select({"Eyeglasses": -1}) == ("eye_g", "target") and own.select({"Smiling": 1}) == ("skin", "nontarget")
    assert own.select({"Wearing_Hat": 1}) == ("person", "nontarget")
    assert own.select({"Wearing_Hat": -1, "Smiling": 1}) == ("unknown", "none")
    assert own.toggle([1, 1, 0], "Wearing_Hat") == [1, 0, 1]  # what it excludes goes; bald is none of these


def test_changes_are_checked_by_them(own):
    assert check_changes({"smile": 1, "Eyeglasses": -0.5}, own) == {"Smiling": 1.0, "Eyeglasses": -0.5}
    assert difference_of({"Wearing_Hat": 1.0}, [0.1, 0.9, 0.2], own).tolist() == [[0.0, -1.0, 1.0]]
    with pytest.raises(KinlibError, match="choose one of glasses, smile, wearing_hat"):
        check_changes({"bald": 1}, own)
    with pytest.raises(KinlibError, match="wearing hat and smile contradict"):
        check_changes({"smile": 1, "wearing_hat": 1}, own)


def test_a_networks_file_keeps_them(own):
    assert as_tensor(DOCUMENT) == {} and from_tensor({}, "net") is DOCUMENT
    state = as_tensor(own)
    assert from_tensor(state, "net") == own and state == {}
    for damaged in (
        torch.tensor([123], dtype=torch.uint8),
        torch.tensor([0.5]),
        torch.tensor([300]),
        torch.empty(3, device="meta"),
        torch.zeros(1, dtype=torch.uint8).expand(200_000),
        "text",
    ):
        with pytest.raises(KinlibError, match="its list is damaged"):
            from_tensor({KEY: damaged}, "net")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no JSON file of attributes"),
        ("[" * 100_000, "is no JSON file of attributes"),
        ("[]", "must hold 1 to 64 attributes by name"),
        ("{}", "must hold 1 to 64 attributes by name"),
        ('{"Smiling": 1}', "'Smiling' in .* must be an object with some of name, label"),
        ('{"Smiling": {}}', "'Smiling' in .* must say which of hair, skin"),
        ('{"Smiling": {"touches": ["nose"], "loss": "target"}}', "must say which of hair, skin"),
        ('{"Smiling": {"touches": [["skin"]], "loss": "target"}}', "must say which of hair, skin"),
        ('{"Smiling": {"touches": ["skin"], "loss": "all"}}', "a loss of target, nontarget, none"),
        ('{"Smiling": {"touches": ["skin"], "loss": ["target"]}}', "a loss of target, nontarget, none"),
        ('{"Smiling": {"touch": ["skin"]}}', "with some of name, label"),
        ('{"Bald": {"add": 3}}', "'Bald' in .* must say which"),
        ('{"Bald": {"name": "no hair"}}', "must be one word, not 'no hair'"),
        ('{"Bald": {"name": 3}}', "must be one word, not 3"),
        ('{"Bald": {"label": 3}}', "the labels of 'Bald' in .* must be text"),
        ('{"Bald": {"excludes": "Bangs"}}', "must be a list of names"),
        ('{"Bald": {"name": "x"}, "Bangs": {"name": "x"}}', "two attributes of the name 'x'"),
    ],
)
def test_unusable_files_are_refused(content, words, tmp_path):
    path = tmp_path / "attributes.json"
    path.write_text(content)
    with pytest.raises(KinlibError, match=words):
        read_attribute_set(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(KinlibError, match="cannot be read: No such file"):
        read_attribute_set(tmp_path / "nowhere.json")
