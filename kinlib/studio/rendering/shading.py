"""Shading of surfaces and hair strands.

Skin scatters light below its surface, red furthest. Two approximations stand for it: diffuse light wraps around the
form, more in red, and the irradiance on skin is blurred over a few millimetres in image space before it is multiplied
by the albedo (screen-space subsurface scattering, Jimenez et al., 2009), so that pores stay sharp while shadows soften.
Highlights are a microfacet lobe (Walter et al., 2007), those of hair two lobes across the strand (Kajiya and Kay, 1989;
Marschner et al., 2003). Bump mapping uses the surface gradient (Mikkelsen, 2010). Numbers without a source were set by
eye.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from kinlib.runtime.compiled import njit
from kinlib.studio.person import Light
from kinlib.studio.rendering.camera import DISTANCE, EYE_LEVEL
from kinlib.studio.rendering.surface import EYE, NOTHING, SKIN, Surface

__all__ = ["Shadow", "light_strands", "light_surface", "shadow_view"]

SHADOW_SIZE = 320  # pixels, side of the shadow map
SHADOW_WIDTH = 44.0  # cm, side of the region that the shadow map covers: head and shoulders
SCATTER = (0.16, 0.075, 0.05)  # cm, standard deviation of the blur of red, green and blue
BUMP_LIMIT = 0.6  # largest slope that bump mapping may add
REFLECTANCE = 0.028  # of skin at normal incidence (refractive index 1.4: ((n - 1) / (n + 1))²)
LENS = np.array([0.0, EYE_LEVEL, DISTANCE], np.float32)  # cm, position of the camera


@dataclass(frozen=True)
class Shadow:
    """Shadow map of the key lamp: `axes` float32 [2, 3], `depth` float32 [S, S], `scale` in pixels per cm."""

    axes: np.ndarray
    depth: np.ndarray
    scale: float


def shadow_view(points: np.ndarray, light: Light) -> tuple[np.ndarray, np.ndarray, float]:
    """Orthographic view of the key lamp: points [..., 3] as pixels and depth float32 [..., 3], axes [2, 3], scale."""
    key = light.directions[0].astype(np.float32)
    across = np.cross([0, 1, 0], key)
    across /= np.linalg.norm(across) + 1e-9
    axes = np.stack([across, -np.cross(key, across)]).astype(np.float32)
    scale = SHADOW_SIZE / SHADOW_WIDTH
    seen = np.concatenate([points @ axes.T * np.float32(scale) + SHADOW_SIZE / 2, -(points @ key)[..., None]], axis=-1)
    return np.ascontiguousarray(seen, np.float32), axes, scale


def light_surface(surface: Surface, light: Light, shadow: Shadow, scale: float) -> np.ndarray:
    """The shaded picture, float32 [H, W, 3] linear RGB, black in empty pixels; `scale` in pixels per cm."""
    diffuse, glossy = np.zeros_like(surface.albedo), np.zeros_like(surface.albedo)
    look = (surface.position, surface.normal, surface.gloss, surface.kind)
    lamps = tuple(np.asarray(a, np.float32) for a in (light.directions, light.colours, light.ambient, light.gradient))
    view = (shadow.axes, shadow.depth, np.float32(shadow.scale), np.float32(light.softness))
    _light(*look, *lamps, *view, diffuse, glossy)
    _scatter(diffuse, surface.kind == SKIN, scale)
    return diffuse * surface.albedo + glossy


def _scatter(diffuse: np.ndarray, skin: np.ndarray, scale: float) -> None:
    """Blur the irradiance [H, W, 3] on skin, in place; normalised by the mask, so nothing else leaks in."""
    weight = skin.astype(np.float32)
    for channel, spread in enumerate(SCATTER):
        sigma = spread * scale
        if sigma < 0.3:  # pixels; narrower blurs change nothing
            continue
        total = cv2.GaussianBlur(diffuse[..., channel] * weight, (0, 0), sigma)
        share = cv2.GaussianBlur(weight, (0, 0), sigma)
        diffuse[..., channel][skin] = (total / np.maximum(share, 1e-3))[skin]


@njit(cache=True, fastmath=True)
def _bumped(position, normal, gloss, kind, y, x):
    """The normal of a pixel, perturbed by the heights of its right and lower neighbour (Mikkelsen, 2010)."""
    nx, ny, nz = normal[y, x]
    height, width = kind.shape
    if x + 1 >= width or y + 1 >= height or kind[y, x + 1] != kind[y, x] or kind[y + 1, x] != kind[y, x]:
        return nx, ny, nz
    ax, ay, az = position[y, x + 1] - position[y, x]
    bx, by, bz = position[y + 1, x] - position[y, x]
    # cm²; neighbours further than 0.45 cm lie on another surface
    if ax * ax + ay * ay + az * az > 0.2 or bx * bx + by * by + bz * bz > 0.2:
        return nx, ny, nz
    # surface gradient in the tangent plane
    rx, ry, rz = by * nz - bz * ny, bz * nx - bx * nz, bx * ny - by * nx
    sx, sy, sz = ny * az - nz * ay, nz * ax - nx * az, nx * ay - ny * ax
    determinant = ax * rx + ay * ry + az * rz
    if abs(determinant) < 1e-9:
        return nx, ny, nz
    right = (gloss[y, x + 1, 2] - gloss[y, x, 2]) / determinant
    down = (gloss[y + 1, x, 2] - gloss[y, x, 2]) / determinant
    gx, gy, gz = right * rx + down * sx, right * ry + down * sy, right * rz + down * sz
    steep = np.sqrt(gx * gx + gy * gy + gz * gz)
    share = 1.0 if steep < BUMP_LIMIT else BUMP_LIMIT / steep
    nx, ny, nz = nx - gx * share, ny - gy * share, nz - gz * share
    length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
    return nx / length, ny / length, nz / length


@njit(cache=True, fastmath=True)
def _hash(x):
    """Pseudo-random number in 0..1 (the common sine hash of shaders)."""
    s = np.sin(x * 12.9898) * 43758.5453
    return s - np.floor(s)


@njit(cache=True, fastmath=True)
def _lit_share(depth, x, y, z, bias, radius):
    """Share of the key lamp that reaches a point: nine jittered samples of the shadow map, `radius` wide."""
    size = depth.shape[0]
    lit = 0.0
    for dj in range(-1, 2):
        for di in range(-1, 2):
            i = int(x + (di * 1.7 + 0.6 * (_hash(x * 3.1 + y * 7.7 + di) - 0.5)) * radius)
            j = int(y + (dj * 1.7 + 0.6 * (_hash(x * 5.3 + y * 2.9 + dj) - 0.5)) * radius)
            if i < 0 or j < 0 or i >= size or j >= size:
                lit += 1.0
            else:
                # fades over one further bias instead of a hard edge
                lit += min(1.0, max(0.0, 1 - (z - bias - depth[j, i]) / bias))
    return lit / 9


@njit(cache=True, fastmath=True)
def _lobe(cos_half, cos_light, cos_view, cos_view_half, roughness):
    """Microfacet lobe times cosine: GGX distribution, Smith shadowing (Schlick), Fresnel (Schlick)."""
    a2 = roughness**4  # alpha² with alpha = roughness²
    spread = cos_half * cos_half * (a2 - 1) + 1
    k = roughness * roughness / 2
    shadowing = 1 / ((cos_light * (1 - k) + k) * (cos_view * (1 - k) + k) * 4 + 1e-4)
    fresnel = REFLECTANCE + (1 - REFLECTANCE) * (1 - cos_view_half) ** 5
    return a2 / (np.pi * spread * spread) * shadowing * fresnel * cos_light


@njit(cache=True, fastmath=True)
def _glint(normal, view, lamp, occlusion):
    """Mirror reflection of a lamp in the cornea: a disc of 12 degrees radius whose edge fades until 17."""
    facing = normal[0] * view[0] + normal[1] * view[1] + normal[2] * view[2]
    towards = 0.0
    for c in range(3):
        towards += (2 * facing * normal[c] - view[c]) * lamp[c]
    return min(1.0, max(0.0, (towards - 0.958) / 0.022)) * min(1.0, occlusion * 1.6)


@njit(cache=True, fastmath=True)
def _light(
    position, normal, gloss, kind, lamps, colours, ambient, gradient, axes, depth, scale, softness, diffuse, glossy
):
    """Irradiance (diffuse) and highlights (glossy) of every pixel, float32 [H, W, 3] each."""
    height, width = kind.shape
    size = depth.shape[0]
    # red, green, blue of skin: wrap of the cosine, and exponent that keeps the terminator soft
    wrap, bend = (0.26, 0.12, 0.08), (1.2, 1.08, 1.0)
    for y in range(height):
        for x in range(width):
            if kind[y, x] == NOTHING:
                continue
            skin, eye = kind[y, x] == SKIN, kind[y, x] == EYE
            n = _bumped(position, normal, gloss, kind, y, x)
            px, py, pz = position[y, x]
            vx, vy, vz = LENS[0] - px, LENS[1] - py, LENS[2] - pz
            away = np.sqrt(vx * vx + vy * vy + vz * vz)
            v = (vx / away, vy / away, vz / away)
            highlight, roughness, occlusion = gloss[y, x, 0], gloss[y, x, 1], gloss[y, x, 3]
            facing = max(0.02, n[0] * v[0] + n[1] * v[1] + n[2] * v[2])
            # sheen at grazing angles: Fresnel weight, only for smooth surfaces, half as strong on skin
            edge = (1 - facing) ** 5 * max(0.0, 0.7 - roughness) * highlight * occlusion * (0.5 if skin else 1.0)
            for c in range(3):
                sky = ambient[c] + gradient[c, 0] * n[0] + gradient[c, 1] * n[1] + gradient[c, 2] * n[2]
                diffuse[y, x, c] = max(0.0, sky) * occlusion ** ((0.75, 1.05, 1.1)[c])  # creases of skin lose less red
                glossy[y, x, c] = edge * ambient[c] * 0.8
            for lamp in range(3):
                d = lamps[lamp]
                cos_light = n[0] * d[0] + n[1] * d[1] + n[2] * d[2]
                lit = 0.35 + 0.65 * occlusion  # fill and rim have no shadow map: occlusion stands for it
                if lamp == 0:
                    # pixel in the shadow map
                    i = (axes[0, 0] * px + axes[0, 1] * py + axes[0, 2] * pz) * scale + size / 2
                    j = (axes[1, 0] * px + axes[1, 1] * py + axes[1, 2] * pz) * scale + size / 2
                    # bias 0.35 cm on skin, 0.5 cm elsewhere
                    lit = _lit_share(depth, i, j, -(d[0] * px + d[1] * py + d[2] * pz), 0.35 if skin else 0.5, softness)
                for c in range(3):
                    around = wrap[c] if skin else 0.08
                    # wrapped Lambert
                    fall = max(0.0, (cos_light + around) / (1 + around)) ** (bend[c] if skin else 1.0)
                    diffuse[y, x, c] += colours[lamp, c] * fall * (lit ** (0.8, 1.0, 1.05)[c] if skin else lit)
                if cos_light <= 0:  # no highlight from behind
                    continue
                if eye:
                    # the key lamp gives the catchlight, the others a fifth of it
                    shine = _glint(n, v, d, occlusion) * (1.0 if lamp == 0 else 0.2) * (0.3 + 0.7 * lit)
                else:
                    hx, hy, hz = d[0] + v[0], d[1] + v[1], d[2] + v[2]
                    length = np.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
                    cos_half = max(0.0, (n[0] * hx + n[1] * hy + n[2] * hz) / length)
                    cos_view_half = max(0.0, (v[0] * hx + v[1] * hy + v[2] * hz) / length)
                    shine = _lobe(cos_half, cos_light, facing, cos_view_half, roughness) * highlight * lit
                for c in range(3):
                    glossy[y, x, c] += colours[lamp, c] * shine


def light_strands(
    points: np.ndarray,
    normals: np.ndarray,
    openness: np.ndarray,
    colour: np.ndarray,
    shine: float,
    cast: float,
    light: Light,
    shadow: Shadow,
) -> np.ndarray:
    """Colours of hair along its strands, float32 [n, K, 3] linear RGB.

    Args:
        points: float32 [n, K, 3], posed; normals: [n, K, 3] outward, posed; openness: [n, K].
        colour: float32 [n, 3]; shine: strength of highlights; cast: extinction of the key lamp by the hair above, 1/cm.
    """
    lamps = tuple(np.asarray(a, np.float32) for a in (light.directions, light.colours, light.ambient, light.gradient))
    seen = shadow_view(points, light)[0]
    result = np.empty_like(points)
    strands = (points, normals, openness, colour, np.float32(shine), np.float32(cast))
    _light_strands(*strands, *lamps, seen, shadow.depth, result)
    return result


@njit(cache=True, fastmath=True)
def _light_strands(
    points, normals, openness, colour, shine, cast, lamps, colours, ambient, gradient, seen, depth, result
):
    """Shade every point of every strand into `result` [n, K, 3]."""
    size = depth.shape[0]
    last = points.shape[1] - 1
    for s in range(points.shape[0]):
        for k in range(points.shape[1]):
            near = min(k, last - 1)
            # unit tangent
            tx, ty, tz = points[s, near + 1] - points[s, near]
            length = np.sqrt(tx * tx + ty * ty + tz * tz) + 1e-9
            tx, ty, tz = tx / length, ty / length, tz / length
            nx, ny, nz = normals[s, k]
            i, j = int(seen[s, k, 0]), int(seen[s, k, 1])
            lit = 1.0
            if 0 <= i < size and 0 <= j < size:
                # Beer-Lambert through the hair between lamp and point, with 0.05 cm of bias
                lit = np.exp(-max(0.0, seen[s, k, 2] - depth[j, i] - 0.05) * cast)
            for c in range(3):
                sky = ambient[c] + gradient[c, 0] * nx + gradient[c, 1] * ny + gradient[c, 2] * nz
                # ambient light, 90%: some is lost between the strands
                result[s, k, c] = max(0.0, sky) * colour[s, c] * 0.9
            for lamp in range(3):
                dx, dy, dz = lamps[lamp]
                along = tx * dx + ty * dy + tz * dz
                facing = nx * dx + ny * dy + nz * dz
                reach = lit if lamp == 0 else 1.0
                # Kajiya-Kay diffuse term times wrapped Lambert of the hair's volume
                soft = np.sqrt(max(0.0, 1 - along * along)) * max(0.0, (facing + 0.35) / 1.35) * reach * 0.75
                # half vector; the camera is taken to be at infinity in z
                hx, hy, hz = dx, dy, dz + 1.0
                half = (tx * hx + ty * hy + tz * hz) / (np.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9)
                # lobes only on the side that faces the lamp
                front = reach * max(0.0, min(1.0, facing * 1.5 + 0.5)) * shine
                # R lobe: white, narrow, shifted along the strand; TRT lobe: coloured, wide, shifted the other way
                white = max(0.0, 1 - (half + 0.07) ** 2) ** 60 * front * 0.022
                tinted = max(0.0, 1 - (half - 0.10) ** 2) ** 14 * front * 0.5
                for c in range(3):
                    result[s, k, c] += colours[lamp, c] * (colour[s, c] * (soft + tinted) + white)
            for c in range(3):
                result[s, k, c] *= openness[s, k]
