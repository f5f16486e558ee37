"""Shapes of heads: symmetrical fields, proportions, rigid eyes and teeth, differences by age and sex."""

import numpy as np
import pytest
from studio_head import needs_head

from kinlib.runtime.errors import KinlibError
from kinlib.studio.head.model import EYEBALLS, FACE, TEETH, load_head
from kinlib.studio.person import NUM_SHAPE, PROPORTIONS, Person, Traits
from kinlib.studio.shape import eyes, fields, mouth
from kinlib.studio.shape.fields import Brush
from kinlib.studio.shape.head_shape import build_head, landmarks

pytestmark = needs_head

BLINK = {"eyeBlink_L": 1.0, "eyeBlink_R": 1.0}
SMILE = {f"{name}_{side}": 0.7 for name in ("mouthSmile", "cheekSquint") for side in "LR"}
WIDE = {"eyeWide_L": 0.8, "eyeWide_R": 0.8}
FACES = ({}, BLINK, SMILE, {**BLINK, **SMILE}, {"jawOpen": 0.5}, WIDE)


def make_person(sex: str = "female", seed: int | None = None, **proportions: float) -> Person:
    shape, scores = np.zeros(NUM_SHAPE, np.float32), np.zeros(len(PROPORTIONS), np.float32)
    if seed is not None:
        rng = np.random.default_rng(seed)
        shape[:], scores[:] = rng.normal(size=len(shape)), rng.normal(size=len(scores))
    for name, score in proportions.items():
        scores[PROPORTIONS.index(name)] = score
    return Person(Traits(shape, scores, 0.2, 0.4, "brown", "brown"), sex)


def neutral(person: Person, age: float = 30) -> np.ndarray:
    return build_head(person, age, {})[0]


def width(marks: np.ndarray, right: int, left: int) -> float:
    return float(marks[left, 0] - marks[right, 0])


class TestFields:
    def test_a_brush_and_its_mirror_image(self):
        rng = np.random.default_rng(0)
        points = rng.uniform(-8, 8, (200, 3))
        brush = Brush((2, 1, 3), (2, 1, 3), shift=(0.3, 0.2, -0.1), stretch=(0.1, 0, 0.2), spin=(3, -8, 5))
        moves = fields.paint(points, brush)
        mirrored = fields.paint(points * fields.MIRROR, brush)
        assert np.array_equal(mirrored, (moves * fields.MIRROR).astype(np.float32))
        assert np.abs(moves).max() > 0.05

    def test_a_brush_moves_its_centre_by_its_shift(self):
        moves = fields.paint(np.array([[5.0, 0, 0], [50.0, 0, 0]]), Brush((5, 0, 0), 1.0, shift=(0, 0.7, 0)))
        assert np.allclose(moves, [[0, 0.7, 0], [0, 0, 0]], atol=1e-6)

    def test_a_warp_moves_anchors_and_keeps_a_shift(self):
        anchors = np.array([[0, 5, 0], [3, 0, 1], [2, -4, 3], [0, 0, 8.0], [6, 2, -5]])
        moves = np.tile([0, 0.5, -0.25], (len(anchors), 1))
        points = np.random.default_rng(1).uniform(-9, 9, (50, 3))
        assert np.allclose(fields.warp(points, anchors, moves), moves[0], atol=1e-5)
        moves[1] = (0.2, 0.3, 0)
        warped = fields.warp(anchors[1:2], anchors, moves)[0]
        assert np.allclose(warped, moves[1], atol=0.05)

    def test_every_field_is_symmetrical(self):
        from kinlib.studio.shape.head_shape import _load_fields

        head, fields = load_head(), _load_fields()
        twins = mirror_twins(head.vertices)
        for name, values in zip(fields.names, fields.values.reshape(len(fields.names), -1, 3), strict=True):
            assert np.allclose(values[twins[0]], values[twins[1]] * [-1, 1, 1], rtol=0, atol=2e-6), name


def mirror_twins(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of vertices that mirror each other to the bit."""
    places = {tuple(point): row for row, point in enumerate(points)}
    pairs = [(row, places.get((-x, y, z))) for row, (x, y, z) in enumerate(points) if x > 0]
    found = np.array([pair for pair in pairs if pair[1] is not None])
    assert len(found) > 5000
    return found[:, 0], found[:, 1]


class TestProportions:
    def test_mean_traits_are_close_to_the_generic_head(self):
        head = load_head()
        both = (neutral(make_person("female")) + neutral(make_person("male"))) / 2
        marks = landmarks(both) - landmarks(head.vertices)
        assert np.abs(marks).max() < 0.35
        assert np.abs(marks).mean() < 0.08

    @pytest.mark.parametrize(
        ("name", "right", "left", "least"),
        [
            ("nose_width", 31, 35, 0.25),
            ("eye_spacing", 39, 42, 0.28),
            ("mouth_width", 48, 54, 0.45),
            ("jaw_width", 4, 12, 0.70),
            ("face_width", 0, 16, 0.50),
        ],
    )
    def test_widths(self, name: str, right: int, left: int, least: float):
        narrow, mean, wide = (
            width(landmarks(neutral(make_person(**{name: score}))), right, left) for score in (-2, 0, 2)
        )
        assert wide - mean > least
        assert mean - narrow > least

    @pytest.mark.parametrize(
        ("name", "upper", "lower", "least"),
        [
            ("chin_height", 57, 8, 0.30),
            ("nose_length", 27, 33, 0.30),
            ("lip_fullness", 51, 57, 0.30),
            ("brow_height", 19, 37, 0.22),
        ],
    )
    def test_heights(self, name: str, upper: int, lower: int, least: float):
        low, high = (landmarks(neutral(make_person(**{name: score}))) for score in (-2, 2))
        assert (high[upper, 1] - high[lower, 1]) - (low[upper, 1] - low[lower, 1]) > 2 * least

    def test_every_proportion_has_an_effect(self):
        mean = neutral(make_person())
        for name in PROPORTIONS:
            moved = np.linalg.norm(neutral(make_person(**{name: 2.0})) - mean, axis=1)
            assert moved.max() > 0.12, name

    def test_rare_extremes_are_softened(self):
        mean, two, nine = (neutral(make_person(nose_length=score)) for score in (0, 2, 9))
        assert np.abs(nine - mean).max() < 1.7 * np.abs(two - mean).max()

    def test_cleft_chin_and_lobes(self):
        plain = make_person()
        traits = {**vars(plain.traits), "cleft_chin": 1.0, "free_lobes": False}
        moved = np.linalg.norm(neutral(Person(Traits(**traits), "female")) - neutral(plain), axis=1)
        face = load_head().vertices[moved > 0.08]
        assert (np.abs(face[:, 0]) < 1).any()
        assert (np.abs(face[:, 0]) > 6.5).any()


class TestSexAndAge:
    def test_men_have_wider_jaws_and_necks_and_lower_brows(self):
        woman, man = (neutral(make_person(sex, seed=4)) for sex in ("female", "male"))
        her, him = landmarks(woman), landmarks(man)
        assert width(him, 4, 12) > width(her, 4, 12) + 0.8
        assert him[62, 1] - him[8, 1] > her[62, 1] - her[8, 1] + 0.3
        assert him[19, 1] - him[37, 1] < her[19, 1] - her[37, 1]
        neck = np.abs(load_head().vertices - [5.5, -9.5, -1.5]).sum(1).argmin()
        assert man[neck, 0] > woman[neck, 0] + 0.5

    def test_dimorphism_is_small_in_children(self):
        girl, boy, woman, man = (neutral(make_person(s, seed=4), a) for a in (4, 25) for s in ("female", "male"))
        assert 0 < np.abs(girl - boy).mean() < 0.3 * np.abs(woman - man).mean()

    def test_children_have_small_faces_with_large_eyes(self):
        heights, eyes, skulls = [], [], []
        for age in (3, 4, 8, 13, 25):
            points = neutral(make_person("male", seed=2), age)
            marks = landmarks(points)
            heights.append(marks[27, 1] - marks[8, 1])
            eyes.append(width(marks, 42, 45) / heights[-1])
            skulls.append((points[:, 1].max() - marks[27, 1]) / heights[-1])
        assert np.all(np.diff(heights) > 0.2)
        assert np.all(np.diff(eyes) < 0)
        assert np.all(np.diff(skulls) < 0)
        assert eyes[1] > 1.15 * eyes[-1]

    def test_ageing_lengthens_noses_and_thins_lips(self):
        young, old = (landmarks(neutral(make_person("female", seed=3), age)) for age in (25, 75))
        assert old[27, 1] - old[30, 1] > young[27, 1] - young[30, 1] + 0.1
        assert old[51, 1] - old[57, 1] < young[51, 1] - young[57, 1] - 0.15

    def test_growth_is_smooth(self):
        person = make_person("male", seed=5)
        steps = [np.abs(neutral(person, age + 1) - neutral(person, age)).max() for age in range(3, 85)]
        assert max(steps) < 1.0


class TestEyes:
    @pytest.mark.parametrize("age", [4, 30, 80])
    def test_eyeballs_are_rigid_and_rotate(self, age: int):
        rest, posed = build_head(make_person("male", seed=6), age, SMILE, (0.2, -0.1))
        head = load_head()
        for part, eye in zip(EYEBALLS, eyes.load_eyes(), strict=True):
            ball = head.vertex_part == part
            for points in (rest, posed):
                ratio = distances(points[ball]) / distances(head.vertices[ball])
                assert np.allclose(ratio, ratio.mean(), rtol=1e-3)
                assert 0.85 < ratio.mean() < 1.15
            before, after = (points[ball].mean(0) - eyes.fit(rest, eye).centre for points in (rest, posed))
            assert after[0] > before[0] + 0.05
            assert after[1] < before[1] - 0.02

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("age", [4, 30, 80])
    def test_lids_lie_on_the_eyeballs(self, age: int, seed: int):
        person = make_person("female" if seed % 2 else "male", seed=seed)
        head = load_head()
        for number, expression in enumerate(FACES):
            gaze = ((0.0, 0.0), (0.3, 0.0), (0.0, -0.3))[number % 3]
            rest, posed = build_head(person, age, expression, gaze)
            for eye in eyes.load_eyes():
                held = eye.lids[(eye.hold[:, 0] == 1) & (head.vertex_part[eye.lids] == FACE)]
                lifted = clearance(posed, eye, held, gaze) - eye.clearance[np.isin(eye.lids, held)]
                assert np.abs(lifted).max() < 0.08
            assert np.isfinite(rest).all()

    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("age", [4, 30, 80])
    def test_a_blink_shuts_the_eyes(self, age: int, seed: int):
        person = make_person("male", seed=seed)
        for expression in (BLINK, {**BLINK, **SMILE}):
            _, posed = build_head(person, age, expression)
            for eye in eyes.load_eyes():
                gaps = posed[eye.pairs[:, 0], 1] - posed[eye.pairs[:, 1], 1]
                assert np.abs(gaps).max() < 0.13

    @pytest.mark.parametrize("seed", range(8))
    def test_eyes_at_rest_are_open_normally(self, seed: int):
        rest = neutral(make_person("male", seed=seed))
        for eye in eyes.load_eyes():
            assert 0.6 < eyes.openings(rest, eye).mean() < 1.3

    def test_children_have_larger_eyeballs_relative_to_their_lids(self):
        child, adult = (eyes.fit(neutral(make_person(), age), eyes.load_eyes()[0]) for age in (4, 30))
        child_lids, adult_lids = (width(landmarks(neutral(make_person(), age)), 42, 45) for age in (4, 30))
        assert child.scale / adult.scale > child_lids / adult_lids


def distances(points: np.ndarray) -> np.ndarray:
    """Distances from every tenth point of a ball to the point half a list away."""
    return np.linalg.norm(points[::10] - np.roll(points, len(points) // 2, axis=0)[::10], axis=1)


def clearance(points: np.ndarray, eye: eyes.Eye, rows: np.ndarray, gaze: tuple[float, float]) -> np.ndarray:
    """cm of vertices above the eyeball, divided by the eyeball's size."""
    turn = eyes.rotation(eye, *np.degrees(np.arctan(gaze)))
    ball, turned = points[eye.ball], eye.offsets @ turn.T
    size = distances(ball).mean() / distances(turned).mean()
    centre = (ball - size * turned).mean(0)
    offset = points[rows] - centre
    radius = np.linalg.norm(offset, axis=1)
    axis = turn @ eye.axis
    return radius / size - np.interp(offset @ axis / radius, eyes.KNOTS, eye.surface)


class TestMouth:
    @pytest.mark.parametrize("seed", range(6))
    def test_lips_meet_at_rest(self, seed: int):
        for age in (4, 30, 80):
            assert abs(mouth.lip_gap(neutral(make_person("female", seed=seed), age)) - mouth.GAP) < 0.02

    def test_teeth_keep_their_form(self):
        head, points = load_head(), neutral(make_person("male", seed=9), 6)
        teeth = head.vertex_part == TEETH
        ratio = distances(points[teeth]) / np.maximum(distances(head.vertices[teeth]), 1e-6)
        assert np.allclose(ratio, ratio.mean(), rtol=1e-3)
        assert ratio.mean() < 0.95

    def test_a_childs_jaw_opens_less(self):
        opened = []
        for age in (4, 30):
            rest, posed = build_head(make_person(), age, {"jawOpen": 0.5})
            opened.append(landmarks(rest)[8, 1] - landmarks(posed)[8, 1])
        assert 0.6 < opened[0] / opened[1] < 0.95


class TestBuild:
    def test_same_input_same_output(self):
        person = make_person("female", seed=8)
        first, second = (build_head(person, 33, SMILE, (0.1, 0.05)) for _ in range(2))
        for one, other in zip(first, second, strict=True):
            assert one.dtype == np.float32
            assert np.array_equal(one, other)

    def test_nothing_of_the_head_model_is_changed(self):
        before = load_head().vertices.copy()
        build_head(make_person("male", seed=1), 50, {**BLINK, "jawOpen": 1.0}, (0.3, 0.3))
        assert np.array_equal(load_head().vertices, before)

    def test_unknown_expressions_are_refused(self):
        with pytest.raises(KinlibError, match="unknown expression 'grin'"):
            build_head(make_person(), 30, {"grin": 1.0})
