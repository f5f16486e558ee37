"""The renderer: from a person, a look and a shot to a picture with its ground truth.

    subject = prepare_subject(person, look)       # geometry, skin and hair: once for many pictures
    picture = render_shot(subject, shot, 256)     # expression, pose, light, camera

All geometry is rasterised into one z-buffer, so that image, labels, landmarks and pose agree to the pixel. The result
depends on the arguments only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from kinlib.runtime.errors import KinlibError
from kinlib.studio.appearance.light import studio_light
from kinlib.studio.atlas.atlas import Atlas, load_atlas
from kinlib.studio.clothing.accessories import earrings, glasses, necklace
from kinlib.studio.clothing.clothes import clothes
from kinlib.studio.clothing.hats import hat
from kinlib.studio.clothing.meshes import Solid
from kinlib.studio.colour import to_linear, to_srgb
from kinlib.studio.hair.beard import beard
from kinlib.studio.hair.brows import brows
from kinlib.studio.hair.lashes import lashes
from kinlib.studio.hair.scalp_hair import scalp_hair
from kinlib.studio.hair.strands import Strands
from kinlib.studio.head.model import HeadModel, load_head
from kinlib.studio.labels import NONE, class_id
from kinlib.studio.person import IRIS_COLOURS, NUM_SHAPE, PROPORTIONS, Glasses, Light, Look, Person, Shot, Traits
from kinlib.studio.rendering import backdrop, ground_truth
from kinlib.studio.rendering.camera import Camera, crop_camera, photo_camera, rotate_head, rotation_matrix
from kinlib.studio.rendering.raster import Coverage, cover, draw_strands, majority, strand_depths, vertex_normals
from kinlib.studio.rendering.shading import SHADOW_SIZE, Shadow, light_strands, light_surface, shadow_view
from kinlib.studio.rendering.surface import SOLID, Scene, look_up
from kinlib.studio.shape.head_shape import build_head
from kinlib.studio.skin import SkinTextures, paint_skin

__all__ = ["LARGEST", "SMALLEST", "VERSION", "Picture", "Subject", "prepare_subject", "render", "render_shot"]
__all__ += ["render_alike", "warm_up"]

VERSION = 1  # to be raised whenever the same arguments give another picture

SMALLEST, LARGEST = 32, 2048  # pixels, limits of a picture's sides
HALF_DETAIL_SIZE = 160  # pixels; up to this size half the strands, twice as wide, look the same
LIPS_CLOSED, LIPS_PARTED = 0.10, 0.22  # cm between the lips at which no light, and all light, enters the mouth
LENS_BLUR = 0.45  # pixels, standard deviation of the lens' point spread
HAIR_EXTINCTION = 0.9  # 1/cm, extinction of the key lamp in scalp hair, by eye


@dataclass(frozen=True)
class Picture:
    """A picture and its ground truth.

    Attributes:
        image: uint8 [H, W, 3], sRGB.
        landmarks: float32 [68, 2], (x, y) in pixels with whole numbers at pixel centres, iBUG order.
        yaw, pitch, roll: degrees.
        classes: uint8 [H, W], numbers of `labels.CLASSES` (CelebAMask-HQ).
        regions: uint8 [H, W], numbers of `labels.REGIONS` (StyleGene).
        attributes: flat record of words and numbers; see `ground_truth.attributes`.
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
class Subject:
    """Everything about a person at one age that does not change between pictures."""

    person: Person
    look: Look
    skin: SkinTextures
    hair: Strands | None
    solids: list[Solid]
    detail: float
    head: HeadModel
    atlas: Atlas


def prepare_subject(person: Person, look: Look, size: int = 256) -> Subject:
    """Compute geometry, skin textures, scalp hair and worn solids.

    Args:
        person: traits, sex and seed.
        look: appearance at one age.
        size: longer side of the pictures in pixels; up to 160 the hair gets half the strands.

    Raises:
        KinlibError: if the head model is missing or the look is unknown to the renderer.
    """
    detail = 1.0 if size > HALF_DETAIL_SIZE else 0.5
    head, atlas = load_head(), load_atlas()
    neutral, _ = build_head(person, look.age, {})
    normals = vertex_normals(neutral, head.triangles)
    hair = scalp_hair(person, look, neutral, normals, detail)
    solids = [*clothes(person, look, neutral), *hat(look, neutral), *earrings(look, neutral), *necklace(look, neutral)]
    solids += glasses(look, neutral, head.landmarks)
    return Subject(person, look, paint_skin(person, look, atlas), hair, solids, detail, head, atlas)


def render(person: Person, look: Look, shot: Shot, size: int | tuple[int, int] = 256, crop: str = "photo") -> Picture:
    """One picture of a person; arguments as for `prepare_subject` and `render_shot`."""
    height, width = _check_size(size)
    return render_shot(prepare_subject(person, look, max(height, width)), shot, (height, width), crop)


def warm_up() -> None:
    """Load the head model and compile all kernels (about half a minute, once); worker processes find them cached."""
    traits = Traits(np.zeros(NUM_SHAPE, np.float32), np.zeros(len(PROPORTIONS), np.float32), 0.2, 0.5, "brown", "dark")
    render(Person(traits, "male"), Look(beard="full", glasses=Glasses(), hair_style="wavy"), Shot(), SMALLEST)


def render_shot(subject: Subject, shot: Shot, size: int | tuple[int, int] = 256, crop: str = "photo") -> Picture:
    """Render one picture of a prepared subject.

    Args:
        subject: from `prepare_subject`.
        shot: pose, expression, light, background and framing.
        size: side in pixels, or (height, width).
        crop: "photo" frames as the shot says; "ffhq" is exactly the FFHQ crop (square; the roll is compensated).

    Returns:
        The picture with its ground truth.

    Raises:
        KinlibError: if the size or the crop is impossible.
    """
    return _render(subject, shot, _check_size(size), crop)[0]


def render_alike(
    views: Iterable[tuple[Subject, Shot]], size: int | tuple[int, int] = 256, crop: str = "photo"
) -> Iterator[Picture]:
    """Render pictures that share the frame and the exposure of the first, as retouched copies of it do.

    By itself, a picture with an open mouth would be cropped otherwise, and one of paler skin exposed otherwise.

    Args:
        views: subjects, each with its shot.
        size, crop: as for `render_shot`.

    Raises:
        KinlibError: if the size or the crop is impossible.
    """
    settings = None
    for subject, shot in views:
        picture, settings = _render(subject, shot, _check_size(size), crop, settings)
        yield picture


def _render(
    subject: Subject, shot: Shot, size: tuple[int, int], crop: str, settings: tuple[Camera, float] | None = None
) -> tuple[Picture, tuple[Camera, float]]:
    """A picture with its camera and the gain of its exposure, which are those of `settings` if these are given."""
    height, width = size
    _, vertices = build_head(subject.person, subject.look.age, shot.expression, shot.gaze)
    posed = rotate_head(vertices, shot)
    camera, gain = settings or (_frame(posed[subject.head.landmarks], shot, height, width, crop), None)
    # supersampling per axis: hair in small pictures needs more
    samples = 2 if max(height, width) > HALF_DETAIL_SIZE else 3
    light = shot.light or studio_light()
    # all [h * samples, w * samples, ...]
    linear, labels, regions = _rasterise(subject, vertices, posed, shot, light, camera.supersampled(samples))
    classes, areas = majority(labels, samples, 1), majority(regions, samples, 1)  # [h, w]
    small = cv2.resize(linear, (width, height), interpolation=cv2.INTER_AREA)
    gain = gain or _gain(small, classes, subject.person)
    picture = Picture(
        _tone_map(small * gain, shot.seed),
        ground_truth.visible_landmarks(posed, subject.head, camera),
        shot.yaw,
        shot.pitch,
        shot.roll + ground_truth.frame_roll(camera),
        classes,
        areas,
        ground_truth.attributes(subject.person, subject.look, shot),
    )
    return picture, (camera, gain)


def _check_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) in pixels; KinlibError where the renderer cannot make them."""
    height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
        raise KinlibError(f"cannot render {width}x{height} px: choose sides from {SMALLEST} to {LARGEST}")
    return height, width


def _frame(landmarks: np.ndarray, shot: Shot, height: int, width: int, crop: str) -> Camera:
    """The camera of a crop, for landmarks [68, 3] of the posed head."""
    if crop == "photo":
        return photo_camera(shot, height, width)
    if crop != "ffhq" or height != width:
        raise KinlibError("the crop must be 'photo', or 'ffhq' with a square picture")
    return crop_camera(landmarks, height)


def _rasterise(
    subject: Subject, vertices: np.ndarray, posed: np.ndarray, shot: Shot, light: Light, camera: Camera
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear picture [H, W, 3], classes and regions uint8 [H, W], at the camera's resolution.

    Opaque surfaces are shaded first; hair and then lenses are drawn over them in the same z-buffer.
    """
    normals = vertex_normals(posed, subject.head.triangles)
    opaque = [solid for solid in subject.solids if solid.opacity >= 1]
    scene = _assemble(subject, posed, normals, opaque, shot, _mouth_light(vertices[subject.head.landmarks]))
    coverage = cover(camera.project(scene.points), scene.triangles, camera.height, camera.width)
    surface = look_up(coverage, scene)
    hair = _posed(subject.hair, shot) if subject.hair is not None else None
    on_mesh, with_hair = _shadows(scene, hair, light)  # two shadow maps: hair does not shadow the brows
    lit = light_surface(surface, light, with_hair, camera.scale)
    picture = np.where((coverage.triangle >= 0)[..., None], lit, backdrop.draw(shot, camera.height, camera.width))
    picture = np.ascontiguousarray(picture, np.float32)
    canvas = (picture, coverage.depth, surface.labels, surface.regions)
    rest_normals = vertex_normals(vertices, subject.head.triangles)
    for strands in _face_hair(subject, vertices, rest_normals):
        _draw_hair(_posed(strands, shot), light, on_mesh, camera, canvas)
    if hair is not None:
        _draw_hair(hair, light, with_hair, camera, canvas)
    for lens in (solid for solid in subject.solids if solid.opacity < 1):
        _draw_lens(lens, shot, light, camera, canvas)
    return picture, surface.labels, surface.regions


def _assemble(
    subject: Subject, posed: np.ndarray, normals: np.ndarray, solids: list[Solid], shot: Shot, mouth_light: float
) -> Scene:
    """The head and all opaque solids as one mesh."""
    head = subject.head
    points, all_normals, rest = [posed], [normals], [head.vertices]
    triangles, parts, corners = [head.triangles], [head.triangle_part.astype(np.int32)], [head.triangle_uv]
    colours, start = [np.zeros_like(posed)], len(posed)
    for number, solid in enumerate(solids):
        # solids follow the head unless they are fixed
        moved = solid.vertices if solid.fixed else rotate_head(solid.vertices, shot)
        points.append(moved)
        all_normals.append(vertex_normals(np.ascontiguousarray(moved, np.float32), solid.triangles))
        rest.append(solid.vertices)
        triangles.append(solid.triangles + start)  # [t, 3], rows of the joint vertex list
        parts.append(np.full(len(solid.triangles), SOLID + number, np.int32))
        corners.append(np.zeros_like(solid.triangles))
        colours.append(solid.colour)
        start += len(solid.vertices)
    materials = np.array([[s.specular, s.roughness, s.bump] for s in solids], np.float32).reshape(-1, 3)  # [solids, 3]
    # [solids, 2]
    labels = np.array([[s.label, s.region if s.region != NONE else 0] for s in solids], np.uint8).reshape(-1, 2)
    occlusion = np.concatenate([subject.atlas.occlusion, np.ones(start - len(posed), np.float32)])
    join = lambda arrays, kind: np.ascontiguousarray(np.concatenate(arrays), kind)  # noqa: E731
    return Scene(
        *(join(arrays, np.float32) for arrays in (points, all_normals, rest)),
        occlusion.astype(np.float32),
        *(join(arrays, np.int32) for arrays in (triangles, corners, parts)),
        head.uv,
        join(colours, np.float32),
        materials,
        labels,
        subject.skin.face,
        subject.skin.back,
        to_linear(IRIS_COLOURS[subject.person.traits.iris]),
        # radius of the pupil in cm: 1.7 to 2.4 mm by the seed, 0.2 mm more below 14 years
        0.17 + 0.07 * ((subject.person.seed % 7) / 7) + 0.02 * (subject.look.age < 14),
        mouth_light,
    )


def _mouth_light(landmarks: np.ndarray) -> float:
    """Share of the light that enters between the lips, 0.06..1, from landmarks [68, 3] of the unrotated head."""
    # mean over the three pairs of inner lip landmarks
    gap = float(np.linalg.norm(landmarks[61:64] - landmarks[[67, 66, 65]], axis=1).mean())
    return float(np.clip((gap - LIPS_CLOSED) / (LIPS_PARTED - LIPS_CLOSED), 0.06, 1.0))


def _posed(strands: Strands, shot: Shot) -> Strands:
    """Strands rotated with the head."""
    matrix = rotation_matrix(shot.yaw, shot.pitch, shot.roll)
    normals = np.ascontiguousarray(strands.normals @ matrix.T, np.float32)
    return Strands(**{**vars(strands), "points": rotate_head(strands.points, shot), "normals": normals})


def _shadows(scene: Scene, hair: Strands | None, light: Light) -> tuple[Shadow, Shadow]:
    """Shadow maps of the key lamp, without and with scalp hair."""
    seen, axes, scale = shadow_view(scene.points, light)
    depth = cover(seen, scene.triangles, SHADOW_SIZE, SHADOW_SIZE).depth
    if hair is None:
        return (Shadow(axes, depth, scale),) * 2
    hairy = depth.copy()
    strand_depths(shadow_view(hair.points, light)[0], hairy)
    return Shadow(axes, depth, scale), Shadow(axes, hairy, scale)


def _face_hair(subject: Subject, vertices: np.ndarray, normals: np.ndarray) -> list[Strands]:
    """Lashes, brows and beard; grown on the posed face (vertices, normals [V, 3]) for each picture."""
    person, look = subject.person, subject.look
    grown = [lashes(person, look, vertices, subject.head)]
    grown += [brows(person, look, vertices, normals, subject.atlas, subject.detail)]
    grown += [beard(person, look, vertices, normals, subject.atlas, subject.detail)]
    return [strands for strands in grown if strands is not None]


def _draw_hair(strands: Strands, light: Light, shadow: Shadow, camera: Camera, canvas: tuple) -> None:
    """Shade strands and draw them into the canvas (picture, depth, labels, regions), in place."""
    colours = light_strands(
        *(strands.points, strands.normals, strands.openness, strands.colour),
        *(strands.shine, HAIR_EXTINCTION * strands.cast, light, shadow),
    )
    thickness = (strands.width * camera.scale).astype(np.float32)  # [n], pixels
    picture, depth, labels, regions = canvas
    draw_strands(
        *(camera.project(strands.points), colours, thickness, strands.label, strands.region),
        *(picture, depth, labels, regions),
    )


def _draw_lens(lens: Solid, shot: Shot, light: Light, camera: Camera, canvas: tuple) -> None:
    """Blend a lens over the canvas, in place: tint, reflection, and the label of glasses except over the eyes."""
    picture, depth, labels, _ = canvas
    moved = np.ascontiguousarray(rotate_head(lens.vertices, shot), np.float32)
    seen: Coverage = cover(camera.project(moved), lens.triangles, camera.height, camera.width)
    front = (seen.triangle >= 0) & (seen.depth < depth)
    if not front.any():
        return
    rows, columns = np.nonzero(front)
    # a diagonal streak: position 0..2 across the lens, centred at 0.75 plus up to 0.3 by the seed
    across = (columns - columns.min()) / (np.ptp(columns) + 1) + (rows - rows.min()) / (np.ptp(rows) + 1)
    glare = np.clip(1 - np.abs(across - 0.75 - 0.3 * np.sin(shot.seed)) * 5, 0, 1) * 0.10
    # alpha blending, then 10% of the ambient light as a reflection
    picture[front] = picture[front] * (1 - lens.opacity) + lens.colour[0] * lens.opacity
    picture[front] += glare[:, None].astype(np.float32) * np.asarray(light.ambient, np.float32)
    eyes = (labels == class_id("l_eye")) | (labels == class_id("r_eye"))
    labels[front & ~eyes] = class_id("eye_g")


def _gain(linear: np.ndarray, classes: np.ndarray, person: Person) -> float:
    """Factor on the light, from the face of a linear picture [H, W, 3] with its classes [H, W].

    The exposure corrects 75% of the difference to a target (on a log scale) that is lower for darker skin, so that
    skin tones keep their order.
    """
    face = (classes == class_id("skin")) | (classes == class_id("nose"))
    seen = float(np.median(linear[face].mean(axis=-1))) if face.any() else 0.3
    # target of the median linear radiance of the face; by eye
    wanted = 0.11 + 0.20 * (1 - person.traits.melanin)
    return (wanted / max(seen, 1e-3)) ** 0.75


def _tone_map(linear: np.ndarray, seed: int) -> np.ndarray:
    """Lens blur, a filmic tone curve and sensor noise of an exposed linear picture; uint8 [H, W, 3]."""
    light = cv2.GaussianBlur(linear, (0, 0), LENS_BLUR)
    # Reinhard-like: slope 1.4 in the shadows, a soft shoulder; by eye
    curve = light * (1 + light / 6) / (1 + light * 0.55) * 1.40
    image = to_srgb(curve)
    # a mild S-curve in sRGB, then noise: 0.5% in luminance and 0.3% per channel
    image += 0.12 * (image - 0.5) * 4 * image * (1 - image)
    rng = np.random.default_rng([seed, 7])
    image += (rng.normal(size=image.shape[:2])[..., None] * 0.005 + rng.normal(size=image.shape) * 0.003).astype("f4")
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
