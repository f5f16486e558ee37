"""Surface attributes of each pixel before shading (a G-buffer): position, normal, albedo, gloss, labels.

Skin is sampled from textures. Eyes, teeth and the inside of the mouth are procedural, computed from a pixel's position
on the undeformed head. Clothes and accessories have a colour per vertex. Numbers without a source were set by eye.
"""

from dataclasses import dataclass

import numpy as np

from kinlib.runtime.compiled import njit
from kinlib.studio.head.model import EYE_SOCKETS, EYEBALLS, FACE, HEAD, MOUTH_SOCKET, TEARS, TEETH
from kinlib.studio.labels import class_id, region_id
from kinlib.studio.rendering.raster import Coverage

__all__ = ["EYE", "HARD", "NOTHING", "SKIN", "Scene", "Surface", "Texture", "look_up"]

NOTHING, HARD, SKIN, EYE = 0, 1, 2, 3  # kinds of surface, which are shaded differently

SOLID = 100  # part numbers from here on are clothes and accessories
# cm, x and y of the pupils on the undeformed head.
EYE_CENTRES = np.array([[3.2375, 3.6109], [-3.2375, 3.6109]], np.float32)
IRIS_RADIUS = 0.585  # cm; human irises measure about 1.18 cm across
MOUTH_BACK, MOUTH_DEPTH = 6.0, 5.0  # cm: z at which the mouth is darkest, and the depth over which it darkens

L_EYE, R_EYE, MOUTH, PLAIN = (class_id(name) for name in ("l_eye", "r_eye", "mouth", "skin"))
IRIS, PUPIL, SCLERA, TEAR_DUCT, TEETH_REGION, LOWER = (
    region_id(name) for name in ("iris", "pupil", "sclera", "tear duct", "teeth", "inferior lip")
)


@dataclass(frozen=True)
class Texture:
    """One map of the skin, S x S texels.

    Attributes:
        albedo: float32 [S, S, 3], linear RGB.
        gloss: float32 [S, S, 3], strength of the highlight, roughness, height in cm.
        labels, regions: uint8 [S, S].
        left: u of the map's left border in the head model's texture space: 0 for the face, 1 for the back of the head.
    """

    albedo: np.ndarray
    gloss: np.ndarray
    labels: np.ndarray
    regions: np.ndarray
    left: float


@dataclass(frozen=True)
class Scene:
    """The posed head and all opaque solids as one mesh, with their textures.

    Attributes:
        points, normals: float32 [V, 3] of the posed head.
        rest: float32 [V, 3], the undeformed head, and unrotated solids.
        occlusion: float32 [V], 1 open to the sky.
        triangles: int32 [T, 3]; uv_corners: int32 [T, 3] into uv; parts: int32 [T], part ids or SOLID + number.
        uv: float32 [U, 2].
        colours: float32 [V, 3], linear RGB of solids' vertices.
        materials: float32 [solids, 3], highlight, roughness, bump; solid_labels: uint8 [solids, 2], class and region.
        face, back: textures.
        iris: float32 [3], linear RGB; pupil: radius in cm.
        mouth_light: share of light that an open mouth lets in, 0 between closed lips.
    """

    points: np.ndarray
    normals: np.ndarray
    rest: np.ndarray
    occlusion: np.ndarray
    triangles: np.ndarray
    uv_corners: np.ndarray
    parts: np.ndarray
    uv: np.ndarray
    colours: np.ndarray
    materials: np.ndarray
    solid_labels: np.ndarray
    face: Texture
    back: Texture
    iris: np.ndarray
    pupil: float
    mouth_light: float


class Surface:
    """Surface attributes of each pixel [H, W].

    Attributes:
        position, normal, albedo: float32 [H, W, 3].
        gloss: float32 [H, W, 4], highlight, roughness, height, occlusion.
        kind, labels, regions: uint8 [H, W].
    """

    def __init__(self, height: int, width: int):
        self.position, self.normal, self.albedo = (np.zeros((height, width, 3), np.float32) for _ in range(3))
        self.gloss = np.zeros((height, width, 4), np.float32)
        self.kind, self.labels, self.regions = (np.zeros((height, width), np.uint8) for _ in range(3))


def look_up(coverage: Coverage, scene: Scene) -> Surface:
    """Interpolate and sample the attributes of all covered pixels."""
    surface = Surface(*coverage.depth.shape)
    seen, place = (coverage.triangle, coverage.weights), (surface.position, surface.normal)
    _place(*seen, scene.triangles, scene.points, scene.normals, scene.occlusion, *place, surface.gloss)
    painted = (surface.albedo, surface.gloss, surface.kind, surface.labels, surface.regions)
    for part, texture in ((FACE, scene.face), (HEAD, scene.back)):
        maps = (texture.albedo, texture.gloss, texture.labels, texture.regions, texture.left)
        _paint_skin(*seen, scene.uv_corners, scene.parts, scene.uv, part, *maps, *painted)
    # [3], skin beside the nose: the colour of eye sockets and tear ducts
    flesh = scene.face.albedo[scene.face.albedo.shape[0] // 2, scene.face.albedo.shape[1] // 3]
    _paint_inside(*seen, scene.triangles, scene.parts, scene.rest, flesh, np.float32(scene.mouth_light), *painted)
    _paint_eyes(*seen, scene.triangles, scene.parts, scene.rest, scene.iris, np.float32(scene.pupil), *painted)
    solids = (scene.colours, scene.materials, scene.solid_labels)
    _paint_solids(*seen, scene.triangles, scene.parts, scene.rest, *solids, *painted)
    return surface


@njit(cache=True, fastmath=True)
def _smooth(low, high, x):
    """Smoothstep: 0 below `low`, 1 above `high`."""
    t = min(1.0, max(0.0, (x - low) / (high - low)))
    return t * t * (3 - 2 * t)


@njit(cache=True, fastmath=True)
def _blend(values, corners, weights, c):
    """Channel c of vertex values [V, C], interpolated by the weights of the second and third corner."""
    v, w = weights[0], weights[1]
    return (1 - v - w) * values[corners[0], c] + v * values[corners[1], c] + w * values[corners[2], c]


@njit(cache=True, fastmath=True)
def _sample(texture, u, v, c):
    """Channel c of a texture [S, S, C], bilinear; u along the columns, v along the rows, both 0..1."""
    size = texture.shape[0]
    # texel centres at (i + 0.5) / S
    x, y = min(max(u * size - 0.5, 0.0), size - 1.001), min(max(v * size - 0.5, 0.0), size - 1.001)
    i, j = int(x), int(y)
    a, b = x - i, y - j
    top = texture[j, i, c] * (1 - a) + texture[j, i + 1, c] * a
    return top * (1 - b) + (texture[j + 1, i, c] * (1 - a) + texture[j + 1, i + 1, c] * a) * b


@njit(cache=True, fastmath=True)
def _place(triangle, weights, triangles, points, normals, occlusion, position, normal, gloss):
    """Position, unit normal and ambient occlusion of each covered pixel."""
    height, width = triangle.shape
    for y in range(height):
        for x in range(width):
            if triangle[y, x] < 0:
                continue
            corners, share = triangles[triangle[y, x]], weights[y, x]
            length = 1e-12  # squared length of the normal; never 0
            for c in range(3):
                position[y, x, c] = _blend(points, corners, share, c)
                normal[y, x, c] = _blend(normals, corners, share, c)
                length += normal[y, x, c] ** 2
            for c in range(3):
                normal[y, x, c] /= np.sqrt(length)
            v, w = share
            open_ = (1 - v - w) * occlusion[corners[0]] + v * occlusion[corners[1]] + w * occlusion[corners[2]]
            gloss[y, x, 3] = open_


@njit(cache=True, fastmath=True)
def _paint_skin(triangle, weights, uv_corners, parts, uv, part, t_albedo, t_gloss, t_labels, t_regions, left, *painted):
    """Skin of one part: albedo and gloss bilinear, labels from the nearest texel."""
    albedo, gloss, kind, labels, regions = painted
    size = t_albedo.shape[0]
    height, width = triangle.shape
    for y in range(height):
        for x in range(width):
            if triangle[y, x] < 0 or parts[triangle[y, x]] != part:
                continue
            corners = uv_corners[triangle[y, x]]
            u, v = _blend(uv, corners, weights[y, x], 0) - left, _blend(uv, corners, weights[y, x], 1)
            for c in range(3):
                albedo[y, x, c] = _sample(t_albedo, u, v, c)
                gloss[y, x, c] = _sample(t_gloss, u, v, c)
            i, j = min(max(int(u * size), 0), size - 1), min(max(int(v * size), 0), size - 1)
            labels[y, x], regions[y, x], kind[y, x] = t_labels[j, i], t_regions[j, i], SKIN


@njit(cache=True, fastmath=True)
def _paint_inside(triangle, weights, triangles, parts, rest, flesh, light, albedo, gloss, kind, labels, regions):
    """Mouth, gums, teeth, eye sockets and tear glands."""
    height, width = triangle.shape
    for y in range(height):
        for x in range(width):
            if triangle[y, x] < 0:
                continue
            part = parts[triangle[y, x]]
            if not (MOUTH_SOCKET <= part <= TEETH or part in TEARS):
                continue
            corners = triangles[triangle[y, x]]
            kind[y, x] = HARD
            if part not in EYE_SOCKETS and part not in TEARS:
                gloss[y, x, 3] *= light
            if part == TEETH:
                # enamel: linear RGB, strong and sharp highlight
                _set(albedo, gloss, y, x, (0.70, 0.655, 0.58), light, 0.22)
                labels[y, x], regions[y, x] = MOUTH, TEETH_REGION
            elif part in EYE_SOCKETS or part in TEARS:
                # wet, redder skin
                _set(albedo, gloss, y, x, (flesh[0] * 1.05, flesh[1] * 0.78, flesh[2] * 0.74), 1.2, 0.25)
                labels[y, x], regions[y, x] = PLAIN, TEAR_DUCT
                kind[y, x] = SKIN
            else:
                # gums, tongue and mucosa; darker towards the throat
                _set(albedo, gloss, y, x, (0.30, 0.075, 0.07), 0.6, 0.35)
                gloss[y, x, 3] *= min(
                    1.0, max(0.05, (_blend(rest, corners, weights[y, x], 2) - MOUTH_BACK) / MOUTH_DEPTH)
                )
                labels[y, x], regions[y, x] = MOUTH, LOWER


@njit(cache=True, fastmath=True)
def _set(albedo, gloss, y, x, colour, highlight, roughness):
    """Write a smooth material of one colour into a pixel."""
    for c in range(3):
        albedo[y, x, c] = colour[c]
    gloss[y, x, 0], gloss[y, x, 1], gloss[y, x, 2] = highlight, roughness, 0.0


@njit(cache=True, fastmath=True)
def _paint_eyes(triangle, weights, triangles, parts, rest, iris, pupil, albedo, gloss, kind, labels, regions):
    """Sclera with a pinker rim, iris of radial fibres with a dark limbus, pupil, and the shadow of the upper lid."""
    height, width = triangle.shape
    for y in range(height):
        for x in range(width):
            if triangle[y, x] < 0 or parts[triangle[y, x]] not in EYEBALLS:
                continue
            corners, share = triangles[triangle[y, x]], weights[y, x]
            eye = 0 if parts[triangle[y, x]] == EYEBALLS[0] else 1
            dx, dy = _blend(rest, corners, share, 0), _blend(rest, corners, share, 1)
            dx, dy = dx - EYE_CENTRES[eye, 0], dy - EYE_CENTRES[eye, 1]  # cm from the pupil
            radius, angle = np.sqrt(dx * dx + dy * dy), np.arctan2(dy, dx)
            # 0..1: 23 and 37 radial fibres, the former slightly spiral
            fibre = 0.5 + 0.25 * np.sin(angle * 23 + radius * 9) + 0.25 * np.sin(angle * 37 + 3)
            # factor on the iris colour: fibres fade over the outer 0.35 cm, the limbus is up to 70% darker
            bright = 0.62 + 0.55 * fibre * _smooth(0.0, 0.35, IRIS_RADIUS - radius)
            bright *= 1 - 0.7 * _smooth(0.40, IRIS_RADIUS, radius) ** 1.5
            warm = 0.4 * (1 - _smooth(0.22, 0.40, radius))  # a warmer ring around the pupil (central heterochromia)
            white = _smooth(IRIS_RADIUS - 0.05, IRIS_RADIUS + 0.03, radius)  # 0 iris, 1 sclera; 0.8 mm transition
            rim = min(1.0, radius / 1.35) ** 2  # the sclera reddens towards the corners
            seen = _smooth(pupil - 0.02, pupil + 0.03, radius)  # 0 inside the pupil
            for c in range(3):
                ring = iris[c] * bright * (1 + warm * (1.0, 0.2, -0.4)[c]) * seen
                # linear RGB of the sclera
                ball = (0.58, 0.54, 0.52)[c] - (0.06, 0.15, 0.15)[c] * rim
                albedo[y, x, c] = ring + (ball - ring) * white
            gloss[y, x, 0], gloss[y, x, 1], gloss[y, x, 2] = 1.0, 0.07, 0.0
            # shadow of the upper lid: up to 36%, from 0.05 to 0.5 cm above the pupil
            shade = 1 - 0.36 * _smooth(0.05, 0.5, dy)
            # the lids occlude the eyeball strongly; 10% of the light is always left
            gloss[y, x, 3] = min(1.0, 0.10 + 0.90 * gloss[y, x, 3]) * shade
            kind[y, x] = EYE
            labels[y, x] = L_EYE if eye == 0 else R_EYE
            regions[y, x] = PUPIL if radius < pupil else IRIS if radius < IRIS_RADIUS else SCLERA


@njit(cache=True, fastmath=True)
def _paint_solids(
    triangle, weights, triangles, parts, rest, colours, materials, solid_labels, albedo, gloss, kind, labels, regions
):
    """Clothes and accessories; `rest` holds their unrotated coordinates, so that the folds stay on the cloth."""
    height, width = triangle.shape
    for y in range(height):
        for x in range(width):
            if triangle[y, x] < 0 or parts[triangle[y, x]] < SOLID:
                continue
            corners, share = triangles[triangle[y, x]], weights[y, x]
            number = parts[triangle[y, x]] - SOLID
            for c in range(3):
                albedo[y, x, c] = _blend(colours, corners, share, c)
            gloss[y, x, 0], gloss[y, x, 1] = materials[number, 0], materials[number, 1]
            px, py = _blend(rest, corners, share, 0), _blend(rest, corners, share, 1)
            # -1..1, a height field of folds, 9 to 14 cm apart; scaled by the material's bump
            fold = np.sin(px * 0.7 + 1.3 * np.sin(py * 0.55)) * np.sin(py * 0.45 + px * 0.25)
            gloss[y, x, 2] = materials[number, 2] * fold
            kind[y, x] = HARD
            labels[y, x], regions[y, x] = solid_labels[number]
