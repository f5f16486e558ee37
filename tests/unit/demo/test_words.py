"""Notes in plain words: every note that the faces' modules give is known, and none names an option of the program."""

import ast
import re
from pathlib import Path

import pytest

from kinlib.demo.words import METHODS, NOTES, plain, plain_all
from kinlib.editing.names import check_changes
from kinlib.faces import align
from kinlib.inheritance import registry
from kinlib.kinship.selective import _idle_note
from kinlib.runtime.errors import KinlibError


def notes_of_the_detection() -> list[str]:
    """The texts of `kinlib.faces.align._notes`, with a stand-in for what is computed."""
    tree = ast.parse(Path(align.__file__).read_text())
    (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "_notes"]
    found = []
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "append":
            (text,) = node.args
            found.append("".join(part.value if isinstance(part, ast.Constant) else "17" for part in text.values))
    return found


def test_every_note_of_the_detection_has_plain_words():
    notes = notes_of_the_detection()
    assert len(notes) >= 7
    for note in notes:
        assert any(re.fullmatch(pattern, note) for pattern in NOTES), note
        assert "17" not in plain(note) or "17 faces" in plain(note) or "17 pixels" in plain(note)


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("father: 3 faces found in the picture: the largest is used", "Father: The photograph shows 3 faces"),
        ("no face found in the picture: use a photo that shows one face", "No face was found"),
        ("something new", "Something new."),
        ("mother: 'a: b' is empty (0 bytes): copy it again", "Mother: 'a: b' is empty (0 bytes): copy it again."),
    ],
)
def test_plain_words(note, words):
    assert plain(note).startswith(words)


def test_notes_and_refusals_of_selective_edits_have_plain_words():
    with pytest.raises(KinlibError) as refused:
        check_changes({"hair_black": 1, "hair_blond": 0.5})
    assert plain(str(refused.value)) == "Black hair and blond hair contradict each other: choose one of them."
    (idle,) = [note for note in NOTES if note.startswith("nothing to do for")]
    told = plain(_idle_note(["glasses", "no beard"]))
    assert re.fullmatch(idle, _idle_note(["glasses"])) and told.startswith("Glasses, no beard: so already")
    assert "present" not in told


def test_several_notes_are_several_sentences():
    told = plain_all("father: the face in the picture is turned far to the side: the result will be poor; mother: odd")
    assert told.startswith("Father: The face is turned far") and told.endswith("Mother: Odd.")
    assert plain_all("") == ""


def test_no_words_name_an_option_of_the_program():
    assert not [words for words in (*NOTES.values(), *METHODS.values()) if "--" in words or "_" in words]


def test_every_method_has_words():
    assert set(registry.names()) == set(METHODS)
