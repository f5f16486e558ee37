"""Changes of one attribute of CelebA in a rendered picture: the same person, pose and light before and after.

An editing network is to be compared with what it should have made. Here that picture exists, and where it differs from
the first one is known to the pixel.

What goes together in life is kept apart: a face that ages keeps its hair, and a face of the other sex its clothes. Some
attributes of CelebA imply others, and then several names change: new black hair was another colour before, a moustache
ends "No_Beard", and hair that is shaved off has no colour. Both pictures' attributes tell.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kinlib.studio.appearance.looks import random_glasses
from kinlib.studio.datasets.sampling import sessions
from kinlib.studio.genetics import POPULATIONS, founders, phenotypes
from kinlib.studio.hair.loose import COILY
from kinlib.studio.person import Glasses, Look, Person, Shot
from kinlib.studio.render import Picture, prepare_subject, render_alike

__all__ = ["LEAST_EDITS", "THRESHOLD", "Edit", "View", "changed_region", "possible_edits", "render_edits", "sitter"]

THRESHOLD = 6  # of 255; a pixel has changed if a channel differs by more. Grain is the same in both pictures.
LEAST_EDITS = 5  # that are possible for anybody
ADULT, BEARDED = 18.0, 19.0  # years from which heads are shaved, and from which men have beards
LEAST_BEARD = 0.2  # density of a beard that can be seen
YOUNG, OLD, LIMIT = 28.0, 68.0, 45.0  # years after the change, and between young and old
PALE, TANNED, PALE_LIMIT = 0.06, 0.30, 0.12  # melanin after the change, and between pale and not
DARKEST = 0.45  # melanin; a darker face made pale would be overexposed in the same light
OPEN, OPEN_LIMIT = 0.22, 0.08  # of the jaw
BUSHY, THIN, BUSHY_LIMIT = 1.8, -0.6, 1.0  # z-scores of the brows
LOOSE = ("long", "bob", "mid", "wavy")  # styles that a fringe can be cut into; tied hair is combed back
GREY_LIMIT = 0.5  # share of grey hair from which hair has no other colour


@dataclass(frozen=True)
class View:
    """All that a picture shows."""

    person: Person
    look: Look
    shot: Shot


@dataclass(frozen=True)
class Edit:
    """A change of one attribute.

    Attributes:
        attribute: one of `ground_truth.CELEBA`.
        change: 1 if it is added, -1 if it is removed.
        view: what the picture shows afterwards.
    """

    attribute: str
    change: int
    view: View


def sitter(seed: int, number: int) -> View:
    """The `number`-th person of a seed, bareheaded, as first photographed; nobody of them is in another set."""
    rng = np.random.default_rng([seed, number, 3])  # 1 and 2 are those of unrelated people and their sessions
    person = phenotypes(founders(str(rng.choice(POPULATIONS)), 1, rng)).person(0)
    (look, (shot,)), *_ = sessions(person, seed, number, 1)
    return View(person, replace(look, hat=None), shot)


def possible_edits(view: View, rng: np.random.Generator, any_frame: bool = False) -> list[Edit]:
    """Every change of one attribute that can be seen in a picture.

    Args:
        view: what the picture shows.
        rng: chooses the hair of a head that was bald, and a frame.
        any_frame: new glasses are of any frame, not of one.
    """
    found = [edit for make in _CHANGES for edit in make(view, rng)]
    if any_frame:
        found = [_reframed(*edit, rng) for edit in found]
    return [Edit(attribute, change, edited) for attribute, change, edited in found]


def render_edits(view: View, edits: list[Edit], size: int) -> list[Picture]:
    """FFHQ crops in the first picture's frame and exposure: the picture itself, then one for each edit."""
    views = [view, *(edit.view for edit in edits)]
    prepared = ((prepare_subject(one.person, one.look, size), one.shot) for one in views)
    return list(render_alike(prepared, size, "ffhq"))


def changed_region(before: Picture, after: Picture) -> np.ndarray:
    """bool [H, W], where two pictures differ; shadows and reflections of what has changed belong to it."""
    difference = np.abs(before.image.astype(int) - after.image.astype(int))  # [H, W, 3]
    return difference.max(axis=-1) > THRESHOLD


# ----------------------------------------------------------------------------------------------------------- changes
Found = list[tuple[str, int, View]]


def _looks(view: View, **changes) -> View:
    return replace(view, look=replace(view.look, **changes))


def _traits(view: View, **changes) -> View:
    return replace(view, person=replace(view.person, traits=replace(view.person.traits, **changes)))


def _bald(view: View, rng: np.random.Generator) -> Found:
    if view.look.hair_style == "bald":
        style = str(rng.choice(["short", "side", "buzz"]))
        return [("Bald", -1, _looks(view, hair_style=style, recede=min(view.look.recede, 0.5)))]
    if view.look.age < ADULT:
        return []
    return [("Bald", 1, _looks(view, hair_style="bald", fringe=False))]


def _bangs(view: View, _) -> Found:
    if view.look.hair_style not in LOOSE or view.person.traits.hair_curl > COILY:
        return []
    return [("Bangs", -1 if view.look.fringe else 1, _looks(view, fringe=not view.look.fringe))]


def _hair_colour(view: View, _) -> Found:
    if view.look.hair_style == "bald" or view.look.grey > GREY_LIMIT:
        return []
    names = {"Black_Hair": "black", "Blond_Hair": "blond", "Brown_Hair": "brown"}
    now = view.person.traits.hair_colour
    now = "brown" if now in ("dark", "light") else now  # CelebA's brown
    return [(name, 1, _traits(view, hair_colour=colour)) for name, colour in names.items() if colour != now]


def _brows(view: View, _) -> Found:
    bushy = view.person.traits.brow > BUSHY_LIMIT
    return [("Bushy_Eyebrows", -1 if bushy else 1, _traits(view, brow=THIN if bushy else BUSHY))]


def _glasses(view: View, _) -> Found:
    if view.look.glasses is not None:
        return [("Eyeglasses", -1, _looks(view, glasses=None))]
    return [("Eyeglasses", 1, _looks(view, glasses=Glasses()))]


def _reframed(attribute: str, change: int, view: View, rng: np.random.Generator) -> tuple[str, int, View]:
    """New glasses of another frame; other changes stay."""
    if (attribute, change) == ("Eyeglasses", 1):
        view = _looks(view, glasses=random_glasses(view.look.age, rng))
    return attribute, change, view


def _sex(view: View, _) -> Found:
    """Without beard and lipstick, which would go with the other sex."""
    if view.look.beard != "none" or view.look.lipstick:
        return []
    sex = "female" if view.person.male else "male"
    return [("Male", -1 if view.person.male else 1, replace(view, person=replace(view.person, sex=sex)))]


def _mouth(view: View, _) -> Found:
    opened = view.shot.expression.get("jawOpen", 0.0) > OPEN_LIMIT
    expression = view.shot.expression | {"jawOpen": 0.0 if opened else OPEN}
    shot = replace(view.shot, expression=expression)
    return [("Mouth_Slightly_Open", -1 if opened else 1, replace(view, shot=shot))]


def _beard(view: View, _) -> Found:
    person, look = view.person, view.look
    if not person.male or look.age < BEARDED or person.traits.beard < LEAST_BEARD:
        return []
    if look.beard == "none":
        return [("Mustache", 1, _looks(view, beard="moustache")), ("No_Beard", -1, _looks(view, beard="stubble"))]
    if look.beard == "stubble":
        return [("Mustache", 1, _looks(view, beard="full")), ("No_Beard", 1, _looks(view, beard="none"))]
    return [("Mustache", -1, _looks(view, beard="stubble")), ("No_Beard", 1, _looks(view, beard="none"))]


def _pale(view: View, _) -> Found:
    melanin = view.person.traits.melanin
    if melanin > DARKEST:
        return []
    pale = melanin < PALE_LIMIT
    return [("Pale_Skin", -1 if pale else 1, _traits(view, melanin=TANNED if pale else PALE))]


def _young(view: View, _) -> Found:
    """Of the face alone: hairline and grey hair stay."""
    if view.look.age < ADULT:
        return []
    young = view.look.age < LIMIT
    return [("Young", -1 if young else 1, _looks(view, age=OLD if young else YOUNG))]


_CHANGES: tuple[Callable[[View, np.random.Generator], Found], ...] = (
    *(_bald, _bangs, _hair_colour, _brows, _glasses, _sex, _mouth, _beard, _pale, _young),
)
