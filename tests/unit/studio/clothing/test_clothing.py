"""Clothes, glasses, hats and jewellery fit all heads; backgrounds are blurred, muted and repeatable."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from studio_head import needs_head

from kinlib.studio.appearance.light import random_light
from kinlib.studio.clothing.meshes import Solid, ball, joined, sheet, tube
from kinlib.studio.labels import CLASSES, NONE
from kinlib.studio.person import CLOTHES, HATS, PROPORTIONS, Glasses, Look, Person, Shot, Traits
from kinlib.studio.rendering import backdrop

BACKGROUNDS = ("plain", "gradient", "room", "garden", "street")


def somebody(seed: int, sex: str = "female", scale: float = 1.0) -> Person:
    rng = np.random.default_rng(seed)
    shape = (scale * rng.normal(size=100)).astype(np.float32)
    proportions = (scale * rng.normal(size=len(PROPORTIONS))).astype(np.float32)
    return Person(Traits(shape, proportions, 0.3, 0.5, "brown", "dark"), sex, seed)


def edges_of(mesh) -> Counter:
    """How often each directed edge occurs, vertices at the same place being one."""
    _, place = np.unique(np.round(mesh[0], 5), axis=0, return_inverse=True)
    corners = place.ravel()[mesh[1]]
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    return Counter(map(tuple, edges[edges[:, 0] != edges[:, 1]].tolist()))


def volume(mesh) -> float:
    """Enclosed by a closed mesh; negative if it faces inwards."""
    corners = np.asarray(mesh[0])[mesh[1]]
    return float(np.einsum("ti,ti->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))) / 6


def is_closed(mesh) -> bool:
    edges = edges_of(mesh)
    return all(edges[b, a] == count for (a, b), count in edges.items())


# ------------------------------------------------------------------------------------------------------------ meshes
def test_balls_and_tubes_are_closed_and_face_outwards():
    angle = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    ring = tube(np.column_stack([np.cos(angle), np.sin(angle), 0 * angle]) * 5, 0.5, closed=True)
    stick = tube(np.column_stack([np.linspace(0, 9, 5), np.zeros(5), np.zeros(5)]), np.full((5, 2), 0.5), sides=24)
    bead = ball([1, 2, 3], 2.0, sides=40)
    for mesh, expected in ((ring, np.pi * 0.25 * 2 * np.pi * 5), (stick, np.pi * 0.25 * 9), (bead, np.pi * 32 / 3)):
        assert is_closed(mesh)
        assert volume(mesh) == pytest.approx(expected, rel=0.12)


def test_a_sheet_is_open_and_a_hole_is_seen():
    points = np.stack(np.meshgrid(np.arange(4.0), np.arange(5.0), [0.0]), -1)[:, :, 0]
    mesh = sheet(points)
    assert not is_closed(mesh)
    assert len(mesh[1]) == 2 * 4 * 3


def test_joined_meshes_keep_their_own_triangles():
    both = joined([ball([0, 0, 0], 1), ball([5, 0, 0], 1)])
    assert is_closed(both)
    assert np.ptp(both[0][both[1]][..., 0], axis=1).max() < 2.1


# ------------------------------------------------------------------------------------------------------------- solids
@pytest.fixture(scope="module")
def heads():
    """Thirty people of all ages: (person, age, neutral vertices)."""
    from kinlib.studio.shape.head_shape import build_head

    people = [(somebody(seed, ("female", "male")[seed % 2]), 4.0 + 2.5 * seed) for seed in range(30)]
    return [(person, age, build_head(person, age, {})[0]) for person, age in people]


def marks(vertices: np.ndarray) -> np.ndarray:
    from kinlib.studio.head.model import load_head

    return vertices[load_head().landmarks]


def all_solids(person, look, vertices) -> list[Solid]:
    from kinlib.studio.clothing import accessories
    from kinlib.studio.clothing.clothes import clothes
    from kinlib.studio.clothing.hats import hat
    from kinlib.studio.head.model import load_head

    worn = hat(look, vertices) + accessories.earrings(look, vertices) + accessories.necklace(look, vertices)
    return clothes(person, look, vertices) + worn + accessories.glasses(look, vertices, load_head().landmarks)


@needs_head
@pytest.mark.parametrize("kind", CLOTHES)
def test_solids_are_sound_and_repeatable(heads, kind):
    for number, (person, age, vertices) in enumerate(heads[::5]):
        look = Look(
            age=age, clothes=kind, hat=HATS[number % 2], earrings=True, necklace=True, glasses=Glasses(), seed=number
        )
        solids = all_solids(person, look, vertices)
        again = all_solids(person, look, vertices)
        for solid, same in zip(solids, again, strict=True):
            assert solid.vertices.dtype == np.float32 and solid.vertices.shape[1:] == (3,)
            assert solid.triangles.dtype == np.int32 and solid.triangles.min() == 0
            assert solid.triangles.max() == len(solid.vertices) - 1
            assert solid.colour.shape == solid.vertices.shape and 0 <= solid.colour.min() <= solid.colour.max() <= 1
            assert np.isfinite(solid.vertices).all()
            assert solid.region == NONE and 0 < solid.opacity <= 1
            assert np.array_equal(solid.vertices, same.vertices) and np.array_equal(solid.colour, same.colour)
        assert {CLASSES[solid.label] for solid in solids} == {"cloth", "hat", "ear_r", "neck_l", "eye_g"}


@needs_head
def test_nothing_is_worn_unless_the_look_says_so(heads):
    person, age, vertices = heads[0]
    assert {CLASSES[solid.label] for solid in all_solids(person, Look(age=age), vertices)} == {"cloth"}


def skin_end(vertices: np.ndarray) -> np.ndarray:
    """Vertices at the lower border of the drawn skin."""
    from kinlib.studio.head.model import HEAD, load_head

    head = load_head()
    triangles = head.triangles[head.triangle_part <= HEAD]
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    border = np.unique(unique[count == 1])
    return vertices[border[head.vertices[border, 1] < -10]]


@needs_head
@pytest.mark.parametrize("kind", CLOTHES)
def test_clothes_cover_the_end_of_the_neck_in_every_pose(heads, kind):
    from kinlib.studio.clothing.clothes import clothes
    from kinlib.studio.rendering.camera import rotate_head
    from kinlib.studio.rendering.raster import vertex_normals

    for number, (person, age, vertices) in enumerate(heads[::3]):
        body = clothes(person, Look(age=age, clothes=kind, seed=number), vertices)[0]
        for yaw, pitch, roll in ((0, 0, 0), (45, 10, 8), (-45, -12, -8)):
            shot = Shot(yaw=yaw, pitch=pitch, roll=roll)
            cloth, end = rotate_head(body.vertices, shot), rotate_head(skin_end(vertices), shot)
            outward = vertex_normals(np.ascontiguousarray(cloth), body.triangles)
            distance = np.linalg.norm(end[:, None] - cloth[None], axis=-1)
            nearest = distance.argmin(1)
            behind = ((end - cloth[nearest]) * outward[nearest]).sum(1)
            assert distance.min(1).max() < 3.5
            assert behind.max() < 0.0


@needs_head
def test_garments_differ_and_shoulders_follow_age_and_sex(heads):
    from kinlib.studio.clothing.clothes import clothes

    _, _, vertices = heads[10]
    sizes = {kind: sum(len(s.vertices) for s in clothes(somebody(1), Look(clothes=kind), vertices)) for kind in CLOTHES}
    assert len(set(sizes.values())) >= 3

    def width(sex: str, age: float) -> float:
        return float(np.ptp(clothes(somebody(1, sex), Look(age=age, clothes="crew"), vertices)[0].vertices[:, 0]))

    assert width("female", 5) < width("female", 10) < width("female", 30) < width("male", 30)
    assert width("male", 5) == pytest.approx(width("female", 5))


@needs_head
def test_clothes_take_their_colour_from_the_look(heads):
    from kinlib.studio.clothing.clothes import clothes

    person, _, vertices = heads[10]
    red = clothes(person, Look(clothes_colour=(0.7, 0.1, 0.1), seed=2), vertices)[0].colour.mean(0)
    blue = clothes(person, Look(clothes_colour=(0.1, 0.1, 0.7), seed=2), vertices)[0].colour.mean(0)
    assert red[0] > 2 * red[2] and blue[2] > 2 * blue[0]


@needs_head
def test_lenses_keep_clear_of_eyes_and_rims_of_skin(heads):
    from kinlib.studio.clothing.accessories import glasses
    from kinlib.studio.head.model import EYEBALLS, load_head

    head = load_head()
    balls = np.isin(head.vertex_part, EYEBALLS) & (head.vertices[:, 2] > 8.5)
    skin = (head.vertex_part == 0) & (head.vertices[:, 2] > 5.5)
    for number, (_, age, vertices) in enumerate(heads):
        style = Glasses(2.3 + 0.02 * number, 1.6 + 0.02 * number, 2 + 0.08 * number)
        frame, *lenses = glasses(Look(age=age, glasses=style), vertices, head.landmarks)
        assert len(lenses) == 2 and all(lens.opacity < 0.2 for lens in lenses)
        for lens in lenses:
            for points, room in ((vertices[balls], 0.5), (vertices[skin], 0.05)):
                over = np.linalg.norm(points[:, None, :2] - lens.vertices[None, :, :2], axis=-1)
                covered = over.min(1) < 0.15
                assert covered.any()
                gap = lens.vertices[over.argmin(1), 2] - points[:, 2]
                assert gap[covered].min() > room
        eyes = marks(vertices)[36:48]
        assert np.ptp(frame.vertices[:, 0]) > np.ptp(eyes[:, 0])
        assert abs(frame.vertices[:, 2].max() - marks(vertices)[27, 2]) < 2.0


@needs_head
def test_temples_reach_the_ears_outside_the_head(heads):
    from kinlib.studio.clothing.accessories import glasses
    from kinlib.studio.head.model import load_head

    head = load_head()
    side = (head.vertex_part <= 1) & (np.abs(head.vertices[:, 0]) > 5) & (np.abs(head.vertices[:, 1] - 4.2) < 1)
    side &= (head.vertices[:, 2] > 2.5) & (head.vertices[:, 2] < 7.5)
    for _, age, vertices in heads:
        frame = glasses(Look(age=age, glasses=Glasses()), vertices, head.landmarks)[0].vertices
        assert frame[:, 2].min() < marks(vertices)[[0, 16], 2].mean() - 2
        skin = vertices[side]
        for sign in (-1, 1):
            temple = frame[(frame[:, 0] * sign > 0) & (frame[:, 2] > 3.0) & (frame[:, 2] < 7)]
            apart = np.linalg.norm(skin[:, None, 1:] - temple[None, :, 1:], axis=-1)
            near = apart < 0.3
            depth = sign * (skin[:, None, 0] - temple[None, :, 0])
            assert depth[near].max() < 0.1


@needs_head
def test_glasses_of_children_are_smaller(heads):
    from kinlib.studio.clothing.accessories import glasses
    from kinlib.studio.head.model import load_head
    from kinlib.studio.shape.head_shape import build_head

    person, indices = somebody(3), load_head().landmarks
    widths, eyes = [], []
    for age in (5, 35):
        vertices = build_head(person, age, {})[0]
        widths.append(np.ptp(glasses(Look(age=age, glasses=Glasses()), vertices, indices)[1].vertices[:, 0]))
        middle = marks(vertices)
        eyes.append(middle[42:48, 0].mean() - middle[36:42, 0].mean())
    assert widths[0] / widths[1] == pytest.approx(eyes[0] / eyes[1], rel=1e-3)


@needs_head
def test_tinted_lenses_are_darker_and_denser(heads):
    from kinlib.studio.clothing.accessories import glasses
    from kinlib.studio.head.model import load_head

    _, _, vertices = heads[10]
    clear = glasses(Look(glasses=Glasses()), vertices, load_head().landmarks)[1]
    tinted = glasses(Look(glasses=Glasses(tint=0.8)), vertices, load_head().landmarks)[1]
    assert clear.opacity < 0.15 < 0.5 < tinted.opacity < 1
    assert tinted.colour.mean() < clear.colour.mean()


@needs_head
def test_necklaces_lie_on_the_skin_not_in_it(heads):
    from kinlib.studio.clothing.accessories import necklace
    from kinlib.studio.clothing.bust import load_bust
    from kinlib.studio.clothing.skin_grid import normals

    for number, (_, age, vertices) in enumerate(heads):
        worn = necklace(Look(age=age, necklace=True, seed=number), vertices)[0].vertices
        skin = load_bust().points(vertices)
        outward, skin = normals(skin).reshape(-1, 3), skin.reshape(-1, 3)
        distance = np.linalg.norm(worn[:, None] - skin[None], axis=-1)
        height = ((worn - skin[distance.argmin(1)]) * outward[distance.argmin(1)]).sum(1)
        assert distance.min(1).max() < 1.6
        assert height.min() > -0.06
        azimuth = np.arctan2(worn[:, 0], worn[:, 2])
        assert len(np.unique(np.round(azimuth, 1))) > 50  # all the way around


@needs_head
def test_earrings_hang_at_both_lobes(heads):
    from kinlib.studio.clothing.accessories import earrings

    for number, (_, age, vertices) in enumerate(heads):
        worn = earrings(Look(age=age, earrings=True, seed=number), vertices)[0].vertices
        ears = marks(vertices)[[0, 16]]
        for sign, ear in zip((-1, 1), ears, strict=True):
            mine = worn[worn[:, 0] * sign > 0]
            assert len(mine) == len(worn) / 2
            top = mine[mine[:, 1].argmax()]
            assert -7.5 < top[1] - ear[1] < -2.5
            assert abs(abs(top[0]) - abs(ear[0])) < 2.5


@needs_head
@pytest.mark.parametrize("kind", HATS)
def test_hats_enclose_the_skull_and_leave_brows_and_ears_free(heads, kind):
    from kinlib.studio.clothing.hats import MIDDLE, hat
    from kinlib.studio.head.model import load_head

    head = load_head()
    crown = np.flatnonzero((head.vertex_part <= 1) & (head.vertices[:, 1] > 9.5))
    for number, (_, age, vertices) in enumerate(heads[::3]):
        worn = np.concatenate([solid.vertices for solid in hat(Look(age=age, hat=kind, seed=number), vertices)])
        point = vertices[crown] - MIDDLE
        shell = worn - MIDDLE
        radius = np.linalg.norm(shell, axis=1)
        cosine = (point / np.linalg.norm(point, axis=1)[:, None]) @ (shell / radius[:, None]).T
        assert (np.linalg.norm(point, axis=1) < np.where(cosine > 0.995, radius, 0).max(1)).all()
        face = marks(vertices)
        front = worn[(np.abs(worn[:, 0]) < 5) & (worn[:, 2] > 5) & (worn[:, 2] < face[19, 2] + 0.5)]
        assert front[:, 1].min() > face[[19, 24], 1].max() + 0.3
        beside = worn[(np.abs(worn[:, 2] - 1) < 1) & (np.abs(worn[:, 0]) > 5)]
        assert beside[:, 1].min() > face[[0, 16], 1].min()
    visor = worn[:, 2].max() - vertices[crown, 2].max()
    assert visor > 4 if kind == "cap" else visor < 3


# --------------------------------------------------------------------------------------------------------- backgrounds
@pytest.mark.parametrize("background", BACKGROUNDS)
def test_backgrounds_are_blurred_muted_and_repeatable(background):
    for seed in range(12):
        shot = Shot(background=background, seed=seed)
        scene = backdrop.draw(shot, 96, 96)
        assert scene.shape == (96, 96, 3) and scene.dtype == np.float32
        assert scene.min() >= 0 and scene.max() < 3
        assert 0.02 < scene.mean() < 0.95
        assert np.array_equal(scene, backdrop.draw(shot, 96, 96))
        steepest = max(np.abs(np.diff(scene, axis=axis)).max() for axis in (0, 1))
        assert steepest < 0.35  # nothing is in focus


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_a_background_looks_alike_at_every_resolution(background):
    shot = Shot(background=background, seed=5)
    small, large = backdrop.draw(shot, 64, 64), backdrop.draw(shot, 256, 256)
    shrunk = large.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert np.abs(shrunk - small).mean() < 0.02


def test_backgrounds_take_any_proportions_and_differ_by_seed():
    tall = backdrop.draw(Shot(background="street", seed=1), 150, 120)
    assert tall.shape == (150, 120, 3)
    assert not np.allclose(tall, backdrop.draw(Shot(background="street", seed=2), 150, 120))


def test_warm_light_warms_the_background():
    cold = Shot(background="plain", light=random_light(np.random.default_rng(0), "overcast"))
    warm = replace(cold, light=random_light(np.random.default_rng(0), "lamps"))
    ratio = [
        (scene[..., 0] / scene[..., 2]).mean() for scene in (backdrop.draw(cold, 32, 32), backdrop.draw(warm, 32, 32))
    ]
    assert ratio[1] > 1.05 * ratio[0]
