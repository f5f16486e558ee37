"""From a person, a look and a shot to a picture and its truth.

    sitter = sit(person, look)            # geometry, skin and hair: once for many pictures
    picture = take(sitter, shot, 256)     # expression, pose, light, camera

Everything is drawn into one z-buffer, so that image, labels, landmarks and pose agree to the pixel. The result depends
on nothing but the arguments.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from kinlib.runtime.errors import KinlibError
from kinlib.studio.appearance.light import studio_light
from kinlib.studio.atlas.build import Atlas, load_atlas
from kinlib.studio.clothing.accessories import earrings, glasses, hat, necklace
from kinlib.studio.clothing.clothes import clothes
from kinlib.studio.clothing.wear import Solid
from kinlib.studio.colour import to_linear, to_srgb
from kinlib.studio.hair.facial import beard, brows, lashes
from kinlib.studio.hair.scalp_hair import scalp_hair
from kinlib.studio.hair.strands import Strands
from kinlib.studio.head.model import HeadModel, load_head
from kinlib.studio.labels import NONE, class_id
from kinlib.studio.person import IRIS_COLOURS, NUM_SHAPE, PROPORTIONS, Glasses, Light, Look, Person, Shot, Traits
from kinlib.studio.rendering import backdrop, ground_truth
from kinlib.studio.rendering.camera import Camera, crop_camera, photo_camera, turn, turn_matrix
from kinlib.studio.rendering.raster import Coverage, cover, draw_strands, majority, strand_depths, vertex_normals
from kinlib.studio.rendering.shading import SHADOW_SIZE, Shadow, light_strands, light_surface, shadow_view
from kinlib.studio.rendering.surface import SOLID, Scene, look_up
from kinlib.studio.shape.build import build
from kinlib.studio.skin import Skin, paint_skin

__all__ = ["LARGEST", "SMALLEST", "VERSION", "Picture", "Sitter", "render", "sit", "take", "warm_up"]

VERSION = 1  # counts up when the same arguments give another picture

SMALLEST, LARGEST = 32, 2048  # pixels
FEW_HAIRS = 160  # pixels, up to which half the hairs do
CLOSED, PARTED = 0.10, 0.22  # cm between the lips
SHARP = 0.45  # pixels, softness of the lens
HAIR_CAST = 0.9  # 1/cm


@dataclass(frozen=True)
class Picture:
    """A picture and its truth.

    Attributes:
        image: uint8 [H, W, 3], sRGB.
        landmarks: float32 [68, 2], (x, y) in pixels with whole numbers at pixel centres, iBUG order.
        yaw, pitch, roll: degrees.
        classes: uint8 [H, W], numbers of `labels.CLASSES` (CelebAMask-HQ).
        regions: uint8 [H, W], numbers of `labels.REGIONS` (StyleGene).
        attributes: what is in the picture, in words and numbers; see `ground_truth.attributes`.
    """

    image: np.ndarray
    landmarks: np.ndarray
    yaw: float
    pitch: float
    roll: float
    classes: np.ndarray
    regions: np.ndarray
    attributes: dict


@dataclass(frozen=True)
class Sitter:
    """A person ready to be photographed: everything that does not change from one picture to the next."""

    person: Person
    look: Look
    skin: Skin
    hair: Strands | None
    solids: list[Solid]
    detail: float
    head: HeadModel
    atlas: Atlas


def sit(person: Person, look: Look, size: int = 256) -> Sitter:
    """Shape, paint, comb and dress a person for pictures of about `size` pixels; small ones need fewer hairs."""
    detail = 1.0 if size > FEW_HAIRS else 0.5
    head, atlas = load_head(), load_atlas()
    neutral, _ = build(person, look.age, {})
    normals = vertex_normals(neutral, head.triangles)
    hair = scalp_hair(person, look, neutral, normals, detail)
    solids = [*clothes(person, look, neutral), *hat(look, neutral), *earrings(look, neutral), *necklace(look, neutral)]
    solids += glasses(look, neutral, head.landmarks)
    return Sitter(person, look, paint_skin(person, look, atlas), hair, solids, detail, head, atlas)


def render(person: Person, look: Look, shot: Shot, size: int | tuple[int, int] = 256, crop: str = "photo") -> Picture:
    """One picture of a person; see `take`."""
    height, width = _check_size(size)
    return take(sit(person, look, max(height, width)), shot, (height, width), crop)


def warm_up() -> None:
    """Load the head model and compile what is not compiled yet (about half a minute once), so that workers need not."""
    traits = Traits(np.zeros(NUM_SHAPE, np.float32), np.zeros(len(PROPORTIONS), np.float32), 0.2, 0.5, "brown", "dark")
    render(Person(traits, "male"), Look(beard="full", glasses=Glasses(), hair_style="wavy"), Shot(), SMALLEST)


def take(sitter: Sitter, shot: Shot, size: int | tuple[int, int] = 256, crop: str = "photo") -> Picture:
    """Photograph a sitter.

    Args:
        sitter: from `sit`.
        shot: pose, expression, light, background and framing.
        size: side in pixels, or (height, width).
        crop: "photo" frames as the shot says; "ffhq" frames exactly the FFHQ crop (square; the roll is undone).

    Returns:
        The picture with its truth.

    Raises:
        KinlibError: if the size or the crop is impossible.
    """
    height, width = _check_size(size)
    _, vertices = build(sitter.person, sitter.look.age, shot.expression, shot.gaze)
    posed = turn(vertices, shot)
    camera = _frame(posed[sitter.head.landmarks], shot, height, width, crop)
    finer = 2 if max(height, width) > FEW_HAIRS else 3
    light = shot.light or studio_light()
    linear, labels, regions = _draw(sitter, vertices, posed, shot, light, camera.finer(finer))
    classes, areas = majority(labels, finer, 1), majority(regions, finer, 1)
    image = _develop(cv2.resize(linear, (width, height), interpolation=cv2.INTER_AREA), classes, sitter, shot)
    landmarks = ground_truth.visible_landmarks(posed, sitter.head, camera)
    roll = shot.roll + ground_truth.frame_turn(camera)
    return Picture(
        image,
        landmarks,
        shot.yaw,
        shot.pitch,
        roll,
        classes,
        areas,
        ground_truth.attributes(sitter.person, sitter.look, shot),
    )


def _check_size(size: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
        raise KinlibError(f"cannot render {width}x{height} px: choose sides from {SMALLEST} to {LARGEST}")
    return height, width


def _frame(landmarks: np.ndarray, shot: Shot, height: int, width: int, crop: str) -> Camera:
    if crop == "photo":
        return photo_camera(shot, height, width)
    if crop != "ffhq" or height != width:
        raise KinlibError("the crop must be 'photo', or 'ffhq' with a square picture")
    return crop_camera(landmarks, height)


def _draw(
    sitter: Sitter, vertices: np.ndarray, posed: np.ndarray, shot: Shot, light: Light, camera: Camera
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear picture [h, w, 3], classes and regions [h, w] at the camera's full resolution."""
    normals = vertex_normals(posed, sitter.head.triangles)
    opaque = [solid for solid in sitter.solids if solid.opacity >= 1]
    scene = _assemble(sitter, posed, normals, opaque, shot, _mouth_light(vertices[sitter.head.landmarks]))
    coverage = cover(camera.project(scene.points), scene.triangles, camera.height, camera.width)
    surface = look_up(coverage, scene)
    hair = _posed(sitter.hair, shot) if sitter.hair is not None else None
    on_mesh, with_hair = _shadows(scene, hair, light)
    lit = light_surface(surface, light, with_hair, camera.scale)
    picture = np.where((coverage.triangle >= 0)[..., None], lit, backdrop.draw(shot, camera.height, camera.width))
    picture = np.ascontiguousarray(picture, np.float32)
    canvas = (picture, coverage.depth, surface.labels, surface.regions)
    rest_normals = vertex_normals(vertices, sitter.head.triangles)
    for strands in _face_hair(sitter, vertices, rest_normals):
        _draw_hair(_posed(strands, shot), light, on_mesh, camera, canvas)
    if hair is not None:
        _draw_hair(hair, light, with_hair, camera, canvas)
    for lens in (solid for solid in sitter.solids if solid.opacity < 1):
        _draw_lens(lens, shot, light, camera, canvas)
    return picture, surface.labels, surface.regions


def _assemble(
    sitter: Sitter, posed: np.ndarray, normals: np.ndarray, solids: list[Solid], shot: Shot, mouth_light: float
) -> Scene:
    """The head and everything worn, as one list of triangles."""
    head = sitter.head
    points, all_normals, rest = [posed], [normals], [head.vertices]
    triangles, parts, corners = [head.triangles], [head.triangle_part.astype(np.int32)], [head.triangle_uv]
    colours, start = [np.zeros_like(posed)], len(posed)
    for number, solid in enumerate(solids):
        moved = solid.vertices if solid.fixed else turn(solid.vertices, shot)
        points.append(moved)
        all_normals.append(vertex_normals(np.ascontiguousarray(moved, np.float32), solid.triangles))
        rest.append(solid.vertices)
        triangles.append(solid.triangles + start)
        parts.append(np.full(len(solid.triangles), SOLID + number, np.int32))
        corners.append(np.zeros_like(solid.triangles))
        colours.append(solid.colour)
        start += len(solid.vertices)
    materials = np.array([[s.specular, s.roughness, s.bump] for s in solids], np.float32).reshape(-1, 3)
    labels = np.array([[s.label, s.region if s.region != NONE else 0] for s in solids], np.uint8).reshape(-1, 2)
    occlusion = np.concatenate([sitter.atlas.occlusion, np.ones(start - len(posed), np.float32)])
    join = lambda arrays, kind: np.ascontiguousarray(np.concatenate(arrays), kind)  # noqa: E731
    return Scene(
        *(join(arrays, np.float32) for arrays in (points, all_normals, rest)),
        occlusion.astype(np.float32),
        *(join(arrays, np.int32) for arrays in (triangles, corners, parts)),
        head.uv,
        join(colours, np.float32),
        materials,
        labels,
        sitter.skin.face,
        sitter.skin.back,
        to_linear(IRIS_COLOURS[sitter.person.traits.iris]),
        0.17 + 0.07 * ((sitter.person.seed % 7) / 7) + 0.02 * (sitter.look.age < 14),
        mouth_light,
    )


def _mouth_light(landmarks: np.ndarray) -> float:
    """How much light falls between lips that far apart; landmarks [68, 3] before turning."""
    gap = float(np.linalg.norm(landmarks[61:64] - landmarks[[67, 66, 65]], axis=1).mean())
    return float(np.clip((gap - CLOSED) / (PARTED - CLOSED), 0.06, 1.0))


def _posed(strands: Strands, shot: Shot) -> Strands:
    matrix = turn_matrix(shot.yaw, shot.pitch, shot.roll)
    normals = np.ascontiguousarray(strands.normals @ matrix.T, np.float32)
    return Strands(**{**vars(strands), "points": turn(strands.points, shot), "normals": normals})


def _shadows(scene: Scene, hair: Strands | None, light: Light) -> tuple[Shadow, Shadow]:
    """What the key lamp sees without and with the hair."""
    seen, axes, scale = shadow_view(scene.points, light)
    depth = cover(seen, scene.triangles, SHADOW_SIZE, SHADOW_SIZE).depth
    if hair is None:
        return (Shadow(axes, depth, scale),) * 2
    hairy = depth.copy()
    strand_depths(shadow_view(hair.points, light)[0], hairy)
    return Shadow(axes, depth, scale), Shadow(axes, hairy, scale)


def _face_hair(sitter: Sitter, vertices: np.ndarray, normals: np.ndarray) -> list[Strands]:
    """Lashes, brows and beard move with the expression, so they are grown anew for each picture."""
    person, look = sitter.person, sitter.look
    grown = [lashes(person, look, vertices, sitter.head)]
    grown += [brows(person, look, vertices, normals, sitter.atlas, sitter.detail)]
    grown += [beard(person, look, vertices, normals, sitter.atlas, sitter.detail)]
    return [strands for strands in grown if strands is not None]


def _draw_hair(strands: Strands, light: Light, shadow: Shadow, camera: Camera, canvas: tuple) -> None:
    colours = light_strands(
        *(strands.points, strands.normals, strands.openness, strands.colour),
        *(strands.shine, HAIR_CAST * strands.cast, light, shadow),
    )
    thickness = (strands.width * camera.scale).astype(np.float32)
    picture, depth, labels, regions = canvas
    draw_strands(
        *(camera.project(strands.points), colours, thickness, strands.label, strands.region),
        *(picture, depth, labels, regions),
    )


def _draw_lens(lens: Solid, shot: Shot, light: Light, camera: Camera, canvas: tuple) -> None:
    """A lens lies over what is behind it: a tint, a reflection, and the label of glasses except over the eyes."""
    picture, depth, labels, _ = canvas
    moved = np.ascontiguousarray(turn(lens.vertices, shot), np.float32)
    seen: Coverage = cover(camera.project(moved), lens.triangles, camera.height, camera.width)
    front = (seen.triangle >= 0) & (seen.depth < depth)
    if not front.any():
        return
    rows, columns = np.nonzero(front)
    across = (columns - columns.min()) / (np.ptp(columns) + 1) + (rows - rows.min()) / (np.ptp(rows) + 1)
    glare = np.clip(1 - np.abs(across - 0.75 - 0.3 * np.sin(shot.seed)) * 5, 0, 1) * 0.10
    picture[front] = picture[front] * (1 - lens.opacity) + lens.colour[0] * lens.opacity
    picture[front] += glare[:, None].astype(np.float32) * np.asarray(light.ambient, np.float32)
    eyes = (labels == class_id("l_eye")) | (labels == class_id("r_eye"))
    labels[front & ~eyes] = class_id("eye_g")


def _develop(linear: np.ndarray, classes: np.ndarray, sitter: Sitter, shot: Shot) -> np.ndarray:
    """Exposure by the face, a film-like tone curve, a soft lens and a little grain; uint8 [H, W, 3].

    The exposure goes three quarters of the way to a middle value that is lower for darker skin, as a photographer's.
    """
    face = (classes == class_id("skin")) | (classes == class_id("nose"))
    seen = float(np.median(linear[face].mean(axis=-1))) if face.any() else 0.3
    wanted = 0.11 + 0.20 * (1 - sitter.person.traits.melanin)
    light = cv2.GaussianBlur(linear * (wanted / max(seen, 1e-3)) ** 0.75, (0, 0), SHARP)
    curve = light * (1 + light / 6) / (1 + light * 0.55) * 1.40
    image = to_srgb(curve)
    image += 0.12 * (image - 0.5) * 4 * image * (1 - image)
    rng = np.random.default_rng([shot.seed, 7])
    image += (rng.normal(size=image.shape[:2])[..., None] * 0.005 + rng.normal(size=image.shape) * 0.003).astype("f4")
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
