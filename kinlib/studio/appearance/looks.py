"""Random looks by age and sex: hair style, beard, glasses, make-up, clothes.

Frequencies were set by hand so that a set of pictures resembles family albums; none is a measurement. Lifelong
properties (thinning and greying of the hair) follow from the person's seed, so that looks at several ages are
consistent.
"""

import numpy as np

from kinlib.studio.appearance.shots import portrait_shot, random_shot
from kinlib.studio.genetics import POPULATIONS, founders, phenotypes
from kinlib.studio.person import Glasses, Look, Person

__all__ = ["grey_share", "random_glasses", "random_look", "random_person", "standard_look", "thinning"]
__all__ += ["portrait_shot", "random_shot"]

ADULT, GROWN = 16.0, 19.0  # years: from here make-up and jewellery; from here beards

Shares = dict[str, float]  # relative frequencies by name


def random_person(rng: np.random.Generator) -> Person:
    """A founder of a random population."""
    return phenotypes(founders(str(rng.choice(POPULATIONS)), 1, rng)).person(0)


def grey_share(person: Person, age: float) -> float:
    """Grey share of the hair at an age in years, 0..1; it begins at 43 +- 6.5 years."""
    begin, years = _life(person).normal([43, 26], [6.5, 5])
    return float(np.clip((age - np.clip(begin, 30, 58)) / np.clip(years, 15, 40), 0, 1) ** 1.2)


def thinning(person: Person, age: float) -> float:
    """Recession of the hairline at an age in years, 0..2; very little in women."""
    tendency = _life(person).random(4)[3] ** 1.5 * (2.2 if person.male else 0.3)
    return float(np.clip((age - 20) / 40, 0, 1.2) * min(tendency, 1.65))


def _life(person: Person) -> np.random.Generator:
    """The generator of a person's lifelong random properties."""
    return np.random.default_rng([person.seed, 29])


def random_look(person: Person, age: float, rng: np.random.Generator) -> Look:
    """A random look of a person at an age in years."""
    style = _hair_style(person, age, rng)
    hat = _hat(person, age, rng)
    worn = _pick(rng, _clothes(person, age))
    woman = not person.male and age >= ADULT
    bare_neck = worn in ("t-shirt", "v-neck")
    return Look(
        age=float(age),
        hair_style=style,
        **_hair(person, age, style, rng),
        **_beard(person, age, rng),
        glasses=random_glasses(age, rng) if rng.random() < np.interp(age, *GLASSES_BY_AGE) else None,
        hat=hat,
        hat_colour=_colour(rng, CLOTH_COLOURS, age),
        earrings=bool(rng.random() < _by_sex(person, age, 0.45, 0.2, 0.03)),
        necklace=bool(bare_neck and rng.random() < _by_sex(person, age, 0.45, 0.12, 0.06)),
        lipstick=float(rng.uniform(0.25, 0.85)) if woman and rng.random() < 0.42 else 0.0,
        lip_colour=_lip_colour(person, rng),
        clothes=worn,
        clothes_colour=_colour(rng, SHIRT_COLOURS if worn == "collar" else CLOTH_COLOURS, age),
        seed=int(rng.integers(2**31)),
    )


def standard_look(person: Person, age: float, rng: np.random.Generator | int = 0) -> Look:
    """A plain look for portraits: a simple hair style for sex and age, no accessories; from a generator or a seed."""
    rng = rng if isinstance(rng, np.random.Generator) else np.random.default_rng([rng, 31])
    coiled, curly = person.traits.hair_curl > 0.75, person.traits.hair_curl > 0.5
    if person.male:
        style = "receding" if thinning(person, age) > 1.5 else "buzz" if coiled else "crop" if age < 12 else "short"
    else:
        style = "afro" if coiled else "curly" if curly else "long" if age < 45 else "bob"
    return Look(
        age=float(age),
        hair_style=style,
        volume=0.9,
        part=-2.0,
        recede=thinning(person, age),
        grey=grey_share(person, age),
        shadow=0.25 * person.traits.beard if person.male and age > GROWN else 0.0,
        clothes="crew",
        clothes_colour=CLOTH_COLOURS[rng.integers(len(CLOTH_COLOURS))],
        seed=int(rng.integers(2**31)),
    )


def _pick(rng: np.random.Generator, shares: Shares) -> str:
    """A key drawn by its share; shares need not sum to 1."""
    weights = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def _by_sex(person: Person, age: float, woman: float, girl: float, male: float) -> float:
    """A probability by sex and age; 0 for boys."""
    if person.male:
        return male if age >= ADULT else 0.0
    return woman if age >= ADULT else girl


# ------------------------------------------------------------------------------------------------------------- hair
def _hair_style(person: Person, age: float, rng: np.random.Generator) -> str:
    """A hair style by sex, age, curl and thinning."""
    curl, thin = person.traits.hair_curl, thinning(person, age)
    texture = "coiled" if curl > 0.75 else "curly" if curl > 0.5 else "straight"
    if not person.male:
        group = "girl" if age < 14 else "elder" if age > 62 else "woman"
        return _pick(rng, FEMALE[group][texture])
    if thin > 1.3 and rng.random() < 0.75:
        return _pick(rng, {"receding": 0.65, "bald": 0.2, "buzz": 0.15})
    return _pick(rng, MALE["boy" if age < 14 else "man"][texture])


MALE: dict[str, dict[str, Shares]] = {
    "boy": {
        "straight": {"crop": 0.40, "short": 0.30, "side": 0.18, "buzz": 0.07, "mid": 0.05},
        "curly": {"curly": 0.35, "crop": 0.25, "short": 0.30, "buzz": 0.10},
        "coiled": {"buzz": 0.45, "afro": 0.35, "short": 0.20},
    },
    "man": {
        "straight": {"short": 0.38, "side": 0.27, "crop": 0.12, "buzz": 0.12, "mid": 0.04, "back": 0.05, "bald": 0.02},
        "curly": {"short": 0.38, "curly": 0.24, "side": 0.12, "buzz": 0.18, "crop": 0.05, "bald": 0.03},
        "coiled": {"buzz": 0.52, "afro": 0.20, "short": 0.16, "bald": 0.08, "braids": 0.04},
    },
}
FEMALE: dict[str, dict[str, Shares]] = {
    "girl": {
        "straight": {
            "long": 0.26,
            "ponytail": 0.26,
            "bob": 0.14,
            "mid": 0.12,
            "braids": 0.12,
            "wavy": 0.06,
            "bun": 0.04,
        },
        "curly": {"curly": 0.32, "ponytail": 0.26, "wavy": 0.20, "braids": 0.12, "bun": 0.10},
        "coiled": {"braids": 0.36, "afro": 0.34, "bun": 0.18, "ponytail": 0.12},
    },
    "woman": {
        "straight": {
            **{"long": 0.28, "wavy": 0.16, "bob": 0.17, "mid": 0.13, "ponytail": 0.10, "bun": 0.07},
            **{"back": 0.03, "side": 0.03, "short": 0.03},
        },
        "curly": {"curly": 0.32, "wavy": 0.34, "ponytail": 0.12, "bun": 0.12, "mid": 0.06, "short": 0.04},
        "coiled": {"afro": 0.34, "braids": 0.28, "bun": 0.18, "ponytail": 0.06, "buzz": 0.05, "curly": 0.09},
    },
    "elder": {
        "straight": {"bob": 0.32, "short": 0.20, "mid": 0.18, "side": 0.10, "wavy": 0.08, "bun": 0.08, "long": 0.04},
        "curly": {"curly": 0.40, "short": 0.24, "bob": 0.16, "bun": 0.10, "wavy": 0.10},
        "coiled": {"afro": 0.44, "bun": 0.20, "braids": 0.16, "buzz": 0.10, "curly": 0.10},
    },
}
FRINGED = ("long", "bob", "mid", "wavy", "ponytail")
DYED = 0.4  # share of women who dye their hair, up to 72 years


def _hair(person: Person, age: float, style: str, rng: np.random.Generator) -> dict:
    """Length, volume, parting, fringe, hairline and grey."""
    fringe = 0.35 if age < 13 else 0.2
    dyed = not person.male and age < 72 and rng.random() < DYED
    return {
        "hair_length": float(rng.uniform(0.8, 1.25)),
        "volume": float(np.clip(0.8 + 0.35 * person.traits.hair_curl + rng.normal() * 0.15, 0.6, 1.4)),
        "part": float(rng.choice([-2.5, 0.0, 2.5], p=[0.45, 0.25, 0.30]) + rng.normal() * 0.4),
        "fringe": bool(style == "crop" or (style in FRINGED and rng.random() < fringe)),
        "recede": thinning(person, age),
        "grey": grey_share(person, age) * (0.1 if dyed else 1.0),
    }


def _beard(person: Person, age: float, rng: np.random.Generator) -> dict:
    """A beard, if the traits allow one, and the visibility of a shaven one."""
    density = person.traits.beard if person.male else 0.0
    shadow = density * float(np.interp(age, [15, 21], [0.0, 1.0])) * float(rng.uniform(0.1, 0.6))
    if not person.male or age < GROWN or density < 0.2:
        return {"beard": "none", "shadow": shadow}
    wish = {"none": 0.50, "stubble": 0.20, "full": 0.26 * density, "goatee": 0.07, "moustache": 0.05}
    return {"beard": _pick(rng, wish), "shadow": shadow}


# ------------------------------------------------------------------------------------------------------ accessories
GLASSES_BY_AGE = ([3, 12, 18, 40, 50, 65, 90], [0.04, 0.10, 0.16, 0.20, 0.34, 0.48, 0.52])
FRAMES = (
    (0.06, 0.06, 0.07),
    (0.06, 0.06, 0.07),
    (0.24, 0.14, 0.08),
    (0.50, 0.45, 0.36),
    (0.12, 0.16, 0.26),
    (0.40, 0.40, 0.42),
)
CHILD_FRAMES = ((0.12, 0.22, 0.42), (0.45, 0.14, 0.18), (0.10, 0.10, 0.12), (0.35, 0.20, 0.38))


def random_glasses(age: float, rng: np.random.Generator) -> Glasses:
    """Glasses for somebody of an age in years; one pair in thirty of adults has dark lenses."""
    frames = CHILD_FRAMES if age < 12 else FRAMES
    thin = rng.random() < 0.4
    return Glasses(
        width=float(rng.uniform(2.35, 2.7)),
        height=float(rng.uniform(1.6, 2.1)),
        roundness=float(rng.choice([2.1, 2.6, 3.2, 3.9])),
        rim=float(rng.uniform(0.06, 0.075) if thin else rng.uniform(0.09, 0.14)),
        colour=frames[rng.integers(len(frames))],
        tint=float(rng.uniform(0.6, 0.9)) if age > 14 and rng.random() < 0.03 else 0.0,
    )


def _hat(person: Person, age: float, rng: np.random.Generator) -> str | None:
    if rng.random() >= 0.05:
        return None
    return _pick(rng, {"beanie": 0.55 if age < 60 else 0.4, "cap": 0.5 if person.male or age < 14 else 0.25})


def _lip_colour(person: Person, rng: np.random.Generator) -> tuple[float, float, float]:
    """A lip colour, deeper on darker skin."""
    colour = np.array(LIP_COLOURS[rng.integers(len(LIP_COLOURS))]) * (1 - 0.4 * person.traits.melanin)
    return tuple(float(channel) for channel in colour)


# ---------------------------------------------------------------------------------------------------------- clothes
LIP_COLOURS = ((0.66, 0.22, 0.25), (0.72, 0.36, 0.37), (0.55, 0.17, 0.22), (0.76, 0.42, 0.40), (0.62, 0.30, 0.36))
CLOTH_COLOURS = (
    *((0.16, 0.19, 0.27), (0.13, 0.13, 0.14), (0.38, 0.39, 0.41), (0.60, 0.60, 0.59), (0.78, 0.76, 0.72)),
    *((0.29, 0.37, 0.47), (0.42, 0.50, 0.58), (0.25, 0.33, 0.28), (0.43, 0.46, 0.36), (0.48, 0.21, 0.22)),
    *((0.55, 0.35, 0.28), (0.62, 0.52, 0.40), (0.40, 0.31, 0.25), (0.36, 0.27, 0.36), (0.60, 0.44, 0.45)),
    *((0.68, 0.60, 0.42), (0.24, 0.38, 0.42), (0.52, 0.56, 0.60)),
)
CHILD_COLOURS = (
    *((0.66, 0.24, 0.24), (0.28, 0.44, 0.62), (0.78, 0.64, 0.30), (0.34, 0.52, 0.40), (0.76, 0.52, 0.56)),
    *((0.52, 0.42, 0.62), (0.44, 0.62, 0.66), (0.80, 0.78, 0.74), (0.82, 0.52, 0.32)),
)
SHIRT_COLOURS = (
    *((0.78, 0.79, 0.80), (0.62, 0.71, 0.80), (0.70, 0.72, 0.76), (0.76, 0.70, 0.70), (0.28, 0.34, 0.44)),
    *((0.42, 0.48, 0.44), (0.20, 0.21, 0.24), (0.74, 0.70, 0.62), (0.50, 0.32, 0.32)),
)


def _clothes(person: Person, age: float) -> Shares:
    if age < 14:
        return {"t-shirt": 0.45, "crew": 0.22, "hoodie": 0.22, "collar": 0.08, "v-neck": 0.03}
    old = float(np.interp(age, [20, 70], [0, 1]))
    if person.male:
        return {
            "t-shirt": 0.34 - 0.2 * old,
            "crew": 0.18,
            "v-neck": 0.08,
            "collar": 0.26 + 0.3 * old,
            "hoodie": 0.14 * (1 - old),
        }
    return {
        "t-shirt": 0.36 - 0.12 * old,
        "crew": 0.2,
        "v-neck": 0.2,
        "collar": 0.16 + 0.1 * old,
        "hoodie": 0.10 * (1 - old),
    }


def _colour(rng: np.random.Generator, palette: tuple, age: float) -> tuple[float, float, float]:
    """A colour of a palette with random lightness and hue; children get brighter ones."""
    palette = CHILD_COLOURS if age < 13 and rng.random() < 0.7 else palette
    colour = np.clip(
        np.array(palette[rng.integers(len(palette))]) + rng.normal() * 0.03 + rng.normal(size=3) * 0.012, 0.05, 0.82
    )
    return tuple(float(channel) for channel in colour)
