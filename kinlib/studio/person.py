"""The records that describe a render: inherited traits, appearance at one age, and the settings of one picture.

`Traits` follow from the genome and environmental noise and are constant for life. `Look` is a person's appearance at
one age (hair style, glasses, make-up, clothes); none of it is inherited. `Shot` describes one picture (pose,
expression, light, background). The renderer needs nothing else, so the same person can be rendered at five and at
sixty, and two siblings in the same light.
"""

from dataclasses import dataclass, field

import numpy as np

__all__ = [
    "BEARDS",
    "CLOTHES",
    "HAIR_COLOURS",
    "HAIR_STYLES",
    "HATS",
    "IRIS_COLOURS",
    "NUM_SHAPE",
    "PROPORTIONS",
    "SEXES",
]
__all__ += ["Glasses", "Light", "Look", "Person", "Shot", "Traits"]

NUM_SHAPE = 100  # identity coefficients of the head model (ICT-FaceKit)
SEXES = ("female", "male")

# Named proportions of a face, z-scores over all adults; positive means more of what the name says.
PROPORTIONS = (
    "eye_size",
    "eye_spacing",
    "eye_tilt",  # outer corners higher
    "eye_depth",  # deep-set
    "lid_fold",  # heavier upper lid, inner corner covered
    "brow_height",
    "brow_ridge",
    "forehead_height",
    "forehead_slope",
    "cheekbones",
    "cheek_fullness",
    "nose_length",
    "nose_width",
    "nose_bridge",  # height of the bridge
    "nose_tip",  # turned up
    "mouth_width",
    "lip_fullness",
    "jaw_width",
    "chin_height",
    "chin_projection",
    "face_width",
    "ear_size",
    "ear_projection",
)

# sRGB of hair as a whole in soft light; by eye.
HAIR_COLOURS = {
    "black": (0.10, 0.085, 0.08),
    "dark": (0.20, 0.145, 0.11),
    "brown": (0.33, 0.23, 0.16),
    "light": (0.50, 0.37, 0.25),
    "blond": (0.74, 0.59, 0.40),
    "red": (0.50, 0.24, 0.12),
}
GREY_HAIR = (0.68, 0.67, 0.65)
# sRGB of the iris' middle ring; by eye.
IRIS_COLOURS = {
    "dark": (0.13, 0.07, 0.045),
    "brown": (0.24, 0.12, 0.06),
    "hazel": (0.36, 0.26, 0.12),
    "green": (0.34, 0.36, 0.23),
    "blue": (0.36, 0.45, 0.53),
    "grey": (0.45, 0.50, 0.53),
}

HAIR_STYLES = (
    "bald",  # shaven; a shadow remains
    "receding",  # hair on the sides and the back only
    "buzz",
    "short",  # upwards and to the sides, untidy
    "side",  # parted at the side
    "crop",  # short with a fringe, children too
    "afro",  # round, for curly hair
    "curly",  # loose curls to the ears
    "mid",  # to the jaw, loose
    "bob",
    "long",
    "wavy",
    "back",  # combed back, no bun
    "ponytail",
    "bun",
    "braids",
)
BEARDS = ("none", "stubble", "full", "goatee", "moustache")
HATS = ("beanie", "cap")
CLOTHES = ("t-shirt", "crew", "v-neck", "collar", "hoodie")


@dataclass(frozen=True)
class Traits:
    """Traits that are constant for life, from genome and environmental noise.

    Attributes:
        shape: float32 [100], identity coefficients of the head model, about standard normal over all people.
        proportions: float32 [len(PROPORTIONS)], z-scores.
        melanin: 0 (palest) to 1 (darkest) of the skin.
        redness: 0 to 1, haemoglobin of the skin.
        iris: a key of `IRIS_COLOURS`.
        hair_colour: a key of `HAIR_COLOURS`.
        hair_shade: z-score, lighter above 0.
        hair_curl: 0 straight, about 0.3 wavy, 0.6 curly, 1 tightly coiled.
        freckles: 0 to 1.
        cleft_chin: 0 to 1.
        free_lobes: whether the ear lobes hang free.
        beard: 0 to 1, density of the beard in men; not expressed in women.
        brow: z-score, thickness and density of the brows.
    """

    shape: np.ndarray
    proportions: np.ndarray
    melanin: float
    redness: float
    iris: str
    hair_colour: str
    hair_shade: float = 0.0
    hair_curl: float = 0.2
    freckles: float = 0.0
    cleft_chin: float = 0.0
    free_lobes: bool = True
    beard: float = 0.5
    brow: float = 0.0

    def proportion(self, name: str) -> float:
        """The z-score of one proportion."""
        return float(self.proportions[PROPORTIONS.index(name)])


@dataclass(frozen=True)
class Person:
    """Traits, sex ("female" or "male"), and a seed for details that are not inherited, such as moles."""

    traits: Traits
    sex: str
    seed: int = 0

    @property
    def male(self) -> bool:
        """Whether the sex is male."""
        return self.sex == "male"


@dataclass(frozen=True)
class Glasses:
    """Glasses: sizes in cm; roundness is the exponent of a superellipse, 2 (ellipse) to 6 (nearly a rectangle)."""

    width: float = 2.5  # half width of a lens
    height: float = 1.9  # half height
    roundness: float = 3.0
    rim: float = 0.09  # radius of the frame
    colour: tuple[float, float, float] = (0.06, 0.06, 0.07)  # sRGB
    tint: float = 0.0  # 0 (clear) to 1 (dark)


@dataclass(frozen=True)
class Look:
    """Appearance at one age. Colours are sRGB in 0..1.

    Attributes:
        age: years, 3 to 90.
        hair_style: one of `HAIR_STYLES`.
        hair_length: factor on the style's length, 0.7 to 1.3.
        volume: factor on the hair's volume, 0.6 to 1.4.
        part: x of the parting in cm, negative at the image's left.
        fringe: whether hair covers the forehead.
        recede: 0 to 2, how far the hairline has receded.
        grey: 0 to 1, share of grey hair.
        beard: one of `BEARDS`.
        shadow: 0 to 1, visibility of a shaven beard.
        glasses: frame and lenses, or None.
        hat: one of `HATS`, or None.
        earrings, necklace: whether they are worn.
        lipstick: 0 to 1, opacity.
        clothes: one of `CLOTHES`.
    """

    age: float = 30.0
    hair_style: str = "short"
    hair_length: float = 1.0
    volume: float = 1.0
    part: float = -2.0
    fringe: bool = False
    recede: float = 0.0
    grey: float = 0.0
    beard: str = "none"
    shadow: float = 0.0
    glasses: Glasses | None = None
    hat: str | None = None
    hat_colour: tuple[float, float, float] = (0.2, 0.25, 0.35)
    earrings: bool = False
    necklace: bool = False
    lipstick: float = 0.0
    lip_colour: tuple[float, float, float] = (0.66, 0.22, 0.25)
    clothes: str = "t-shirt"
    clothes_colour: tuple[float, float, float] = (0.3, 0.4, 0.55)
    seed: int = 0  # of the hair strands and of the details of what is worn


@dataclass(frozen=True)
class Light:
    """Three directional lamps and an ambient sky.

    Attributes:
        directions: float32 [3, 3], unit vectors towards the key, fill and rim lamp.
        colours: float32 [3, 3], linear RGB of each lamp.
        ambient: float32 [3], linear RGB, the mean of the sky.
        gradient: float32 [3, 3], first-order spherical harmonics of the sky: [rgb, xyz].
        softness: 1 (hard shadow) to 4, width of the shadow filter.
    """

    directions: np.ndarray
    colours: np.ndarray
    ambient: np.ndarray
    gradient: np.ndarray
    softness: float = 2.0


@dataclass(frozen=True)
class Shot:
    """Settings of one picture.

    Attributes:
        yaw, pitch, roll: degrees; yaw > 0 turns to the image's right, pitch > 0 up, roll > 0 clockwise in the image.
        expression: name of an expression of the head model -> 0..1.
        gaze: tangents of the angles of the eyes, to the image's right and up, relative to the head.
        light: lamps and sky, or None for a neutral studio light.
        background: "plain", "gradient", "room", "garden" or "street".
        width: cm across the picture.
        shift: offset of the head from the picture's centre, cm, to the right and up.
        seed: of background and grain.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    expression: dict[str, float] = field(default_factory=dict)
    gaze: tuple[float, float] = (0.0, 0.0)
    light: Light | None = None
    background: str = "gradient"
    width: float = 27.0
    shift: tuple[float, float] = (0.0, 0.0)
    seed: int = 0
