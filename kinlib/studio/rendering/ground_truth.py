"""Ground truth of a picture: visible landmarks, roll of the frame, and a flat record of attributes."""

import numpy as np

from kinlib.studio.head.model import FACE, HeadModel
from kinlib.studio.person import Look, Person, Shot
from kinlib.studio.rendering.camera import Camera

__all__ = ["CELEBA", "attributes", "frame_roll", "visible_landmarks"]

NUM_JAW, CHIN = 17, 8  # number of jaw landmarks, and the middle one
BAND = 0.35  # cm, half height of the band in which the outline is searched
OUTLINE = 1.0  # cm; a jaw point deeper than its mirror image by this is on the far side

# The attributes of CelebA that the editing paper works with.
CELEBA = ("Bald", "Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Bushy_Eyebrows", "Eyeglasses", "Male")
CELEBA += ("Mouth_Slightly_Open", "Mustache", "No_Beard", "Pale_Skin", "Young")


def visible_landmarks(posed: np.ndarray, head: HeadModel, camera: Camera) -> np.ndarray:
    """The 68 landmarks in pixels, float32 [68, 2], of a posed head [V, 3].

    Annotators put the jaw points on the visible outline. On the far side of a rotated face that is the cheek rather
    than the jaw, so those points move outwards at constant height ("landmark marching", Zhu et al., 2015).
    """
    pixels = camera.project(posed)[:, :2]
    points = pixels[head.landmarks].copy()
    face = _outline_vertices(head)
    candidates = pixels[face]  # [n, 2]
    reach = BAND * camera.scale
    for jaw in range(NUM_JAW):
        near = np.abs(candidates[:, 1] - points[jaw, 1]) < reach
        if near.any() and _far_side(posed, head, jaw):
            outermost = np.max if jaw > CHIN else np.min
            points[jaw, 0] = outermost([points[jaw, 0], outermost(candidates[near, 0])])
    return points


def _outline_vertices(head: HeadModel) -> np.ndarray:
    """Vertices int [n] of the face in front of the ears, between brows and chin."""
    x, y, z = head.vertices.T
    return np.flatnonzero((head.vertex_part == FACE) & (z > 3.0) & (y > -8.0) & (y < 6.0) & (np.abs(x) < 7.6))


def _far_side(posed: np.ndarray, head: HeadModel, jaw: int) -> bool:
    """Whether a jaw point lies deeper than its mirror image by more than `OUTLINE`."""
    return bool(posed[head.landmarks[jaw], 2] < posed[head.landmarks[16 - jaw], 2] - OUTLINE)


def frame_roll(camera: Camera) -> float:
    """Rotation of the frame against the picture plane, degrees, clockwise positive."""
    return float(np.degrees(np.arctan2(camera.frame[1, 0], camera.frame[0, 0])))


def attributes(person: Person, look: Look, shot: Shot) -> dict:
    """Flat record of a picture for JSON: numbers, strings and booleans.

    Sex, age (years), visible inherited traits (skin, iris, hair), look, expression, and 13 attributes of CelebA under
    their own names.
    """
    traits, strength = person.traits, shot.expression
    smile = (strength.get("mouthSmile_L", 0.0) + strength.get("mouthSmile_R", 0.0)) / 2
    record = {
        **{"male": person.male, "age": look.age, "melanin": traits.melanin, "redness": traits.redness},
        **{"iris": traits.iris, "freckles": traits.freckles, "cleft_chin": traits.cleft_chin},
        **{"hair_style": look.hair_style, "hair_colour": traits.hair_colour, "hair_curl": traits.hair_curl},
        **{"grey": look.grey, "fringe": look.fringe, "recede": look.recede, "beard": look.beard},
        **{"glasses": look.glasses is not None, "hat": look.hat is not None, "earrings": look.earrings},
        **{"necklace": look.necklace, "lipstick": look.lipstick, "clothes": look.clothes},
        **{"smile": smile, "mouth_open": strength.get("jawOpen", 0.0), "expression": dict(strength)},
        **{"background": shot.background},
    }
    record |= _celeba(person, look, record)
    return {name: _plain(value) for name, value in record.items()}


def _celeba(person: Person, look: Look, record: dict) -> dict:
    """The attributes of `CELEBA`; thresholds by eye, since CelebA's are annotators' judgements."""
    colour, grey = person.traits.hair_colour, look.grey > 0.5
    bald = look.hair_style == "bald"
    seen = not (bald or grey or look.hat)
    values = (
        bald,
        look.fringe or look.hair_style == "crop",
        seen and colour == "black",
        seen and colour == "blond",
        seen and colour in ("dark", "brown", "light"),
        person.traits.brow > 1.0,
        look.glasses is not None,
        person.male,
        record["mouth_open"] > 0.08,
        look.beard in ("moustache", "goatee", "full"),
        look.beard == "none",
        person.traits.melanin < 0.12,
        look.age < 45,
    )
    return dict(zip(CELEBA, values, strict=True))


def _plain(value):
    """Python's own types, so that the record can be written as JSON."""
    if isinstance(value, dict):
        return {name: round(float(number), 4) for name, number in value.items()}
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return round(float(value), 4) if isinstance(value, int | float | np.number) else value
