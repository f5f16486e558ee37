"""Controlled variations of one woman: one allele, one polygenic trait, age or sex changes; all else is constant.

The woman has no allele of the loci with dominance and no environmental noise, so that each allele is visible by itself.
Variations of a locus are framed on the feature that it affects: the eyes, the chin, an ear.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from kinlib.studio.appearance.looks import portrait_shot, standard_look
from kinlib.studio.genetics import Genomes, breeding_values, founders, load_architecture, phenotypes
from kinlib.studio.genetics.populations import LOCI
from kinlib.studio.person import SEXES, Look, Person, Shot

__all__ = ["VARIATIONS", "RenderSpec", "Variation", "base_genome", "strongest_locus", "with_copies", "with_liability"]

BASE_POPULATION, BASE_SEED = "birch", 14
SEED = 3  # of clothes and background
ADULT = 27.0  # years
STEPS = tuple(np.arange(-2.0, 2.5, 0.5).tolist())  # standard deviations
AGES = (4.0, 7.0, 10.0, 14.0, 18.0, 25.0, 35.0, 50.0, 65.0, 80.0)  # years
FINE_STEP, FINE_AGE = 0.1, 1.0  # of variations that are rendered at every position, in their unit
# Traits that are shown with this liability (standard deviations), so that the allele is visible.
STRENGTHENED, STRONG = ("freckles", "cleft_chin"), 2.5


@dataclass(frozen=True)
class RenderSpec:
    """Arguments of `render`, and the varied trait in words."""

    person: Person
    look: Look
    shot: Shot
    words: str = ""


@dataclass(frozen=True)
class Variation:
    """One thing that varies.

    Attributes:
        title: what varies, in words.
        unit: of its values: "copies", "standard deviations", "years", or "" for a choice.
        values: the bundled positions, ascending.
        spec: from a value to the arguments of `render`.
        fine: step between positions where every position can be rendered; None if only `values` exist.
    """

    title: str
    unit: str
    values: tuple[float, ...]
    spec: Callable[[float], RenderSpec]
    fine: float | None = None

    def positions(self) -> tuple[float, ...]:
        """All positions where every picture can be rendered."""
        if self.fine is None:
            return self.values
        count = round((self.values[-1] - self.values[0]) / self.fine) + 1
        return tuple(np.round(np.linspace(self.values[0], self.values[-1], count), 6).tolist())

    def label(self, value: float) -> str:
        """The caption of a picture."""
        words = self.spec(value).words
        number = f"{value:+g} sd" if self.unit == "standard deviations" else f"{value:g} {self.unit}".strip()
        if value == 1:
            number = number.replace("copies", "copy")
        return ": ".join(filter(None, (number if self.unit else "", words)))


# --------------------------------------------------------------------------------------------------------- the woman
@lru_cache(maxsize=1)
def base_genome() -> Genomes:
    """Genome of the woman: no allele of the loci with dominance, no environmental noise."""
    woman = founders(BASE_POPULATION, 1, np.random.default_rng([BASE_SEED, 41])).with_sex([SEXES.index("female")])
    plain = with_copies(woman, **dict.fromkeys((locus.name for locus in LOCI), 0))
    return replace(plain, noise=np.zeros_like(plain.noise))


def with_copies(genomes: Genomes, **copies: int) -> Genomes:
    """The same people with 0, 1 or 2 copies of the named loci's alleles; a single copy is the father's."""
    alleles = genomes.alleles.copy()
    for locus, number in copies.items():
        genomes.copies(locus)  # raises for an unknown name
        alleles[:, :, genomes.architecture.locus[locus]] = np.arange(2) < int(number)
    return replace(genomes, alleles=alleles)


@lru_cache
def strongest_locus(trait: str) -> str:
    """Name of the locus with the largest effect on a polygenic trait, those with dominance excluded."""
    architecture = load_architecture()
    effects = np.abs(architecture.effects[:, architecture.trait[trait]])
    major = {locus.name for locus in LOCI}
    return next(architecture.loci[i] for i in np.argsort(-effects) if architecture.loci[i] not in major)


# ------------------------------------------------------------------------------------------------------- framing
FACE: dict = {}
CLOSE = {"width": 22.0, "shift": (0.0, 0.2)}
EYES = {"width": 12.0, "shift": (0.0, -0.8)}
CHEEKS = {"width": 16.0, "shift": (0.0, 1.6)}
CHIN = {"width": 11.0, "shift": (0.0, 7.8), "expression": {}}
EAR = {"width": 11.0, "shift": (3.0, 2.8), "yaw": 34.0, "expression": {}}


def _spec(person: Person, view: Mapping, words: str = "", **look) -> RenderSpec:
    """An adult in studio light, framed by `view` (fields of `Shot`); `look` replaces fields of `Look`."""
    return RenderSpec(
        person, replace(standard_look(person, ADULT, SEED), **look), replace(portrait_shot(SEED), **view), words
    )


# --------------------------------------------------------------------------------------------------------------- loci
def _locus(locus: str, title: str, view: Mapping, says: Callable[[Person], str], **look) -> Variation:
    """Copies of one allele. The liabilities of freckles and a cleft chin are raised, so that the allele is visible."""

    def spec(value: float) -> RenderSpec:
        others = {"hair_deep": 1} if locus == "hair_red" else {}
        genome = with_copies(base_genome(), **others, **{locus: int(value)})
        person = with_liability(genome, locus, STRONG) if locus in STRENGTHENED else phenotypes(genome).person(0)
        return _spec(person, view, says(person), **look)

    return Variation(title, "copies", (0.0, 1.0, 2.0), spec)


def _strongest(trait: str, title: str) -> Variation:
    """Copies of the allele with the largest effect on a polygenic trait."""

    def spec(value: float) -> RenderSpec:
        person = phenotypes(with_copies(base_genome(), **{strongest_locus(trait): int(value)})).person(0)
        return _spec(person, CLOSE, _number(trait, trait)(person), hair_style="bun")

    return Variation(title, "copies", (0.0, 1.0, 2.0), spec)


def _iris(person: Person) -> str:
    return person.traits.iris


def _hair(person: Person) -> str:
    return person.traits.hair_colour


def _number(name: str, word: str) -> Callable[[Person], str]:
    return lambda person: f"{word} {getattr(person.traits, name):.2f}".strip()


def _lobes(person: Person) -> str:
    return "free" if person.traits.free_lobes else "attached"


# --------------------------------------------------------------------------------------- polygenic traits, age, sex
def _polygenic(trait: str, title: str) -> Variation:
    """A liability, in standard deviations of all populations pooled."""
    dark = {"iris_dark": 1, "hair_black": 1, "hair_deep": 1} if trait == "melanin" else {}

    def spec(value: float) -> RenderSpec:
        return _spec(with_liability(with_copies(base_genome(), **dark), trait, value), CLOSE, hair_style="bun")

    return Variation(title, "standard deviations", STEPS, spec, FINE_STEP)


def with_liability(genomes: Genomes, trait: str, value: float) -> Person:
    """The person whose liability for one trait is `value`; the environmental noise is set to make up the difference."""
    index, noise = genomes.architecture.trait[trait], genomes.noise.copy()
    noise[:, index] = (value - breeding_values(genomes)[:, index]) / genomes.architecture.environment[index]
    return phenotypes(replace(genomes, noise=noise)).person(0)


def _age(sex: str) -> Variation:
    def spec(value: float) -> RenderSpec:
        person = phenotypes(base_genome().with_sex([SEXES.index(sex)])).person(0)
        return RenderSpec(person, standard_look(person, value, SEED), portrait_shot(SEED))

    return Variation(f"age ({sex})", "years", AGES, spec, FINE_AGE)


def _sex() -> Variation:
    def spec(value: float) -> RenderSpec:
        person = phenotypes(base_genome().with_sex([int(value)])).person(0)
        return _spec(person, CLOSE, SEXES[int(value)], hair_style="short")

    return Variation("sex, under the same hair", "", (0.0, 1.0), spec)


VARIATIONS: dict[str, Variation] = {
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
