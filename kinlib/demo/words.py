"""What the networks say of a photograph, in words for people who have never seen a command line."""

import re

__all__ = ["CLOSELY", "EXPRESSIONS", "METHODS", "attribute_words", "plain", "plain_all"]

CLOSELY = "Fit closely to photographs"  # the box that switches the refinement on

NOTES = {
    r"(.*) was rotated by (\d+) degrees.*": "The photograph lay on its side and was turned upright.",
    r"(\d+) faces found in .*": r"The photograph shows \1 faces: the largest is used.",
    r"the face in .* was found with little certainty.*": "The face was hard to find: check that the crop shows it.",
    r"the face in .* is only about (\d+) px wide: below.*": (
        r"The face is small, about \1 pixels wide: a closer photograph gives a better likeness."
    ),
    r"the face in .* is turned far.*": "The face is turned far to the side: a photograph from the front is better.",
    r"the face in .* is cut off.*": "The face is cut off by the edge: a photograph with the whole face is better.",
    r"two ways to place.*": "The crop is uncertain: check that eyes and mouth are where they should be.",
    r"the encoder draws .* only roughly.*": f"The reconstruction is only roughly like this face. “{CLOSELY}” helps.",
    r"the method '.*' is deterministic.*": "This way of combining has one child for each couple, whatever the seed.",
    r"no face found in .*": "No face was found: use a photograph that shows one face from the front, well lit.",
    r"nothing to do for (.*): it is so already.*": r"\1: so already, as far as the network sees.",
    r"(.*) and (.*) contradict each other: .*": r"\1 and \2 contradict each other: choose one of them.",
    r"father and mother are the same.*": "Both photographs are the same: the child inherits from one person only.",
}
"""Notes as the networks give them, and what the page says; others are shown as they are."""

METHODS = {
    "average": "Uniform: half of each parent",
    "neural": "Learned: a network sets the weights",
    "learned": "Sampled by a network that has seen families",
    "per_layer": "A random share for each layer",
    "per_dimension": "A random share for each trait of the code",
    "mask": "Each number of the code from one parent",
    "slerp": "Half-way on the arc between the parents",
    "regions": "Each region of the face from one parent",
    "genes": "Facial genes, mixed region by region",
    "genes_pool": "Facial genes with mutation",
}
"""Methods of inheritance; one that is not here has its own name."""

EXPRESSIONS = {
    "neutral": {"smile": 0.0, "mouth_open": 0.0},
    "smile": {"smile": 0.6, "mouth_open": 0.05},
    "laugh": {"smile": 0.85, "mouth_open": 0.2},
}
"""Expressions, by values of attributes that are read off a code."""

ATTRIBUTES = {
    "age": "Age, years",
    "sex": "Sex: female to male",
    "pitch": "Head down to up, degrees",
    "yaw": "Head left to right, degrees",
    "hair_light": "Light hair",
    "skin": "Skin: light to dark",
}


def plain(note: str) -> str:
    """A note or a refusal in plain words; one that is not known stays, as a sentence."""
    role, colon, rest = note.partition(": ")
    if colon and role in ("father", "mother"):  # a session says whom it concerns
        return f"{role.capitalize()}: {_one(rest)}"
    return _one(note)


def plain_all(notes: str) -> str:
    """Several notes, joined by semicolons, as sentences."""
    return " ".join(plain(note) for note in notes.split("; ") if note)


def attribute_words(name: str) -> str:
    """The label of an attribute's slider."""
    return ATTRIBUTES.get(name, name.replace("_", " ").capitalize())


def _one(note: str) -> str:
    for pattern, words in NOTES.items():
        if found := re.fullmatch(pattern, note):
            note = found.expand(words)
            break
    sentence = note[:1].upper() + note[1:]
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
