"""Scalp hair, brows, beard and lashes."""

from dataclasses import replace

import numpy as np
import pytest
from studio_head import needs_head

from kinlib.runtime.errors import KinlibError
from kinlib.studio.colour import to_linear
from kinlib.studio.hair.beard import beard
from kinlib.studio.hair.brows import brows
from kinlib.studio.hair.colour import beard_colour, brow_colour, hair_colour
from kinlib.studio.hair.hairline import hairline
from kinlib.studio.hair.strands import Strands, join_strands
from kinlib.studio.labels import NONE, class_id, region_id
from kinlib.studio.person import GREY_HAIR, HAIR_STYLES, NUM_SHAPE, PROPORTIONS, Look, Person, Traits

DETAIL = 0.15  # few strands are enough to test


def someone(sex: str = "female", colour: str = "brown", curl: float = 0.1, seed: int = 4, **traits) -> Person:
    shape, proportions = np.zeros(NUM_SHAPE, np.float32), np.zeros(len(PROPORTIONS), np.float32)
    genes = {"melanin": 0.2, "redness": 0.4, "iris": "brown", "hair_colour": colour, "hair_curl": curl, **traits}
    return Person(Traits(shape, proportions, **genes), sex, seed)


def comb(person: Person, look: Look, detail: float = DETAIL) -> Strands | None:
    from kinlib.studio.hair.scalp_hair import scalp_hair
    from kinlib.studio.head.model import load_head
    from kinlib.studio.rendering.raster import vertex_normals

    head = load_head()
    normals = vertex_normals(np.array(head.vertices), head.triangles)
    return scalp_hair(person, look, np.array(head.vertices), normals, detail)


def face_hair(kind: str, person: Person, look: Look, detail: float = 1.0) -> Strands | None:
    from kinlib.studio.atlas.atlas import load_atlas
    from kinlib.studio.rendering.raster import vertex_normals

    atlas = load_atlas()
    vertices = np.array(atlas.head.vertices)
    normals = vertex_normals(vertices, atlas.head.triangles)
    return {"beard": beard, "brows": brows}[kind](person, look, vertices, normals, atlas, detail)


def visible_length(strands: Strands) -> float:
    return float(np.median(np.linalg.norm(np.diff(strands.points, axis=1), axis=2).sum(axis=1)))


def depth_below_skin(points: np.ndarray) -> np.ndarray:
    """Depth [n, K] below the generic head, cm."""
    from kinlib.studio.hair.scalp import fit_frame, measure_body, radial_distance
    from kinlib.studio.head.model import load_head

    vertices = np.array(load_head().vertices)
    body = measure_body(vertices, fit_frame(vertices))
    found = [radial_distance(body.head, body.neck, *(float(c) for c in point)) for point in points.reshape(-1, 3)]
    return np.array([surface - distance for distance, surface, *_ in found]).reshape(points.shape[:2])


# ---------------------------------------------------------------------------------------------------------- hairline


def test_hairline_is_on_the_scalp_only():
    crown, forehead, cheek, nape, neck = [0, 14.3, 0], [0, 8, 10.2], [5, 0, 7], [0, -2, -6.8], [0, -9, -5.5]
    density = hairline(np.array([crown, forehead, cheek, nape, neck], np.float32), someone(), Look())
    assert density[0] == 1 and density[3] > 0.9
    np.testing.assert_array_equal(density[[1, 2, 4]], 0)


def test_hairline_fades_instead_of_ending():
    strip = np.stack([np.zeros(60), np.linspace(9.5, 13, 60), np.linspace(9.7, 6.5, 60)], axis=1)
    density = hairline(strip, someone(), Look())
    assert density[0] == 0 and density[-1] == 1
    assert np.sum((density > 0.05) & (density < 0.95)) >= 6
    assert hairline(strip.reshape(6, 10, 3), someone(), Look()).shape == (6, 10)


def test_receding_hairline_goes_back_and_horseshoe_bares_the_top():
    temple, top, side = np.array([[4.6, 10.6, 6.8]]), np.array([[0, 14.3, 1.0]]), np.array([[7.2, 7.5, -2.0]])
    man = someone("male")
    young, old = (hairline(temple, man, Look(recede=r))[0] for r in (0.0, 2.0))
    assert young - old > 0.5
    bare = Look(hair_style="receding")
    assert hairline(top, man, bare)[0] == 0 and hairline(side, man, bare)[0] > 0.9


# ------------------------------------------------------------------------------------------------------------ colours


def test_hair_greys_and_children_are_fairer():
    person = someone(colour="dark")
    young, old = hair_colour(person, Look(age=30)), hair_colour(person, Look(age=70, grey=1.0))
    assert old.mean() > 4 * young.mean()
    np.testing.assert_allclose(old / old.mean(), to_linear(GREY_HAIR) / to_linear(GREY_HAIR).mean(), rtol=0.01)
    assert hair_colour(person, Look(age=4)).mean() > young.mean()
    assert hair_colour(someone(hair_shade=1.5), Look()).mean() > hair_colour(someone(), Look()).mean()


def test_brows_are_darker_and_beards_redder_than_fair_hair():
    person = someone("male", "blond")
    hair, brow, chin = (f(person, Look()) for f in (hair_colour, brow_colour, beard_colour))
    assert brow.mean() < 0.8 * hair.mean()
    assert chin[0] / chin[2] > hair[0] / hair[2]


@needs_head
def test_grey_hair_is_mixed_of_strands():
    black = comb(someone(colour="black"), Look(hair_style="bob")).colour.mean(axis=1)
    mixed = comb(someone(colour="black"), Look(hair_style="bob", grey=0.5)).colour.mean(axis=1)
    assert mixed.std() > 5 * black.std()
    assert np.quantile(mixed, 0.02) < 0.1 and np.quantile(mixed, 0.98) > 0.35


# ---------------------------------------------------------------------------------------------------------- scalp hair


@needs_head
@pytest.mark.parametrize("style", [style for style in HAIR_STYLES if style != "bald"])
@pytest.mark.parametrize("curl", [0.05, 0.6, 1.0])
def test_every_style_grows_from_the_scalp_and_stays_out_of_the_head(style: str, curl: float):
    from kinlib.studio.hair.scalp import root_pool

    person, look = someone(curl=curl), Look(hair_style=style)
    strands = comb(person, look, 0.04)
    assert len(strands) > 100
    for values in (strands.points, strands.normals, strands.openness, strands.colour, strands.width):
        assert np.isfinite(values).all()
    np.testing.assert_allclose(np.linalg.norm(strands.normals, axis=2), 1, atol=1e-3)
    assert strands.openness.min() >= 0 and strands.openness.max() <= 1
    assert (strands.label == class_id("hair")).all() and (strands.region == region_id("hair")).all()
    assert depth_below_skin(strands.points[:, 1:]).max() < 0.05
    if style not in ("ponytail", "bun", "braids"):  # their tails begin at the knot
        places = root_pool().positions
        grown = places[hairline(places, person, look) > 0]
        gaps = np.linalg.norm(grown[None] - strands.points[:60, :1], axis=2).min(axis=1)
        assert gaps.max() < 0.2


@needs_head
def test_lengths_follow_style_and_wish():
    lengths = [visible_length(comb(someone(), Look(hair_style=s))) for s in ("buzz", "short", "mid", "bob", "long")]
    assert lengths == sorted(lengths)
    assert lengths[0] < 1 and lengths[-1] > 15
    lowest = [comb(someone(), Look(hair_style="bob", hair_length=f)).points[..., 1].min() for f in (1.25, 1.0, 0.75)]
    assert lowest == sorted(lowest)


@needs_head
def test_curl_shows_and_takes_room():
    found = []
    for curl in (0.0, 0.65):
        strands = comb(someone(curl=curl), Look(hair_style="long"))
        turns = np.diff(strands.points, axis=1)
        turns /= np.linalg.norm(turns, axis=2, keepdims=True)
        bends = np.arccos(np.clip((turns[:, 1:] * turns[:, :-1]).sum(axis=2), -1, 1)).sum(axis=1)
        beside = strands.points[np.abs(strands.points[..., 1] - 5) < 3]
        found.append((np.median(bends), np.quantile(np.abs(beside[:, 0]), 0.98)))
    (straight, narrow), (curled, wide) = found
    assert curled > 4 * straight
    assert wide > narrow + 0.5


@needs_head
def test_detail_scales_strands_and_keeps_their_cover():
    few, many = (comb(someone(), Look(hair_style="mid"), detail) for detail in (0.2, 0.4))
    assert len(many) == pytest.approx(2 * len(few), rel=0.03)
    assert many.width.sum() == pytest.approx(few.width.sum(), rel=0.05)
    with pytest.raises(KinlibError, match="detail"):
        comb(someone(), Look(), 0.0)


@needs_head
def test_same_seeds_same_hair_other_seeds_other_hair():
    look = Look(hair_style="wavy", seed=3)
    first, again = comb(someone(), look), comb(someone(), look)
    for name, values in vars(first).items():
        np.testing.assert_array_equal(values, getattr(again, name))
    other = comb(someone(), replace(look, seed=4))
    assert other.points.shape != first.points.shape or np.abs(other.points - first.points).max() > 0.1


@needs_head
def test_parting_moves_hair_to_the_other_side():
    sides = [comb(someone(), Look(hair_style="side", part=part)).points for part in (-2.5, 2.5)]
    on_top = [points[points[:, 0, 1] > 11.5] for points in sides]
    drift = [float((points[:, -1, 0] - points[:, 0, 0]).mean()) for points in on_top]
    assert drift[0] > 0.5 and drift[1] < -0.5
    assert drift[0] == pytest.approx(-drift[1], abs=0.5)


@needs_head
def test_bald_has_no_hair_and_unknown_styles_are_refused():
    assert comb(someone("male"), Look(hair_style="bald")) is None
    with pytest.raises(KinlibError, match="mohawk"):
        comb(someone(), Look(hair_style="mohawk"))


@needs_head
@pytest.mark.parametrize("style", ["short", "afro", "long", "bun", "curly"])
def test_hair_lies_flat_under_a_hat(style: str):
    strands = comb(someone(curl=0.7), Look(hair_style=style, hat="beanie"))
    covered = strands.points[(strands.points[..., 1] > 9) & (strands.points[..., 2] > -4)]
    assert depth_below_skin(covered[::7, None]).min() > -0.3
    open_hair = comb(someone(curl=0.7), Look(hair_style=style))
    assert strands.points[..., 1].max() < open_hair.points[..., 1].max()


@needs_head
@pytest.mark.parametrize("style", ["mid", "long", "wavy", "bob"])
def test_face_stays_free_without_a_fringe(style: str):
    def before_eyes(strands: Strands) -> int:
        x, y, z = np.moveaxis(strands.points, 2, 0)
        return int(((np.abs(x) < 5) & (y > 2) & (y < 7.5) & (z > 8)).any(axis=1).sum())

    look = Look(hair_style=style)
    assert before_eyes(comb(someone(curl=0.6), look, 0.5)) == 0
    assert before_eyes(comb(someone(), replace(look, fringe=True), 0.5)) > 50
    x, y, z = np.moveaxis(comb(someone(), replace(look, fringe=True), 0.5).points, 2, 0)
    assert not ((np.abs(x) < 4) & (y > 2.5) & (y < 4.5) & (z > 8)).any()


@needs_head
def test_hair_fits_a_smaller_head():
    from kinlib.studio.hair.scalp_hair import scalp_hair
    from kinlib.studio.head.model import load_head
    from kinlib.studio.rendering.raster import vertex_normals

    head, size = load_head(), np.array([0.8, 0.75, 0.85], np.float32)
    small = np.ascontiguousarray(head.vertices * size)
    look = Look(hair_style="crop", age=6)
    own = scalp_hair(someone(), look, small, vertex_normals(small, head.triangles), DETAIL)
    generic = comb(someone(), look)
    np.testing.assert_allclose(own.points.mean(axis=(0, 1)) / size, generic.points.mean(axis=(0, 1)), atol=0.15)


# --------------------------------------------------------------------------------------------------------- facial hair


@needs_head
def test_brows_lie_over_the_eyes_one_on_each_side():
    strands = face_hair("brows", someone(), Look())
    left = strands.label == class_id("l_brow")
    assert (strands.label[~left] == class_id("r_brow")).all()
    assert strands.points[left, :, 0].min() > 0 > strands.points[~left, :, 0].max()
    roots = strands.points[:, 0]
    assert roots[:, 1].min() > 4.5 and roots[:, 1].max() < 7
    assert left.sum() == pytest.approx((~left).sum(), rel=0.05)
    heights = [roots[side & (np.abs(roots[:, 0]) > 2.5)][:, 1].mean() for side in (left, ~left)]
    assert heights[0] == pytest.approx(heights[1], abs=0.12)


@needs_head
def test_brows_follow_sex_age_and_genes():
    def mass(person: Person, age: float) -> float:
        strands = face_hair("brows", person, Look(age=age))
        lengths = np.linalg.norm(np.diff(strands.points, axis=1), axis=2).sum(axis=1)
        return float((strands.width * lengths).sum())

    assert mass(someone("male"), 30) > 1.2 * mass(someone("female"), 30)
    assert mass(someone("male"), 75) > 1.2 * mass(someone("male"), 30)
    assert mass(someone("female"), 5) < 0.8 * mass(someone("female"), 30)
    assert mass(someone("male", brow=1.5), 30) > 1.3 * mass(someone("male", brow=-1.5), 30)


@needs_head
def test_only_men_wear_beards():
    look = Look(beard="full")
    assert face_hair("beard", someone("female"), look) is None
    assert face_hair("beard", someone("male"), replace(look, age=9)) is None
    assert face_hair("beard", someone("male"), Look()) is None
    with pytest.raises(KinlibError, match="walrus"):
        face_hair("beard", someone("male"), Look(beard="walrus"))


@needs_head
def test_beards_grow_where_their_names_say():
    full, goatee, lip, short = (
        face_hair("beard", someone("male"), Look(beard=b), DETAIL) for b in ("full", "goatee", "moustache", "stubble")
    )
    roots = {name: s.points[:, 0] for name, s in {"full": full, "goatee": goatee, "lip": lip}.items()}
    assert np.abs(roots["full"][:, 0]).max() > 6 > 3.5 > np.abs(roots["goatee"][:, 0]).max()
    assert roots["lip"][:, 1].min() > -4.6 and roots["goatee"][:, 1].min() < -6.5
    assert (lip.region == region_id("moustache")).mean() > 0.8
    assert set(np.unique(full.region)) == {region_id("moustache"), NONE} and (full.label == NONE).all()
    assert visible_length(short) < 0.4 < visible_length(full)
    dense, thin = (face_hair("beard", someone("male", beard=b), Look(beard="full"), DETAIL) for b in (1.0, 0.1))
    assert len(dense) > 1.5 * len(thin)


@needs_head
def test_lashes_fringe_both_eyes():
    from kinlib.studio.hair.lashes import lashes
    from kinlib.studio.head.model import load_head

    head = load_head()
    strands = lashes(someone(), Look(), np.array(head.vertices), head)
    roots = strands.points[:, 0]
    assert (roots[:, 0] > 0).sum() == (roots[:, 0] < 0).sum() > 40
    assert (np.abs(roots[:, 1] - 3.5) < 1.3).all() and (strands.region == region_id("eyelashes")).all()
    assert strands.points[:, -1, 2].mean() > roots[:, 2].mean()  # they point out of the eye
    assert strands.width.mean() > lashes(someone("male"), Look(), np.array(head.vertices), head).width.mean()


# ------------------------------------------------------------------------------------------------------------- strands


def test_strands_check_their_arrays_and_can_be_joined():
    arrays = [np.zeros(shape) for shape in ((3, 4, 3), (3, 4, 3), (3, 4), (3, 3), (3,), (3,), (3,))]
    strands = Strands(*arrays)
    assert strands.points.dtype == np.float32 and strands.label.dtype == np.uint8
    assert len(join_strands([strands, strands.select(np.array([0]))])) == 4
    with pytest.raises(ValueError, match=r"Strands\.width"):
        Strands(*arrays[:4], np.zeros(2), *arrays[5:])
