"""Random people look their age and sex; shots and lights stay within what is natural."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from studio_head import needs_head

from kinlib.runtime.errors import KinlibError
from kinlib.studio.appearance.light import LIGHTS, random_light, studio_light
from kinlib.studio.appearance.looks import grey_share, random_look, random_person, standard_look, thinning
from kinlib.studio.appearance.shots import EXPRESSIONS, PLACES, portrait_shot, random_expression, random_shot
from kinlib.studio.person import BEARDS, CLOTHES, HAIR_COLOURS, HAIR_STYLES, HATS, IRIS_COLOURS, SEXES

DRAWS = 2000


@pytest.fixture(scope="module")
def people():
    return [random_person(np.random.default_rng([1, number])) for number in range(200)]


@pytest.fixture(scope="module")
def looks(people):
    """Pairs (person, look), all ages from 3 to 85."""
    rng = np.random.default_rng(2)
    return [
        (people[number % len(people)], random_look(people[number % len(people)], float(rng.uniform(3, 85)), rng))
        for number in range(DRAWS)
    ]


@pytest.fixture(scope="module")
def shots():
    rng = np.random.default_rng(3)
    return [random_shot(rng, 25.0, 30.0) for _ in range(DRAWS)]


def share(of) -> float:
    return float(np.mean(list(of)))


# -------------------------------------------------------------------------------------------------------------- people
def test_people_are_of_both_sexes_and_many_colours(people):
    assert {person.sex for person in people} == set(SEXES)
    assert {person.traits.hair_colour for person in people} <= set(HAIR_COLOURS)
    assert {person.traits.iris for person in people} == set(IRIS_COLOURS)
    melanin = [person.traits.melanin for person in people]
    assert min(melanin) < 0.15 and max(melanin) > 0.75
    dark = [person.traits.hair_colour in ("black", "dark") for person in people]
    assert share(d for d, m in zip(dark, melanin, strict=True) if m > 0.5) > share(
        d for d, m in zip(dark, melanin, strict=True) if m < 0.25
    )


def test_traits_follow_the_generator():
    first, again, other = (random_person(np.random.default_rng(seed)).traits for seed in (5, 5, 6))
    assert np.array_equal(first.shape, again.shape) and first.melanin == again.melanin
    assert not np.array_equal(first.shape, other.shape)


# --------------------------------------------------------------------------------------------------------------- looks
def test_looks_are_repeatable(people):
    assert random_look(people[0], 30, np.random.default_rng(4)) == random_look(people[0], 30, np.random.default_rng(4))
    assert standard_look(people[0], 30, 4) == standard_look(people[0], 30, 4)
    assert random_look(people[0], 30, np.random.default_rng(4)) != random_look(people[0], 30, np.random.default_rng(5))


def test_every_field_is_within_its_range(looks):
    for _, look in looks:
        assert look.hair_style in HAIR_STYLES and look.beard in BEARDS and look.clothes in CLOTHES
        assert look.hat is None or look.hat in HATS
        assert 0.7 <= look.hair_length <= 1.3 and 0.6 <= look.volume <= 1.4 and 0 <= look.recede <= 2
        assert 0 <= look.grey <= 1 and 0 <= look.shadow <= 1 and 0 <= look.lipstick <= 1
        for colour in (look.hat_colour, look.lip_colour, look.clothes_colour):
            assert len(colour) == 3 and 0 <= min(colour) <= max(colour) <= 1


def test_beards_belong_to_grown_men(looks):
    bearded = [(person, look) for person, look in looks if look.beard != "none"]
    assert all(person.male and look.age >= 19 and person.traits.beard >= 0.2 for person, look in bearded)
    assert all(person.male or look.shadow == 0 for person, look in looks)
    men = [look.beard != "none" for person, look in looks if person.male and look.age >= 19]
    assert 0.2 < share(men) < 0.55


def test_make_up_belongs_to_grown_women(looks):
    assert all(not person.male and look.age >= 16 for person, look in looks if look.lipstick > 0)
    women = [look.lipstick > 0 for person, look in looks if not person.male and look.age >= 16]
    assert 0.3 < share(women) < 0.55
    assert share(look.earrings for person, look in looks if not person.male and look.age >= 16) > 0.35
    assert share(look.earrings for person, look in looks if person.male) < 0.08
    assert not any(look.necklace and look.clothes not in ("t-shirt", "v-neck") for _, look in looks)


def test_styles_go_with_sex_age_and_curl(looks):
    for person, look in looks:
        if look.hair_style in ("bald", "receding"):
            assert person.male and look.age > 14
        if look.hair_style == "afro":
            assert person.traits.hair_curl > 0.5
        if person.male:
            assert look.hair_style not in ("long", "wavy", "bob", "bun", "ponytail")
    thin = Counter(look.hair_style in ("bald", "receding") for person, look in looks if person.male and look.age > 60)
    young = Counter(look.hair_style in ("bald", "receding") for person, look in looks if person.male and look.age < 30)
    assert thin[True] / thin.total() > 0.15 > young[True] / young.total()


def test_grey_grows_with_age_and_is_spread(people):
    shares = np.array([[grey_share(person, age) for age in range(3, 90, 3)] for person in people])
    assert (np.diff(shares, axis=1) >= 0).all()
    assert shares[:, :9].max() == 0  # up to 27 years
    middle = shares[:, 16]  # at 51
    assert 0.05 < np.median(middle) < 0.5 and middle.std() > 0.1
    assert np.median(shares[:, 24]) > 0.75  # at 75


def test_hairlines_recede_in_men_only(people):
    old = np.array([[thinning(person, age) for age in (20, 40, 60, 80)] for person in people])
    assert (np.diff(old, axis=1) >= 0).all() and old.max() <= 2
    male = np.array([person.male for person in people])
    assert old[~male].max() < 0.4 < old[male, 2].mean()


def test_glasses_and_hats_are_as_frequent_as_in_albums(looks):
    assert 0.03 < share(look.hat is not None for _, look in looks) < 0.08
    child = share(look.glasses is not None for _, look in looks if look.age < 12)
    old = share(look.glasses is not None for _, look in looks if look.age > 60)
    assert child < 0.15 and 0.35 < old < 0.65
    tinted = [look.glasses.tint for _, look in looks if look.glasses is not None]
    assert 0 < share(tint > 0 for tint in tinted) < 0.08


def test_a_standard_look_is_plain(people):
    for person in people:
        for age in (5, 30, 70):
            look = standard_look(person, age, person.seed)
            assert look.glasses is None and look.hat is None and not look.earrings and not look.necklace
            assert look.beard == "none" and look.lipstick == 0 and not look.fringe
            assert (look.hair_style in ("long", "bob", "curly", "afro")) != person.male


# --------------------------------------------------------------------------------------------------------------- shots
def test_poses_and_framing_stay_in_range(shots):
    yaw, pitch, roll = np.array([(shot.yaw, shot.pitch, shot.roll) for shot in shots]).T
    assert np.abs(yaw).max() <= 25 and np.abs(pitch).max() <= 10 and np.abs(roll).max() <= 9
    assert 9 < yaw.std() < 15 and abs(yaw.mean()) < 1.2
    assert share(np.abs(yaw) < 12.5) > share(np.abs(yaw) > 12.5)
    assert all(26 <= shot.width <= 32 for shot in shots)
    rng = np.random.default_rng(7)
    assert max(abs(random_shot(rng, 45.0).yaw) for _ in range(200)) > 30


def test_eyes_mostly_meet_the_camera(shots):
    gaze = np.array([shot.gaze for shot in shots])
    assert np.abs(gaze[:, 0]).max() <= 0.65 and np.abs(gaze[:, 1]).max() <= 0.35
    direction = np.array([shot.yaw for shot in shots]) + 30 * gaze[:, 0]
    assert np.median(np.abs(direction)) < 3


@needs_head
def test_expressions_are_known_and_plausible(shots):
    from kinlib.studio.head.model import load_head

    names = set(load_head().expression_names)
    for shot in shots:
        assert set(shot.expression) <= names
        assert all(0 <= strength <= 1 for strength in shot.expression.values())
        assert shot.expression["eyeBlink_L"] == shot.expression["eyeBlink_R"] <= 0.08


def test_children_smile_more():
    def smiling(age: float) -> float:
        rng = np.random.default_rng(8)
        return share(random_expression(rng, age).get("mouthSmile_L", 0) > 0.45 for _ in range(DRAWS))

    assert 0.25 < smiling(40) < 0.45 < smiling(6) < 0.65


@pytest.mark.parametrize("kind", EXPRESSIONS)
def test_each_expression_is_nearly_symmetric(kind):
    shape = random_expression(np.random.default_rng(9), kind=kind)
    for name, strength in shape.items():
        if name.endswith("_L"):
            assert shape[f"{name[:-1]}R"] == pytest.approx(strength, abs=0.25 * strength + 1e-6)


def test_light_goes_with_the_place():
    rng = np.random.default_rng(10)
    shots = [random_shot(rng) for _ in range(300)]
    assert {shot.background for shot in shots} == set(PLACES)
    outside = [shot.light.ambient.mean() for shot in shots if shot.background in ("garden", "street")]
    inside = [shot.light.ambient.mean() for shot in shots if shot.background == "room"]
    assert np.mean(outside) > np.mean(inside)


def test_portraits_are_frontal_and_repeatable():
    shot = portrait_shot(4)
    assert (shot.yaw, shot.pitch, shot.roll, shot.gaze) == (0, 0, 0, (0, 0))
    assert 0.2 < shot.expression["mouthSmile_L"] < 0.4
    same = portrait_shot(4)
    assert replace(same, light=None) == replace(shot, light=None)


def test_shots_are_repeatable():
    first, again = (random_shot(np.random.default_rng(11)) for _ in range(2))
    assert replace(first, light=None) == replace(again, light=None)
    assert np.array_equal(first.light.colours, again.light.colours)


# --------------------------------------------------------------------------------------------------------------- light
def test_lights_are_believable():
    rng = np.random.default_rng(12)
    for number in range(DRAWS):
        light = random_light(rng, LIGHTS[number % len(LIGHTS)]) if number else studio_light()
        assert np.linalg.norm(light.directions, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
        assert light.directions[0, 2] > 0 and light.directions[0, 1] > 0  # the key lamp is before and above the face
        key = light.colours[0]
        assert 0.85 <= key[1] <= 2.0 and 0.7 < key[2] / key[0] < 1.2
        assert 0.3 < light.ambient.mean() < 0.75 and (light.colours >= 0).all()
        assert np.abs(light.gradient).sum(1).max() < light.ambient.min()  # nowhere darker than black
        assert 1 <= light.softness <= 4


def test_kinds_of_light_differ_as_they_should():
    def mean(kind: str, measure) -> float:
        rng = np.random.default_rng(13)
        return float(np.mean([measure(random_light(rng, kind)) for _ in range(50)]))

    assert mean("lamps", lambda light: light.colours[0, 0] / light.colours[0, 2]) > 1.1
    assert mean("sun", lambda light: light.softness) < mean("overcast", lambda light: light.softness)
    assert mean("back", lambda light: light.colours[2, 1]) > mean("window", lambda light: light.colours[2, 1])
    assert mean("flash", lambda light: light.directions[0, 2]) > 0.9


def test_an_unknown_light_is_refused():
    with pytest.raises(KinlibError, match="unknown light 'moon'"):
        random_light(np.random.default_rng(0), "moon")
