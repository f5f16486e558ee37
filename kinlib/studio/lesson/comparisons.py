"""Comparisons: rows of renders that show what the renderer can vary, and the couple whose children the course follows.

Each row is a list of labelled `RenderSpec`s in which one thing changes from picture to picture.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from kinlib.studio.appearance.light import LIGHTS, random_light
from kinlib.studio.appearance.looks import portrait_shot, standard_look
from kinlib.studio.appearance.shots import EXPRESSIONS, random_expression
from kinlib.studio.genetics import POPULATIONS, Genomes, children, founders, phenotypes
from kinlib.studio.lesson.variations import ADULT, SEED, RenderSpec, base_genome, with_copies
from kinlib.studio.person import BEARDS, CLOTHES, HAIR_STYLES, SEXES, Glasses, Person, Shot

__all__ = ["COMPARISONS", "NUM_SHOWN", "Comparison", "couple", "siblings"]

COUPLE_SEED, HOMES = 320, ("cedar", "birch")
NUM_SIBLINGS, NUM_SHOWN = 1000, 8
CHILD_AGE, PARENT_AGE = 21.0, 34.0  # years
MALE = SEXES.index("male")
Row = list[tuple[str, RenderSpec]]


@dataclass(frozen=True)
class Comparison:
    """A row of pictures: what changes in it, and a function that gives labels and arguments of `render`."""

    title: str
    row: Callable[[], Row]


# ------------------------------------------------------------------------------------------------ a couple's children
@lru_cache(maxsize=1)
def couple() -> tuple[Genomes, Genomes]:
    """Father and mother of the children that the course follows."""
    rng = np.random.default_rng([COUPLE_SEED, 42])
    father, mother = (founders(home, 1, rng) for home in HOMES)
    return father.with_sex([MALE]), mother.with_sex([1 - MALE])


@lru_cache(maxsize=1)
def siblings() -> Genomes:
    """A thousand possible children of the couple; the first `NUM_SHOWN` are rendered."""
    return children(*couple(), NUM_SIBLINGS, np.random.default_rng([COUPLE_SEED, 43]))


def _portraits(genomes: Genomes, age: float, labels: list[str]) -> Row:
    looks = phenotypes(genomes)
    people = [looks.person(i) for i in range(len(labels))]
    return [(label, _portrait(person, age)) for label, person in zip(labels, people, strict=True)]


def _portrait(person: Person, age: float = ADULT, shot: Shot | None = None, **look) -> RenderSpec:
    return RenderSpec(person, replace(standard_look(person, age, SEED), **look), shot or portrait_shot(SEED))


def _couple() -> Row:
    return [_portraits(one, PARENT_AGE, [role])[0] for one, role in zip(couple(), ("father", "mother"), strict=True)]


def _siblings() -> Row:
    sexes = siblings().sex[:NUM_SHOWN]
    words = ["son" if sex == MALE else "daughter" for sex in sexes]
    return _portraits(siblings(), CHILD_AGE, [f"{number}: {word}" for number, word in enumerate(words, 1)])


def _epistasis() -> Row:
    """Epistasis: black hair hides red hair."""
    row = []
    for black in (0, 1):
        for red in (0, 1, 2):
            person = phenotypes(with_copies(base_genome(), hair_deep=1, hair_black=black, hair_red=red)).person(0)
            row.append((f"{black} black, {red} red: {person.traits.hair_colour}", _portrait(person)))
    return row


# ---------------------------------------------------------------------------------------------------- what can vary
def _populations() -> Row:
    row = []
    for number, home in enumerate(POPULATIONS):
        people = phenotypes(founders(home, 2, np.random.default_rng([COUPLE_SEED, 44, number])).with_sex([0, 1]))
        row += [(f"{home} {sign}", _portrait(people.person(i))) for i, sign in enumerate("♀♂")]
    return row


@lru_cache(maxsize=4)
def _model(sex: str = "female", coil: int = 0) -> Person:
    """The person of all rows in which only looks or shots change."""
    genome = with_copies(base_genome(), hair_deep=1, iris_dark=1, hair_coil=coil).with_sex([SEXES.index(sex)])
    return phenotypes(genome).person(0)


COILED = {"afro": 2, "braids": 2, "curly": 1}
MENS = ("bald", "receding", "buzz", "short", "side", "crop")


def _hair_styles() -> Row:
    def wear(style: str) -> RenderSpec:
        person = _model("male" if style in MENS else "female", COILED.get(style, 0))
        return _portrait(person, 45.0 if style == "receding" else ADULT, hair_style=style, fringe=style == "crop")

    return [(style, wear(style)) for style in HAIR_STYLES]


def _expressions() -> Row:
    shots = {kind: random_expression(np.random.default_rng([SEED, 45]), ADULT, kind) for kind in EXPRESSIONS}
    return [
        (kind, _portrait(_model(), shot=replace(portrait_shot(SEED), expression=shape, width=22.0, shift=(0.0, 0.2))))
        for kind, shape in shots.items()
    ]


def _poses() -> Row:
    turns = [("yaw", -45), ("yaw", -20), ("yaw", 20), ("yaw", 45), ("pitch", -15), ("pitch", 15), ("roll", 15)]
    return [
        (f"{axis} {angle:+d}°", _portrait(_model(), shot=replace(portrait_shot(SEED), **{axis: float(angle)})))
        for axis, angle in turns
    ]


def _lights() -> Row:
    def lit(kind: str) -> Shot:
        return replace(portrait_shot(SEED), light=random_light(np.random.default_rng([SEED, 46]), kind))

    return [(kind, _portrait(_model("male"), shot=lit(kind))) for kind in LIGHTS]


def _backgrounds() -> Row:
    lights = {"plain": "studio", "gradient": "studio", "room": "lamps", "garden": "overcast", "street": "sun"}

    def at(place: str, light: str) -> Shot:
        lamp = random_light(np.random.default_rng([SEED, 47]), light)
        return replace(portrait_shot(SEED), background=place, light=lamp, width=32.0)

    return [(place, _portrait(_model(), shot=at(place, light))) for place, light in lights.items()]


def _worn() -> Row:
    frames = Glasses()
    worn = {
        "glasses": {"glasses": frames},
        "dark glasses": {"glasses": replace(frames, tint=0.85)},
        "cap": {"hat": "cap", "hair_style": "ponytail"},
        "beanie": {"hat": "beanie"},
        "earrings": {"earrings": True, "hair_style": "bun"},
        "necklace": {"necklace": True, "clothes": "v-neck", "hair_style": "bun"},
        "lipstick": {"lipstick": 0.8},
    }
    return [(name, _portrait(_model(), **look)) for name, look in worn.items()]


def _beards() -> Row:
    man = _model("male")
    man = replace(man, traits=replace(man.traits, beard=0.85))
    return [("shaven" if beard == "none" else beard, _portrait(man, beard=beard)) for beard in BEARDS]


def _clothes() -> Row:
    shot = replace(portrait_shot(SEED), width=32.0, shift=(0.0, 4.5))
    return [(name, _portrait(_model("male"), shot=shot, clothes=name)) for name in CLOTHES]


# -------------------------------------------------------------------------------------------------- beyond its range
def _limits() -> Row:
    """Inputs outside the range that the renderer was made for."""
    woman, shot = _model(), portrait_shot(SEED)
    far = replace(woman, traits=replace(woman.traits, shape=4 * woman.traits.shape))
    stretched = np.full_like(woman.traits.proportions, 4.0)
    odd = replace(woman, traits=replace(woman.traits, proportions=stretched))
    return [
        ("shape modes × 4", _portrait(far, hair_style="bun")),
        ("all proportions +4 sd", _portrait(odd, hair_style="bun")),
        ("eyes turned too far", _portrait(woman, shot=replace(shot, gaze=(3.0, 0.0)))),
        ("a beard for a woman", _portrait(woman, hair_style="short", beard="full")),
        ("asked for age 1", _portrait(woman, age=1.0, hair_style="long")),
    ]


COMPARISONS: dict[str, Comparison] = {
    "couple": Comparison("a couple", _couple),
    "siblings": Comparison("eight of their children", _siblings),
    "epistasis": Comparison("copies of the black and of the red allele", _epistasis),
    "populations": Comparison("populations", _populations),
    "hair_styles": Comparison("hair styles", _hair_styles),
    "beards": Comparison("beards", _beards),
    "expressions": Comparison("expressions", _expressions),
    "poses": Comparison("poses", _poses),
    "lights": Comparison("lights", _lights),
    "backgrounds": Comparison("backgrounds", _backgrounds),
    "worn": Comparison("worn", _worn),
    "clothes": Comparison("clothes", _clothes),
    "limits": Comparison("beyond its range", _limits),
}
