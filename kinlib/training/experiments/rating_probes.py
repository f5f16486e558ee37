"""Renders in which one thing changes, to see what a network of ratings reacts to, and whether raters would.

Each person is rendered once plainly (thirty years old, frontal, soft light, slight smile, no make-up). Then one thing
changes at a time: what raters were told to like (`LIKED`), in steps, or what no rater reacts to (`IGNORED`), drawn as
often as it varies in a set of renders. People are held out from training.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kinlib.attractiveness.raters import ASYMMETRIC_MODES, FAVOURITE_AGE
from kinlib.studio.appearance.light import random_light
from kinlib.studio.appearance.looks import portrait_shot, random_look, random_shot, standard_look
from kinlib.studio.appearance.shots import random_expression
from kinlib.studio.datasets.encoding import array_to_jpeg
from kinlib.studio.datasets.renders import HELD_OUT_EVERY
from kinlib.studio.datasets.sampling import member, member_genome
from kinlib.studio.genetics.populations import POPULATIONS
from kinlib.studio.person import Look, Person, Shot
from kinlib.studio.render import prepare_subject, render_shot

__all__ = ["BASE", "IGNORED", "LIKED", "Probe", "probes_of", "render_probes"]

BASE = "as is"
LIKED = ("smile", "age", "evenness", "symmetry", "averageness")
IGNORED = ("light", "camera", "make-up", "hair, beard, glasses, clothes", "skin tone")
DRAWS = 4  # of each that no rater reacts to, and of the expression
SMILES, AGES, FRECKLES = (0.0, 0.45, 0.9), (20.0, 45.0, 60.0, 75.0), (0.0, 0.8)
FACTORS = (0.0, 1.6)  # on a person's own asymmetry, and on the distance of proportions from the mean
LIPSTICK = (0.4, 0.8)
SKIN_TONES = (0.1, 0.4, 0.8)  # melanin
SIZE, QUALITY = 128, 93


@dataclass(frozen=True)
class Probe:
    """What is rendered: the factor that changed, its value (a number, or which draw), and the renderer's arguments."""

    factor: str
    value: float
    person: Person
    look: Look
    shot: Shot


def render_probes(people: int, seed: int = 1) -> pd.DataFrame:
    """One row a picture: person, population, factor, value, image (JPEG), and what `raters.facts` takes.

    Args:
        people: how many, the first of a set's held-out people.
        seed: of the set.
    """
    rows = []
    for number in range(0, people * HELD_OUT_EVERY, HELD_OUT_EVERY):
        person = member(seed, number)
        home = POPULATIONS[int(member_genome(seed, number).ancestry[0].argmax())]
        for probe in probes_of(person, np.random.default_rng([seed, number, 22])):
            picture = render_shot(prepare_subject(probe.person, probe.look, SIZE), probe.shot, SIZE, "ffhq")
            row = {name: picture.attributes[name] for name in ("age", "smile", "freckles", "male", "lipstick")}
            row |= {"identity": probe.person.traits.shape, "proportions": probe.person.traits.proportions}
            row |= {"image": array_to_jpeg(picture.image, QUALITY), "factor": probe.factor, "value": probe.value}
            rows.append({"person": number, "population": home} | row)
    return pd.DataFrame(rows)


def probes_of(person: Person, rng: np.random.Generator) -> Iterator[Probe]:
    """The plain picture of a person first, then every change."""
    look, shot = standard_look(person, FAVOURITE_AGE, rng), portrait_shot(int(rng.integers(1000)))
    yield Probe(BASE, 0.0, person, look, shot)
    for value in SMILES:
        expression = shot.expression | {"mouthSmile_L": value, "mouthSmile_R": value}
        yield Probe("smile", value, person, look, replace(shot, expression=expression))
    for value in AGES:
        yield Probe("age", value, person, standard_look(person, value, 0), shot)
    for name, values in (("evenness", FRECKLES), ("symmetry", FACTORS), ("averageness", FACTORS)):
        for value in values:
            yield Probe(name, value, _changed(person, name, value), look, shot)
    for draw in range(DRAWS):
        yield Probe("light", draw, person, look, replace(shot, light=random_light(rng)))
        freely = random_shot(rng)
        yield Probe("camera", draw, person, look, replace(shot, yaw=freely.yaw, pitch=freely.pitch, gaze=freely.gaze))
        other = replace(random_look(person, FAVOURITE_AGE, rng), lipstick=0.0)
        yield Probe("hair, beard, glasses, clothes", draw, person, other, shot)
        yield Probe("expression", draw, person, look, replace(shot, expression=random_expression(rng)))
    for value in LIPSTICK if not person.male else ():
        yield Probe("make-up", value, person, replace(look, lipstick=value), shot)
    for value in SKIN_TONES:
        yield Probe("skin tone", value, _changed(person, "skin tone", value), look, shot)


def _changed(person: Person, name: str, value: float) -> Person:
    """The same person with other freckles or melanin, or `value` times the own asymmetry or distance from the mean."""
    traits = person.traits
    if name == "skin tone":
        return replace(person, traits=replace(traits, melanin=value))
    if name == "evenness":
        return replace(person, traits=replace(traits, freckles=value))
    if name == "averageness":
        return replace(person, traits=replace(traits, proportions=traits.proportions * np.float32(value)))
    shape = traits.shape.copy()
    shape[list(ASYMMETRIC_MODES)] *= value
    return replace(person, traits=replace(traits, shape=shape))
