"""The atlas: its tools on small shapes, and the maps of the real head."""

import numpy as np
import pytest
from studio_head import needs_head

from kinlib.studio.atlas import atlas as atlas_module
from kinlib.studio.atlas.atlas import build_atlas, load_atlas
from kinlib.studio.atlas.curves import FAR, bump, curve_distance, inside, ramp, smooth_closed
from kinlib.studio.atlas.noise import NOISE, paint_noise
from kinlib.studio.atlas.occlusion import occlusion
from kinlib.studio.atlas.uv import sample
from kinlib.studio.atlas.wrinkles import WRINKLES
from kinlib.studio.head.model import EYEBALLS, FACE, HEAD, MOUTH_SOCKET, TEETH, load_head
from kinlib.studio.labels import CLASSES, REGIONS, class_id, region_id
from kinlib.studio.rendering.raster import vertex_normals

SQUARE = np.array([[0, 0], [2, 0], [2, 2], [0, 2]], float)
DRAWN_ELSEWHERE = {"background", "eyelashes", "iris", "pupil", "sclera", "hair", "teeth"}


def test_ramp_rises_and_falls():
    np.testing.assert_allclose(ramp(np.array([-1, 0, 0.5, 1, 2]), 0, 1), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(ramp(np.array([-1, 0.25, 2]), 1, 0), [1, 1 - ramp(np.array(0.25), 0, 1), 0])


def test_bump_is_one_at_its_centre():
    assert bump(3.0, 4.0, (3, 4), (1, 2)) == 1
    assert bump(4.0, 4.0, (3, 4), (1, 2)) == pytest.approx(np.exp(-0.5))


def test_inside_is_a_signed_distance():
    points = np.array([[1, 1], [1, 0.25], [-0.5, 1], [3, 3], [1, 2.5]], float)
    np.testing.assert_allclose(inside(points, SQUARE), [1, 0.25, -0.5, -np.sqrt(2), -0.5], atol=1e-6)
    assert inside(np.array([2 + 3 * FAR, 1.0]), SQUARE) == pytest.approx(-3 * FAR)
    assert inside(np.zeros((3, 4, 2)), SQUARE).shape == (3, 4)


def test_inside_of_a_hollow_shape():
    hook = np.array([[0, 0], [3, 0], [3, 3], [2, 3], [2, 1], [0, 1]], float)
    assert inside(np.array([2.5, 2.5]), hook) == pytest.approx(0.5)
    assert inside(np.array([1, 2]), hook) == pytest.approx(-1)


def test_curve_distance_and_place():
    corner = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0]], float)
    points = np.array([[1, 0, 1], [2, 2.5, 0], [-0.3, 0.4, 0]], float)
    distance, place = curve_distance(points, corner)
    np.testing.assert_allclose(distance, [1, 0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(place, [0.25, 1, 0], atol=1e-6)


def test_smooth_closed_goes_through_its_points():
    circle = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1)
    smooth = smooth_closed(circle, 160)
    np.testing.assert_allclose(np.hypot(*smooth.T), 1, atol=0.01)


def test_sample_reads_texel_centres_and_between():
    texture = np.arange(16, dtype=np.float32).reshape(4, 4)
    uv = np.array([[0.125, 0.125], [0.375, 0.125], [0.25, 0.125], [0.125, 0.375], [-1, -1]])
    np.testing.assert_allclose(sample(texture, uv), [0, 1, 0.5, 4, 0])
    both = sample(np.stack([texture, -texture], axis=-1), uv)
    np.testing.assert_allclose(both[:, 1], -both[:, 0])


def test_occlusion_at_the_foot_of_a_wall():
    """A wide wall hides half of the sky from a point at its foot, and none from a point far before it."""
    floor = [[x, 0, z] for x in (-40, 0, 40) for z in (0, 1, 30, 60)]
    wall = [[x, y, 0] for x in (-40, 40) for y in (0, 80)]
    points = np.array([*floor, *wall], np.float32)
    triangles = []
    for i in range(2):
        for j in range(3):
            a, b, c, d = 4 * i + j, 4 * i + j + 1, 4 * i + j + 5, 4 * i + j + 4
            triangles += [[a, b, c], [a, c, d]]
    triangles = np.array([*triangles, [12, 14, 15], [12, 15, 13]], np.int32)
    normals = np.zeros_like(points)
    normals[:12, 1], normals[12:, 2] = 1, 1
    seen = occlusion(points, triangles, normals)
    assert seen[5] == pytest.approx(0.5, abs=0.06)  # 1 cm before the wall, on the floor
    assert seen[7] > 0.75
    assert seen.min() >= 0 and seen.max() <= 1


def test_noise_is_even_and_tiles():
    noise = paint_noise(128)
    assert set(noise) == set(NOISE)
    for name, field in noise.items():
        assert field.shape == (128, 128) and field.dtype == np.float32
        step, seam = np.diff(field, axis=1), field[:, 0] - field[:, -1]
        assert seam.std() < 1.6 * step.std(), name
    for name in ("pore", "fine", "middle", "low"):
        assert abs(noise[name].mean()) < 1e-3 and noise[name].std() == pytest.approx(1, abs=1e-3)
    assert noise["freckles"].min() == 0 and 0.9 < noise["freckles"].max() <= 1
    assert np.diff(noise["low"]).std() < 0.2 * np.diff(noise["fine"]).std()


@pytest.fixture(scope="module")
def atlas():
    return load_atlas()


@pytest.fixture(scope="module")
def head():
    return load_head()


def at_landmarks(atlas, texture: np.ndarray, numbers) -> np.ndarray:
    column, row = np.floor(atlas.landmark_uv[list(numbers)] * len(texture)).astype(int).T
    return texture[row, column]


@needs_head
def test_shapes(atlas, head):
    size = (atlas.size, atlas.size)
    assert atlas.size == atlas_module.SIZE and atlas.face_positions.shape == (*size, 3)
    back = atlas.back_covered.shape
    assert atlas.back_positions.shape == (*back, 3) and atlas.back_labels.shape == atlas.back_regions.shape == back
    for group in (atlas.masks, atlas.wrinkles):
        for name, mask in group.items():
            assert mask.shape == size and mask.dtype == np.float32, name
            assert mask.min() >= 0 and 0.7 < mask.max() <= 1, name
    assert all(field.shape == size for field in atlas.noise.values())
    assert set(atlas.wrinkles) == set(WRINKLES) and set(atlas.noise) == set(NOISE)
    assert atlas.occlusion.shape == (len(head.vertices),) and atlas.landmark_uv.shape == (68, 2)


@needs_head
def test_masks_are_the_same_on_both_sides(atlas):
    for name, mask in atlas.masks.items():
        if name.startswith("brow"):
            continue
        assert np.abs(mask - mask[:, ::-1]).mean() < 1e-3, name
    mirrored = atlas.masks["brow_right"][:, ::-1]
    assert np.abs(atlas.masks["brow_left"] - mirrored).max() < 0.1
    assert atlas.masks["brow_left"][:, : atlas.size // 2].max() == 0  # the person's left is the image's right


@needs_head
def test_every_region_of_the_skin_is_there(atlas):
    found = set(np.unique(atlas.face_regions[atlas.face_covered]))
    found |= set(np.unique(atlas.back_regions[atlas.back_covered]))
    assert found == {number for number, name in enumerate(REGIONS) if name not in DRAWN_ELSEWHERE}
    for number in found - {region_id("neck"), region_id("head")}:
        share = (atlas.face_regions == number)[:, : atlas.size // 2].sum() / (atlas.face_regions == number).sum()
        assert 0.4 < share < 0.6, REGIONS[number]


@needs_head
def test_every_class_of_the_skin_is_there(atlas):
    found = {CLASSES[number] for number in np.unique(atlas.face_labels[atlas.face_covered])}
    assert found == {"skin", "nose", "l_brow", "r_brow", "l_ear", "r_ear", "u_lip", "l_lip", "neck"}
    for left, right in (("l_brow", "r_brow"), ("l_ear", "r_ear")):
        assert atlas.face_positions[atlas.face_labels == class_id(left), 0].min() > 0
        assert atlas.face_positions[atlas.face_labels == class_id(right), 0].max() < 0


@needs_head
@pytest.mark.parametrize(
    ("region", "numbers"),
    [
        ("jaw", (4, 5, 6, 10, 11, 12)),
        ("chin", (8,)),
        ("nose bridge", (27, 28, 29)),
        ("nose tip", (30,)),
        ("nose", (32, 33, 34)),
        ("top lid", (37, 38, 43, 44)),
        ("tear duct", (39, 42)),
        ("eye-bottom lid", (40, 41, 46, 47)),
        ("superior lip", (61, 62, 63)),
        ("inferior lip", (65, 66, 67)),
    ],
)
def test_landmarks_lie_in_their_regions(atlas, region, numbers):
    assert {REGIONS[number] for number in at_landmarks(atlas, atlas.face_regions, numbers)} == {region}


@needs_head
def test_lips_and_brows_follow_their_landmarks(atlas, head):
    lip = at_landmarks(atlas, atlas.masks["lip"], range(48, 68))
    assert (lip[:12] > 0.1).all() and (lip[:12] < 0.9).all()  # the outline is where the lip begins
    assert (lip[12:] > 0.95).all()
    upper, lower = (at_landmarks(atlas, atlas.masks[f"lip_{half}"], range(61, 68)) for half in ("upper", "lower"))
    assert (upper[:3] > 0.9).all() and (lower[4:] > 0.9).all()
    for side, numbers in (("left", range(22, 27)), ("right", range(17, 22))):
        points, _ = atlas.place(atlas.brows[side].uv, head.vertices, head.vertices)
        below = head.vertices[head.landmarks[list(numbers)]][:, None] - points
        assert (np.linalg.norm(below, axis=-1).min(axis=1) < 0.45).all()
        assert abs(points[0, 0]) < abs(points[-1, 0]) and atlas.brows[side].half_width.max() < 0.5


@needs_head
def test_inner_upper_lip_is_upper_lip(atlas, head):
    """Inside the closed mouth the two lips touch; behind the seam the upper one still faces down."""
    normals = vertex_normals(head.vertices, head.triangles)
    rows, columns = np.nonzero(atlas.masks["lip_inner"] > 0.9)
    keep = atlas.face_covered[rows, columns] & (np.abs(atlas.face_positions[rows, columns, 0]) < 1.5)
    rows, columns = rows[keep], columns[keep]
    uv = (np.stack([columns, rows], axis=1) + 0.5) / atlas.size
    _, normal = atlas.place(uv, head.vertices, normals)
    upper = atlas.face_labels[rows, columns] == class_id("u_lip")
    assert upper.any() and (~upper).any()
    assert (normal[upper, 1] < 0.1).mean() > 0.95 and (normal[~upper, 1] > -0.1).mean() > 0.95


@needs_head
def test_occlusion(atlas, head):
    seen = atlas.occlusion
    assert seen.min() >= 0 and seen.max() <= 1
    x, y, z = head.vertices.T
    face = head.vertex_part == FACE
    forehead = seen[face & (abs(x) < 3) & (y > 7) & (y < 10) & (z > 8)].mean()
    nostrils = seen[face & (abs(x) < 1.2) & (y > -0.7) & (y < 0.5) & (z > 9) & (z < 11)].mean()
    assert forehead > 0.9 and nostrils < 0.3
    assert seen[head.vertex_part == MOUTH_SOCKET].mean() < 0.15
    teeth = (head.vertex_part == TEETH) & (z > 10) & (abs(x) < 1)
    assert np.percentile(seen[teeth], 90) > 0.3  # of the open mouth
    assert 0.3 < np.percentile(seen[head.vertex_part == EYEBALLS[0]], 95) < 1


@needs_head
def test_surface_and_position_maps_agree(atlas, head):
    rng = np.random.default_rng(0)
    for part, positions, covered in (
        (FACE, atlas.face_positions, atlas.face_covered),
        (HEAD, atlas.back_positions, atlas.back_covered),
    ):
        rows, columns = np.nonzero(covered)
        chosen = rng.choice(len(rows), 4000)
        rows, columns = rows[chosen], columns[chosen]
        uv = (np.stack([columns, rows], axis=1) + 0.5) / len(covered) + [part, 0]
        points, normals = atlas.place(uv, head.vertices, vertex_normals(head.vertices, head.triangles))
        assert np.abs(points - positions[rows, columns]).max() < 0.05
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
        triangle, weights = atlas.surface(uv)
        assert set(head.triangle_part[triangle]) == {part}
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
        texture = np.einsum("nij,ni->nj", head.uv[head.triangle_uv[triangle]], weights)
        np.testing.assert_allclose(texture, uv, atol=1e-4)


@needs_head
def test_surface_beside_the_texture_is_its_border(atlas, head):
    triangle, weights = atlas.surface(np.array([[0.5, 0.999], [0.001, 0.001], [1.02, 0.3], [-3, 0.5]]))
    assert weights.min() >= 0 and np.allclose(weights.sum(axis=1), 1, atol=1e-5)
    assert head.triangle_part[triangle[0]] == FACE and head.triangle_part[triangle[2]] == HEAD
    top = np.einsum("ij,i->j", head.uv[head.triangle_uv[triangle[0]]], weights[0])
    assert abs(top[0] - 0.5) < 0.02 and top[1] > 0.98


@pytest.fixture
def quick(monkeypatch):
    """Without the slow part."""
    monkeypatch.setattr(atlas_module, "_occlusion", lambda head, normals: np.ones(len(head.vertices), np.float32))


@needs_head
def test_cached_atlas_equals_the_one_made(cache, quick, monkeypatch):
    made = load_atlas.__wrapped__(64)
    (path,) = (cache / "studio").iterdir()
    assert path.suffix == ".npz"
    monkeypatch.setattr(atlas_module, "build_atlas", None)  # would fail if it were called
    again = load_atlas.__wrapped__(64)
    for name in ("masks", "back_masks", "wrinkles", "noise"):
        first, second = getattr(made, name), getattr(again, name)
        assert list(first) == list(second)
        assert all(np.array_equal(first[key], second[key]) for key in first)
    np.testing.assert_array_equal(made.face_regions, again.face_regions)
    np.testing.assert_array_equal(made.brows["left"].uv, again.brows["left"].uv)


@needs_head
@pytest.mark.parametrize("damage", ["cut", "text", "incomplete"])
def test_damaged_cache_is_made_again(cache, quick, damage):
    load_atlas.__wrapped__(64)
    (path,) = (cache / "studio").iterdir()
    good = path.read_bytes()
    if damage == "incomplete":
        np.savez(path, face_positions=np.zeros(3))
    else:
        path.write_bytes(good[: len(good) // 2] if damage == "cut" else b"not an archive")
    assert load_atlas.__wrapped__(64).size == 64
    assert path.read_bytes() == good
    assert [kept.name for kept in path.parent.iterdir()] == [path.name]


@needs_head
def test_cache_that_cannot_be_written_is_done_without(cache, quick):
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text("in the way")
    assert load_atlas.__wrapped__(64).size == 64


@needs_head
def test_atlas_is_the_same_every_time(head, quick):
    first, second = build_atlas(head, 48), build_atlas(head, 48)
    assert all(np.array_equal(first[name], second[name]) for name in first)
