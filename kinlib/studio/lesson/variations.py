"""What can be turned by hand: one allele, one polygenic trait, age or sex, everything else staying as it is.

A dial shows one woman of the studio's. All loci with dominance are set to 0 in her, so that each of them shows when it
is turned alone, and chance at birth is left out. Dials of loci show where the allele shows: the eyes, the chin, an ear.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from kinlib.studio.appearance.looks import portrait_shot, standard_look
from kinlib.studio.genetics import Genomes, breeding_values, founders, load_architecture, phenotypes
from kinlib.studio.genetics.populations import LOCI
from kinlib.studio.person import SEXES, Look, Person, Shot

__all__ = ["DIALS", "Dial", "Sitting", "base_genome", "strongest_locus", "with_copies"]

BASE_POPULATION, BASE_SEED = "birch", 14
SEED = 3  # of clothes and paper
ADULT = 27.0  # years
STEPS = tuple(np.arange(-2.0, 2.5, 0.5).tolist())  # standard deviations
AGES = (4.0, 7.0, 10.0, 14.0, 18.0, 25.0, 35.0, 50.0, 65.0, 80.0)  # years
FINE_STEP, FINE_AGE = 0.1, 1.0  # of dials that are drawn anew for every position
STRENGTHENED, STRONG = ("freckles", "cleft_chin"), 2.5  # liabilities, standard deviations


@dataclass(frozen=True)
class Sitting:
    """All that `render` needs, and what a genome or a dial gave in words."""

    person: Person
    look: Look
    shot: Shot
    words: str = ""


@dataclass(frozen=True)
class Dial:
    """One thing that can be turned.

    Attributes:
        title: what it is, in words.
        unit: of its values: "copies", "standard deviations", "years", or "" for a choice.
        values: the bundled positions, ascending.
        sit: from a value to what is photographed.
        fine: step between the positions of a dial that draws anew; None if there are none in between.
    """

    title: str
    unit: str
    values: tuple[float, ...]
    sit: Callable[[float], Sitting]
    fine: float | None = None

    def positions(self) -> tuple[float, ...]:
        """All positions of the dial where every picture can be drawn."""
        if self.fine is None:
            return self.values
        count = round((self.values[-1] - self.values[0]) / self.fine) + 1
        return tuple(np.round(np.linspace(self.values[0], self.values[-1], count), 6).tolist())

    def label(self, value: float) -> str:
        """What is written below a picture."""
        words = self.sit(value).words
        number = f"{value:+g} sd" if self.unit == "standard deviations" else f"{value:g} {self.unit}".strip()
        if value == 1:
            number = number.replace("copies", "copy")
        return ": ".join(filter(None, (number if self.unit else "", words)))


# --------------------------------------------------------------------------------------------------------- the woman
@lru_cache(maxsize=1)
def base_genome() -> Genomes:
    """The woman on whom dials are turned: no allele with dominance, no chance at birth."""
    woman = founders(BASE_POPULATION, 1, np.random.default_rng([BASE_SEED, 41])).with_sex([SEXES.index("female")])
    plain = with_copies(woman, **dict.fromkeys((locus.name for locus in LOCI), 0))
    return replace(plain, noise=np.zeros_like(plain.noise))


def with_copies(genomes: Genomes, **copies: int) -> Genomes:
    """The same people with 0, 1 or 2 copies of the named loci's alleles; a single copy is the father's."""
    alleles = genomes.alleles.copy()
    for locus, number in copies.items():
        genomes.copies(locus)  # refuses a name that is none
        alleles[:, :, genomes.architecture.locus[locus]] = np.arange(2) < int(number)
    return replace(genomes, alleles=alleles)


@lru_cache
def strongest_locus(trait: str) -> str:
    """Name of the locus with the largest effect on a polygenic trait, those with dominance left aside."""
    architecture = load_architecture()
    effects = np.abs(architecture.effects[:, architecture.trait[trait]])
    major = {locus.name for locus in LOCI}
    return next(architecture.loci[i] for i in np.argsort(-effects) if architecture.loci[i] not in major)


# ------------------------------------------------------------------------------------------------------- where to look
FACE: dict = {}
CLOSE = {"width": 22.0, "shift": (0.0, 0.2)}
EYES = {"width": 12.0, "shift": (0.0, -0.8)}
CHEEKS = {"width": 16.0, "shift": (0.0, 1.6)}
CHIN = {"width": 11.0, "shift": (0.0, 7.8), "expression": {}}
EAR = {"width": 11.0, "shift": (3.0, 2.8), "yaw": 34.0, "expression": {}}


def _sitting(person: Person, view: Mapping, words: str = "", **look) -> Sitting:
    """An adult in the studio's light, framed as the view says."""
    return Sitting(
        person, replace(standard_look(person, ADULT, SEED), **look), replace(portrait_shot(SEED), **view), words
    )


# --------------------------------------------------------------------------------------------------------------- loci
def _locus(locus: str, title: str, view: Mapping, says: Callable[[Person], str], **look) -> Dial:
    """A dial for the copies of one allele. Freckles and a cleft are made strong, so that they can be seen."""

    def sit(value: float) -> Sitting:
        others = {"hair_deep": 1} if locus == "hair_red" else {}
        genome = with_copies(base_genome(), **others, **{locus: int(value)})
        person = with_liability(genome, locus, STRONG) if locus in STRENGTHENED else phenotypes(genome).person(0)
        return _sitting(person, view, says(person), **look)

    return Dial(title, "copies", (0.0, 1.0, 2.0), sit)


def _strongest(trait: str, title: str) -> Dial:
    """A dial for the locus with the largest effect on a polygenic trait."""

    def sit(value: float) -> Sitting:
        person = phenotypes(with_copies(base_genome(), **{strongest_locus(trait): int(value)})).person(0)
        return _sitting(person, CLOSE, _number(trait, trait)(person), hair_style="bun")

    return Dial(title, "copies", (0.0, 1.0, 2.0), sit)


def _iris(person: Person) -> str:
    return person.traits.iris


def _hair(person: Person) -> str:
    return person.traits.hair_colour


def _number(name: str, word: str) -> Callable[[Person], str]:
    return lambda person: f"{word} {getattr(person.traits, name):.2f}".strip()


def _lobes(person: Person) -> str:
    return "free" if person.traits.free_lobes else "attached"


# --------------------------------------------------------------------------------------- polygenic traits, age, sex
def _polygenic(trait: str, title: str) -> Dial:
    """A dial for a liability, in standard deviations of all people pooled."""
    dark = {"iris_dark": 1, "hair_black": 1, "hair_deep": 1} if trait == "melanin" else {}

    def sit(value: float) -> Sitting:
        return _sitting(with_liability(with_copies(base_genome(), **dark), trait, value), CLOSE, hair_style="bun")

    return Dial(title, "standard deviations", STEPS, sit, FINE_STEP)


def with_liability(genomes: Genomes, trait: str, value: float) -> Person:
    """The person whose liability for one trait is `value`: chance at birth makes up for what the alleles lack."""
    index, noise = genomes.architecture.trait[trait], genomes.noise.copy()
    noise[:, index] = (value - breeding_values(genomes)[:, index]) / genomes.architecture.environment[index]
    return phenotypes(replace(genomes, noise=noise)).person(0)


def _age(sex: str) -> Dial:
    def sit(value: float) -> Sitting:
        person = phenotypes(base_genome().with_sex([SEXES.index(sex)])).person(0)
        return Sitting(person, standard_look(person, value, SEED), portrait_shot(SEED))

    return Dial(f"age ({sex})", "years", AGES, sit, FINE_AGE)


def _sex() -> Dial:
    def sit(value: float) -> Sitting:
        person = phenotypes(base_genome().with_sex([int(value)])).person(0)
        return _sitting(person, CLOSE, SEXES[int(value)], hair_style="short")

    return Dial("sex, under the same hair", "", (0.0, 1.0), sit)


DIALS: dict[str, Dial] = {
    "iris_dark": _locus("iris_dark", "iris: the dark allele (dominant)", EYES, _iris),
    "iris_deep": _locus("iris_deep", "iris: the deep allele (dominant)", EYES, _iris),
    "iris_green": _locus("iris_green", "iris: the green allele (shows without dark)", EYES, _iris),
    "hair_black": _locus("hair_black", "hair: the black allele (dominant)", FACE, _hair),
    "hair_deep": _locus("hair_deep", "hair: the deep allele (dominant)", FACE, _hair),
    "hair_fair": _locus("hair_fair", "hair: the fair allele (recessive)", FACE, _hair),
    "hair_red": _locus("hair_red", "hair: the red allele (recessive)", FACE, _hair),
    "hair_coil": _locus(
        "hair_coil",
        "hair: the coil allele (incompletely dominant)",
        FACE,
        _number("hair_curl", "curl"),
        hair_style="mid",
    ),
    "freckles": _locus("freckles", "freckles (dominant)", CHEEKS, _number("freckles", ""), hair_style="bun"),
    "cleft_chin": _locus("cleft_chin", "cleft chin (dominant)", CHIN, _number("cleft_chin", "depth"), hair_style="bun"),
    "free_lobes": _locus("free_lobes", "free ear lobes (dominant)", EAR, _lobes, hair_style="buzz"),
    "melanin_locus": _strongest("melanin", "skin: the strongest of melanin's many loci"),
    "nose_width": _polygenic("nose_width", "nose width"),
    "lip_fullness": _polygenic("lip_fullness", "fullness of the lips"),
    "jaw_width": _polygenic("jaw_width", "jaw width"),
    "melanin": _polygenic("melanin", "melanin"),
    "age_female": _age("female"),
    "age_male": _age("male"),
    "sex": _sex(),
}
