"""Figures of the studio's notebook: the family tree, chromosomes, gametes, contact sheets and truth."""

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from kinlib import figures
from kinlib.figures.genetics import _stretches
from kinlib.runtime.errors import KinlibError
from kinlib.studio.pedigree.extended_families import simulate


def picture(seed=0, size=(24, 30)):
    colour = np.random.default_rng(seed).integers(0, 256, 3)
    return Image.new("RGB", size, tuple(colour.tolist()))


def words(figure):
    return [text.get_text() for holder in (figure, *figure.axes) for text in holder.texts]


def in_page(figure):
    """Whether all words lie inside the figure."""
    figure.draw_without_rendering()
    page = figure.bbox
    boxes = [text.get_window_extent() for holder in (figure, *figure.axes) for text in holder.texts if text.get_text()]
    return all(box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1 and box.y0 >= page.y0 - 1 for box in boxes)


# ---- family tree


def couples_of(pedigree, family):
    names = pedigree.people["name"]
    rows = pedigree.houses[pedigree.houses["family"] == family].itertuples()
    return [(names[row.husband], names[row.wife], [names[child] for child in row.children]) for row in rows]


@pytest.fixture(scope="module")
def families():
    pedigree = simulate(26, 200, seed=4)
    return [couples_of(pedigree, family) for family in pedigree.people["family"].unique()]


def test_every_simulated_family_can_be_arranged(families):
    assert max(len(figures.arrange(couples)) for couples in families) >= 12
    for couples in families:
        places = figures.arrange(couples)
        assert set(places) == {who for husband, wife, young in couples for who in (husband, wife, *young)}
        for (x, row), (other, other_row) in combinations(places.values(), 2):
            assert row != other_row or abs(x - other) >= 1 - 1e-9
        for husband, wife, young in couples:
            assert places[husband][1] == places[wife][1]
            assert abs(places[husband][0] - places[wife][0]) == pytest.approx(1)
            assert {places[child][1] for child in young} == {places[husband][1] + 1}
        assert min(x for x, _ in places.values()) >= 0.5


def test_nobodys_children_stand_among_those_of_others(families):
    for couples in families:
        places = figures.arrange(couples)
        for one, other in combinations(couples, 2):
            mine, theirs = ([places[child] for child in couple[2]] for couple in (one, other))
            if mine[0][1] == theirs[0][1]:
                assert max(mine) < min(theirs) or max(theirs) < min(mine)


def test_a_couple_stands_above_the_middle_of_its_children():
    places = figures.arrange([("pa", "ma", ["a", "b", "c"])])
    assert places == {"a": (0.5, 1), "b": (1.5, 1), "c": (2.5, 1), "pa": (1.0, 0), "ma": (2.0, 0)}


def test_who_married_twice_stands_between_the_spouses():
    places = figures.arrange([("he", "first", ["a"]), ("he", "second", ["b"])])
    assert places["first"][0] < places["he"][0] < places["second"][0]
    assert places["a"][0] < places["b"][0]


def test_both_of_a_couple_may_have_married_before():
    places = figures.arrange([("he", "she", ["a"]), ("he", "his first", ["b"]), ("her first", "she", ["c"])])
    row = sorted((x, who) for who, (x, generation) in places.items() if generation == 0)
    assert [who for _, who in row] == ["her first", "she", "he", "his first"]
    assert places["c"][0] < places["a"][0] < places["b"][0]


def test_families_that_are_no_tree_are_refused():
    with pytest.raises(KinlibError, match="at least one couple"):
        figures.arrange([])
    with pytest.raises(KinlibError, match="begins with one couple, not with 2"):
        figures.arrange([("a", "b", ["c"]), ("d", "e", ["f"])])
    with pytest.raises(KinlibError, match="both born in this family"):
        figures.arrange([("a", "b", ["c", "d"]), ("c", "d", ["e"])])
    with pytest.raises(KinlibError, match="more than two marriages"):
        figures.arrange([("a", wife, [wife + "'s"]) for wife in "bcd"])


def test_tree_draws_every_tile_apart_from_the_others(families):
    couples = max(families, key=lambda couples: len(figures.arrange(couples)))
    places = figures.arrange(couples)
    tiles = {who: figures.Tile(picture(), f"{who.split('_')[0]}\n30 years", i % 2 == 0) for i, who in enumerate(places)}
    tiles[next(iter(places))] = figures.Tile(None, "Blank\nno picture", False)
    figure = figures.family_tree(couples, tiles, "A family")
    assert len(figure.axes) == len(places) and in_page(figure)
    boxes = [axes.get_position() for axes in figure.axes]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert {"A family", "I", "II", "Blank", "no picture"} <= set(words(figure))


def test_tree_needs_everybodys_tile():
    with pytest.raises(KinlibError, match="'ma' is in the family"):
        figures.family_tree([("pa", "ma", [])], {"pa": figures.Tile(None, "pa", False)})


# ---- chromosomes


def test_chromosomes_carry_their_loci():
    marks = [figures.Mark(0, 1.0, (1, 0), "hair_red"), figures.Mark(1, 0.5, (1, 1)), figures.Mark(2, 0.1, (0, 0))]
    figure = figures.chromosome_picture((2.0, 1.5, 1.0), marks, picture(), "somebody")
    assert {"1", "2", "3", "hair_red", "somebody"} <= set(words(figure)) and in_page(figure)
    fills = [line.get_markerfacecolor() for line in figure.axes[0].lines[:2]]
    assert fills[0] != fills[1] == "white"  # the father's copy is filled, the mother's empty


def test_stretches_change_copies_halfway_between_loci():
    strand = np.array([0, 0, 1, 1, 0], np.uint8)
    positions = np.array([0.1, 0.2, 0.4, 0.5, 0.9])
    found = _stretches(strand, positions, 1.0)
    assert [copy for _, _, copy in found] == [0, 1, 0]
    assert np.allclose([end for _, end, _ in found], [0.3, 0.7, 1.0]) and found[0][0] == 0


def test_gametes_count_their_crossovers():
    strands = np.array([[0, 0, 0, 0], [0, 1, 0, 1], [1, 1, 0, 0]], np.uint8)
    figure = figures.gamete_picture(strands, np.array([0.1, 0.4, 0.6, 0.9]), 1.0)
    assert words(figure) == ["0 crossovers", "3 crossovers", "1 crossover"]


def test_the_fitted_line_has_the_slope_given():
    middle, young = np.array([-1.0, 0.0, 2.0]), np.array([-0.5, 0.1, 1.0])
    figure = figures.mid_parent_plot(middle, young, 0.5, 0.1, 0.8, "nose")
    fitted, stated = figure.axes[0].lines
    for line, slope in ((fitted, 0.5), (stated, 0.8)):
        (x0, x1), (y0, y1) = line.get_data()
        assert (y1 - y0) / (x1 - x0) == pytest.approx(slope)
    assert "0.50 ± 0.10" in fitted.get_label()


# ---- sheets


def test_long_rows_go_on_in_lines_of_like_length():
    row = ("styles", [picture(i) for i in range(16)], [str(i) for i in range(16)])
    figure = figures.contact_sheet([row, ("one", [picture()], ["x"])])
    tops = [round(axes.get_position().y1, 4) for axes in figure.axes]
    assert [tops.count(top) for top in dict.fromkeys(tops)] == [8, 8, 1]
    assert words(figure)[:3] == ["styles", "", "one"] and in_page(figure)


def test_rows_need_as_many_labels_as_pictures():
    for row in (("a", [], []), ("a", [picture()], [])):
        with pytest.raises(KinlibError, match="the row 'a'"):
            figures.contact_sheet([row])


def test_truth_names_what_is_there_and_nothing_else():
    labels = np.zeros((60, 48), np.uint8)
    labels[20:40, 10:30] = 2
    maps = [("classes", labels, ("background", "skin", "nose"))]
    figure = figures.truth_picture(picture(size=(48, 60)), np.full((68, 2), 20.0), maps)
    found = words(figure)
    assert {"0 background", "2 nose"} <= set(found) and "1 skin" not in found
    assert "2" in found  # the number stands in its area
    with pytest.raises(KinlibError, match="another size"):
        figures.truth_picture(picture(size=(47, 60)), np.zeros((68, 2)), maps)


@pytest.mark.parametrize("name", ["A1_tree", "07_tree"])
def test_appendix_figures_can_be_stored(name, tmp_path, monkeypatch):
    monkeypatch.setattr(figures.store.config, "project_root", lambda: tmp_path)
    figure = figures.contact_sheet([("a", [picture()], ["x"])])
    saved = figures.save(name, figure, kind="photos", preview_bytes=20_000)
    assert saved.path.name == f"{name}.jpg" and len(saved._repr_jpeg_()) <= 20_000
