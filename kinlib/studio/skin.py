"""Skin textures of a person at one age: pigments, wrinkles, lips, hair roots, and label maps.

Melanin and haemoglobin are accumulated in layers (blotches, flushed cheeks and ears, dark lids, freckles, moles, age
spots) and converted to albedo at the end. A second map holds the strength and roughness of the highlight and the height
of pores and wrinkles. All amounts were set by eye.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from kinlib.studio.atlas.atlas import Atlas
from kinlib.studio.colour import skin_colour, to_linear
from kinlib.studio.hair.colour import brow_colour, hair_colour
from kinlib.studio.hair.hairline import hairline
from kinlib.studio.labels import class_id, region_id
from kinlib.studio.person import Look, Person
from kinlib.studio.rendering.surface import Texture

__all__ = ["SkinTextures", "paint_skin"]

SCALP = 0.6  # density of hair roots from which a texel is labelled "hair"
# opacity of the hair's colour on the scalp; 0.92 for other styles
SHAVEN = {"bald": 0.22, "buzz": 0.75, "receding": 0.6}
# Opacity of the beard's roots on the skin, and the mask that they follow.
STUBBLE = {"none": 0.0, "stubble": 0.45, "full": 0.8, "goatee": 0.8, "moustache": 0.7}
BEARD_MASK = {"none": "beard", "stubble": "beard", "full": "beard", "goatee": "goatee", "moustache": "moustache"}


@dataclass(frozen=True)
class SkinTextures:
    """Two maps: the face with the ears, and the back of the head with the neck."""

    face: Texture
    back: Texture


class _Layers:
    """Pigments and relief of one map, float32 [S, S] each."""

    def __init__(self, person: Person, shape: tuple[int, int]):
        self.melanin = np.full(shape, person.traits.melanin, np.float32)
        self.haemoglobin = np.full(shape, 0.11 + 0.26 * person.traits.redness, np.float32)
        self.height = np.zeros(shape, np.float32)
        self.highlight = np.full(shape, 0.6, np.float32)
        self.roughness = np.full(shape, 0.52, np.float32)


def paint_skin(person: Person, look: Look, atlas: Atlas) -> SkinTextures:
    """Compute the textures of a person at one age; deterministic.

    Args:
        person: pigments, freckles, cleft chin and seed.
        look: age, hair style, beard, lipstick.
        atlas: masks, wrinkles and noise of the generic head.
    """
    rng = np.random.default_rng([person.seed, 11])
    # the noise of another person: a cyclic shift of the tileable fields
    shift = tuple(int(s) for s in rng.integers(0, atlas.size, 2))
    noise = {name: np.roll(field, shift, (0, 1)) for name, field in atlas.noise.items()}
    return SkinTextures(_paint_face(person, look, atlas, noise, rng), _paint_back(person, look, atlas, noise))


def _paint_face(person: Person, look: Look, atlas: Atlas, noise: dict[str, np.ndarray], rng) -> Texture:
    """The map of the face; layers are applied in this order."""
    masks = atlas.masks
    layers = _Layers(person, masks["lip"].shape)
    _complexion(layers, person, look, masks, noise)
    _marks(layers, person, look, masks, noise, rng)
    _creases(layers, look, atlas, noise)
    _cleft(layers, person, atlas)
    albedo = _lips(layers, person, look, masks, noise)
    scalp = _scalp(atlas.face_positions, person, look, noise)
    shaded = _hair_roots(albedo, person, look, masks, noise, scalp)
    layers.highlight *= 1 - 0.6 * scalp
    labels, regions = atlas.face_labels.copy(), atlas.face_regions.copy()
    if look.hair_style != "bald":
        labels[scalp > SCALP], regions[scalp > SCALP] = class_id("hair"), region_id("hair")
    return Texture(shaded, _gloss(layers), labels, regions, left=0.0)


def _paint_back(person: Person, look: Look, atlas: Atlas, noise: dict[str, np.ndarray]) -> Texture:
    """The map of the back of the head and the neck: slightly darker, less shiny, no features."""
    size = atlas.back_positions.shape[0]
    noise = {name: cv2.resize(field, (size, size)) for name, field in noise.items()}
    layers = _Layers(person, (size, size))
    layers.melanin *= 1.06 + 0.005 * noise["low"]
    layers.haemoglobin += 0.008 * noise["low"] - 0.02
    layers.height += 0.002 * noise["pore"]
    layers.highlight -= 0.2
    scalp = _scalp(atlas.back_positions, person, look, noise)
    albedo = skin_colour(np.maximum(layers.melanin, 0), np.maximum(layers.haemoglobin, 0))
    albedo = _over(albedo, hair_colour(person, look) * 0.4, scalp * SHAVEN.get(look.hair_style, 0.92))
    labels, regions = atlas.back_labels.copy(), atlas.back_regions.copy()
    if look.hair_style != "bald":
        labels[scalp > SCALP], regions[scalp > SCALP] = class_id("hair"), region_id("hair")
    return Texture(albedo, _gloss(layers), labels, regions, left=1.0)


def _gloss(layers: _Layers) -> np.ndarray:
    """Strength of the highlight, roughness, height: float32 [S, S, 3]."""
    maps = [np.clip(layers.highlight, 0, 2), np.clip(layers.roughness, 0.28, 0.85), layers.height]
    return np.ascontiguousarray(np.stack(maps, axis=-1), np.float32)


def _over(below: np.ndarray, above: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Blend a colour ([3] or [S, S, 3]) over albedo [S, S, 3] with opacity `share` [S, S]."""
    share = np.clip(share, 0, 1)[..., None]
    return (below + (above - below) * share).astype(np.float32)


def _complexion(layers: _Layers, person: Person, look: Look, masks, noise) -> None:
    """Uneven colour: flushed cheeks, nose and ears, darker lids and neck, shinier T-zone; more even in children."""
    # child: 1 up to 4 years, 0 from 14
    redness, child = person.traits.redness, float(np.clip((14 - look.age) / 10, 0, 1))
    uneven = 1 - 0.5 * child
    low, middle, fine, pore = (noise[name] for name in ("low", "middle", "fine", "pore"))
    layers.haemoglobin += uneven * (0.012 * middle + 0.018 * low + 0.012 * fine)
    # where blood shows; weights of the masks
    flush = 0.42 * masks["cheek"] + 0.40 * masks["nose_tip"] + 0.16 * masks["lids"] + 0.28 * masks["inner_eye"]
    flush = flush + 0.26 * masks["ears"] + 0.10 * masks["chin"]
    light = 1 - person.traits.melanin
    # blood shows less through dark skin
    layers.haemoglobin += flush * (0.30 + 0.60 * redness + 0.25 * child) * (0.25 + 0.65 * light)
    layers.melanin *= 1 + uneven * (0.022 * low + 0.008 * middle)
    layers.melanin += 0.004 * uneven * (middle + fine + pore)
    layers.melanin += 0.03 * masks["lids"] + 0.025 * masks["neck"] + 0.015 * masks["forehead"]
    layers.melanin += 0.035 * masks["eye_bags"] * (1 - 0.6 * child)
    # cm: pores of about 20 µm, shallower in children
    layers.height += 0.0022 * (1 - 0.6 * child) * pore + 0.0016 * fine
    layers.highlight += 0.22 * masks["t_zone"]
    layers.roughness -= 0.08 * masks["t_zone"] + 0.01 * low


def _marks(layers: _Layers, person: Person, look: Look, masks, noise, rng) -> None:
    """Freckles (from 4 years), moles (from 12, one on average) and age spots (from 50)."""
    spots = np.clip(noise["freckles"], 0, 1)
    if person.traits.freckles > 0 and look.age > 4:
        where = np.clip(1.3 * masks["cheek"] + masks["nose_tip"] + 0.25 * masks["forehead"] + 0.12, 0, 1.2)
        layers.melanin += 0.50 * person.traits.freckles * spots * where
    if look.age > 50:
        layers.melanin += 0.14 * min(1.0, (look.age - 50) / 30) * np.clip(spots * 1.2 - 0.3, 0, 1)
    size = layers.melanin.shape[0]
    moles = np.zeros_like(layers.melanin)
    for _ in range(rng.poisson(1.0)):
        place = (int(rng.uniform(0.2, 0.8) * size), int(rng.uniform(0.3, 0.85) * size))
        cv2.circle(moles, place, max(1, round(size / 400)), 1.0, -1, cv2.LINE_AA)
    if look.age > 12:
        layers.melanin += 0.45 * cv2.GaussianBlur(moles, (0, 0), size / 800 + 0.3)


def _creases(layers: _Layers, look: Look, atlas: Atlas, noise) -> None:
    """Wrinkles by age: the nasolabial fold from 16, the other groups from 35 to 55; each is complete after 40 years."""
    age = look.age
    old = float(np.clip((age - 30) / 45, 0, 1))
    lines = 0.10 * float(np.clip((age - 16) / 20, 0, 1)) * atlas.wrinkles["nasolabial"]
    for name, begins in (("nasolabial", 28), ("forehead", 36), ("crow_feet", 36), ("frown", 40), ("marionette", 42)):
        lines = lines + float(np.clip((age - begins) / 40, 0, 1)) * atlas.wrinkles[name]
    for name, begins in (("under_eye", 35), ("lip_lines", 55)):
        if name in atlas.wrinkles:
            lines = lines + float(np.clip((age - begins) / 40, 0, 1)) * atlas.wrinkles[name]
    lines = np.clip(lines, 0, 2)
    # cm: creases of 0.75 mm per unit of depth; they look darker and redder
    layers.height += 0.003 * old * noise["middle"] - 0.075 * lines
    layers.melanin += 0.06 * lines + 0.07 * old * atlas.masks["eye_bags"]
    layers.haemoglobin += 0.08 * lines + 0.16 * (0.3 + old) * atlas.masks["eye_bags"]
    layers.roughness += 0.06 * old


def _cleft(layers: _Layers, person: Person, atlas: Atlas) -> None:
    """The dimple of a cleft chin, which the geometry alone is too coarse for."""
    x, y, z = np.moveaxis(atlas.face_positions, -1, 0)
    dimple = np.exp(-((x / 0.16) ** 2) - ((y + 6.6) / 0.65) ** 2) * (z > 6) * person.traits.cleft_chin
    layers.height -= 0.12 * dimple
    layers.melanin += 0.10 * dimple
    layers.haemoglobin += 0.12 * dimple


def _lips(layers: _Layers, person: Person, look: Look, masks, noise) -> np.ndarray:
    """Albedo [S, S, 3] from the pigments; lips are redder and smoother, with lipstick on top."""
    lip, dark = masks["lip"], person.traits.melanin
    grown = float(np.clip((look.age - 8) / 10, 0, 1))  # men's lips lose colour at puberty
    red = 0.40 + (0.20 + 0.25 * person.traits.redness) * (1.0 if person.male else 1.3) - 0.12 * grown * person.male
    layers.melanin += 0.05 * lip * (1 - dark)
    layers.haemoglobin += lip * red * (1 - 0.45 * dark)
    layers.highlight += lip * (0.35 + 0.6 * look.lipstick)
    layers.roughness -= 0.10 * lip
    layers.height -= 0.012 * lip * np.clip(noise["fine"], 0, 2)
    albedo = skin_colour(np.maximum(layers.melanin, 0), np.maximum(layers.haemoglobin, 0))
    albedo *= (1 - 0.10 * lip * np.clip(noise["fine"], 0, 2))[..., None]
    if look.lipstick > 0:
        albedo = _over(albedo, to_linear(look.lip_colour), lip * look.lipstick * 0.9)
    return albedo


def _scalp(positions: np.ndarray, person: Person, look: Look, noise) -> np.ndarray:
    """Density of scalp hair roots float32 [S, S] in 0..1, with an uneven border."""
    share = hairline(positions, person, look)
    return np.clip(share * (1 + 0.25 * noise["middle"] * (1 - share)), 0, 1).astype(np.float32)


def _hair_roots(albedo, person: Person, look: Look, masks, noise, scalp) -> np.ndarray:
    """Albedo darkened by hair roots: beard shadow, skin under the brows, scalp."""
    roots = hair_colour(person, look)
    if person.male and look.age > 14:
        region = masks[BEARD_MASK[look.beard]]
        share = region * STUBBLE[look.beard] * person.traits.beard * (0.75 + 0.3 * noise["pore"])
        share = share + masks["beard"] * look.shadow * person.traits.beard * 0.22 * (1 + 0.3 * noise["pore"])
        # roots lie below the skin: never lighter than it, slightly bluish
        ground = np.minimum(roots + 0.02, albedo * 0.8) * np.array([0.94, 1.0, 1.05], np.float32)
        albedo = _over(albedo, ground, np.clip(share, 0, 0.9) * (1 - masks["lip"]))
    brows = np.clip(masks["brow_left"] + masks["brow_right"], 0, 1)
    soft = cv2.GaussianBlur(brows, (0, 0), albedo.shape[0] / 220)
    grown = 0.35 + 0.65 * float(np.clip((look.age - 4) / 14, 0, 1))
    albedo = _over(albedo, np.minimum(brow_colour(person, look), albedo), soft * 0.42 * grown)
    return _over(albedo, roots * 0.4, scalp * SHAVEN.get(look.hair_style, 0.92))
