"""Series for the notebook: variations and comparisons, the bundle with their pictures, and the panel."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from studio_head import needs_head

from kinlib.runtime.errors import KinlibError
from kinlib.studio.genetics import breeding_values, phenotypes
from kinlib.studio.genetics.populations import LOCI
from kinlib.studio.lesson import comparisons, series, variations
from kinlib.studio.lesson.variations import VARIATIONS, base_genome, strongest_locus, with_copies, with_liability
from kinlib.widgets.variations import variation_panel

CONTINUOUS = [name for name, variation in VARIATIONS.items() if variation.fine is not None]


def plain(spec, size):
    """In place of a face: one colour that depends on the person and the look."""
    seed = hash((spec.person.traits.melanin, spec.look.age, spec.look.hair_style, spec.words)) % 2**32
    colour = np.random.default_rng(seed).integers(0, 256, 3, dtype=np.uint8)
    return np.tile(colour, (size, size, 1))


@pytest.fixture
def drawn(monkeypatch):
    """Drawing without the head model."""
    monkeypatch.setattr(series, "_render_image", plain)
    monkeypatch.setattr(series, "warm_up", lambda: None)


@pytest.fixture
def bundle(tmp_path, monkeypatch, drawn):
    """A bundle of plain pictures in the place of the project's own."""
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    assert list(series.write_series(workers=1)) == list(range(1, series.num_pictures() + 1))
    return tmp_path / "studio" / "steps"


# ---- what the series show


def test_labels_are_unique_within_a_series():
    for name in series.names():
        labels = [step.label for step in series._items(name)]
        assert len(labels) >= 2 and len(set(labels)) == len(labels), name


def test_fine_positions_cover_the_bundled_ones():
    for name, variation in VARIATIONS.items():
        positions = variation.positions()
        assert list(positions) == sorted(positions) and set(variation.values) <= set(positions), name
        assert (positions[0], positions[-1]) == (variation.values[0], variation.values[-1])
        assert (len(positions) > len(variation.values)) == (name in CONTINUOUS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("iris_dark", ["blue", "brown", "brown"]),
        ("iris_deep", ["blue", "grey", "grey"]),
        ("iris_green", ["blue", "green", "green"]),
        ("hair_black", ["light", "dark", "dark"]),
        ("hair_fair", ["light", "light", "blond"]),
        ("hair_red", ["brown", "brown", "red"]),
        ("free_lobes", ["attached", "free", "free"]),
    ],
)
def test_each_locus_shows_alone_as_its_dominance_says(name, words):
    assert [VARIATIONS[name].spec(value).words for value in (0.0, 1.0, 2.0)] == words


def test_one_copy_of_the_coil_allele_goes_part_of_the_way():
    curls = [VARIATIONS["hair_coil"].spec(value).person.traits.hair_curl for value in (0.0, 1.0, 2.0)]
    assert curls[0] + 0.1 < curls[1] < curls[2] - 0.1


def test_black_hair_hides_red_hair():
    words = [step.label for step in series._items("epistasis")]
    assert [word.split(": ")[1] for word in words] == ["brown", "brown", "red", "black", "black", "black"]


def test_a_locus_changes_nothing_that_it_should_not():
    before = phenotypes(base_genome()).person(0).traits
    after = VARIATIONS["iris_green"].spec(2.0).person.traits
    assert np.array_equal(before.shape, after.shape) and np.array_equal(before.proportions, after.proportions)
    assert (before.melanin, before.hair_colour) == (after.melanin, after.hair_colour)


def test_copies_can_be_set_and_are_counted():
    woman = base_genome()
    assert {int(woman.copies(locus.name)[0]) for locus in LOCI} == {0}
    assert [int(with_copies(woman, freckles=number).copies("freckles")[0]) for number in (0, 1, 2)] == [0, 1, 2]
    assert woman.copies("freckles") == 0  # the woman herself stays as she is
    with pytest.raises(KinlibError, match="no locus 'dimples'"):
        with_copies(woman, dimples=1)


def test_a_liability_can_be_set():
    genome = base_genome()
    person = with_liability(genome, "nose_width", 1.5)
    assert person.traits.proportion("nose_width") == pytest.approx(1.5, abs=1e-5)
    assert person.traits.proportion("jaw_width") == phenotypes(genome).person(0).traits.proportion("jaw_width")


def test_the_strongest_locus_is_one_of_many():
    genome, locus = base_genome(), strongest_locus("melanin")
    assert locus.startswith("melanin_")
    values = [breeding_values(with_copies(genome, **{locus: n}))[0] for n in (0, 1, 2)]
    column = genome.architecture.trait["melanin"]
    increments = np.diff([value[column] for value in values])
    assert increments[0] == pytest.approx(increments[1], abs=1e-5) and abs(increments[0]) > 0.2


def test_age_and_sex_are_the_only_differences_of_their_variations():
    boy, man = (VARIATIONS["age_male"].spec(age) for age in (4.0, 35.0))
    assert boy.person.sex == man.person.sex == "male" and (boy.look.age, man.look.age) == (4.0, 35.0)
    assert np.array_equal(boy.person.traits.shape, man.person.traits.shape)
    woman, man = (VARIATIONS["sex"].spec(value) for value in (0.0, 1.0))
    assert (woman.person.sex, man.person.sex) == ("female", "male")
    assert woman.look.hair_style == man.look.hair_style


def test_the_couple_can_have_red_haired_children_and_has_none_itself():
    colours = [phenotypes(parent).hair_colour[0] for parent in comparisons.couple()]
    young = phenotypes(comparisons.siblings())
    assert "red" not in colours and "red" in young.hair_colour[: comparisons.NUM_SHOWN]
    assert len(young) == 1000 and len(comparisons.COMPARISONS["siblings"].row()) == comparisons.NUM_SHOWN


# ---- the bundle


def test_a_series_survives_the_round_trip(bundle):
    for name in series.names():
        stored, anew = series.load_series(name), series.render_series(name, 32)
        assert (stored.labels, stored.values, stored.title) == (anew.labels, anew.values, anew.title)
        assert len(stored) == len(anew)
        for kept, fresh in zip(stored.pictures, anew.pictures, strict=True):
            assert kept.size == (series.SIZE, series.SIZE) and kept.mode == "RGB"
            assert np.abs(np.int16(kept.getpixel((5, 5))) - fresh.getpixel((5, 5))).max() <= 8


def test_the_bundle_is_the_same_byte_by_byte_and_says_how_it_was_made(bundle, tmp_path):
    list(series.write_series(tmp_path / "again", workers=1))
    for name in (series.TABLE, series.NOTES):
        assert (bundle / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    notes = json.loads((bundle / series.NOTES).read_text())
    assert notes["size"] == series.SIZE and sum(row["pictures"] for row in notes["series"].values()) == 184
    assert sorted(path.name for path in bundle.iterdir()) == [series.NOTES, series.TABLE]


def test_a_new_bundle_is_read_anew(bundle):
    assert len(series.load_series("sex")) == 2
    table = pd.read_parquet(bundle / series.TABLE)
    table[table["series"] != "sex"].to_parquet(bundle / series.TABLE)
    with pytest.raises(KinlibError, match="lacks the series 'sex'"):
        series.load_series("sex")


def test_what_is_wrong_with_a_bundle_is_told(bundle, tmp_path):
    with pytest.raises(KinlibError, match="no series 'hair_green'"):
        series.load_series("hair_green")
    with pytest.raises(KinlibError, match="no bundled pictures"):
        series.load_series("sex", tmp_path / "elsewhere")
    table = pd.read_parquet(bundle / series.TABLE)
    table.assign(image=b"no picture").to_parquet(bundle / series.TABLE)
    with pytest.raises(KinlibError, match="damaged"):
        series.load_series("sex")
    table.drop(columns="label").to_parquet(bundle / series.TABLE)
    with pytest.raises(KinlibError, match="damaged"):
        series.load_series("sex")
    (bundle / series.TABLE).write_bytes(b"PAR1")
    with pytest.raises(KinlibError, match="damaged"):
        series.load_series("sex")


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("nose_width", 0.2, 4),
        ("nose_width", 0.3, 5),
        ("nose_width", -9, 0),
        ("hair_red", 1.6, 2),
        ("age_male", 30.5, 6),
    ],
)
def test_positions_snap_to_the_nearest_step(name, value, number):
    assert series.nearest(name, value) == number


def test_unknown_positions_and_variations_are_refused(drawn):
    assert series.render_position("nose_width", 0.73, 40).size == (40, 40)
    for name, value in (("nose_width", 2.5), ("hair_red", 0.5), ("age_male", 100)):
        with pytest.raises(KinlibError, match="goes from"):
            series.render_position(name, value)
    for ask in (series.render_position, series.nearest):
        with pytest.raises(KinlibError, match="no variation 'poses'"):
            ask("poses", 0)


@needs_head
def test_real_pictures_make_the_round_trip(tmp_path, monkeypatch):
    monkeypatch.setattr(series, "names", lambda: ("sex",))
    monkeypatch.setattr(series, "SIZE", 64)
    assert list(series.write_series(tmp_path, workers=1)) == [1, 2]
    stored, anew = series.load_series("sex", tmp_path), series.render_series("sex", 64)
    for kept, fresh in zip(stored.pictures, anew.pictures, strict=True):
        assert np.abs(np.float32(kept) - np.float32(fresh)).mean() < 4
    assert np.array_equal(series.render_position("sex", 1.0, 64), anew.pictures[1])
    assert np.abs(np.float32(anew.pictures[0]) - np.float32(anew.pictures[1])).mean() > 4


def test_the_project_bundles_all_series():
    for name in series.names():
        stored = series.load_series(name)
        assert list(stored.labels) == [step.label for step in series._items(name)]
    size = sum(path.stat().st_size for path in series.default_folder().iterdir())
    assert size <= 1_200_000


# ---- the panel


def now(panel):
    """The picture that the panel shows."""
    return Image.open(io.BytesIO(bytes(panel.images["now"].value)))


def test_without_the_head_model_the_slider_has_the_bundled_steps(bundle):
    panel = variation_panel(live=False, variation="nose_width")
    slider = panel.controls["position"]
    assert [value for _, value in slider.options] == list(VARIATIONS["nose_width"].values)
    assert slider.value == 0.0 and panel.images["now"].value == panel.images["start"].value
    assert "bundled" in panel.status.value


def test_the_slider_shows_the_step_and_its_caption(bundle):
    panel = variation_panel(live=False, variation="hair_red")
    assert panel.captions["start"].value == "0 copies: brown"
    panel.controls["position"].value = 2.0
    assert panel.captions["now"].value == "2 copies: red"
    wanted = series.load_series("hair_red").pictures[2].getpixel((9, 9))
    assert np.abs(np.int16(now(panel).getpixel((20, 20))) - wanted).max() <= 2


def test_another_variation_brings_its_own_positions(bundle):
    panel = variation_panel(live=False, variation="hair_red")
    panel.controls["position"].value = 2.0
    panel.controls["variation"].value = "age_female"
    assert panel.captions["now"].value == panel.captions["start"].value == "25 years"
    panel.controls["position"].value = 80.0
    assert panel.captions["now"].value == "80 years" and panel.captions["start"].value == "25 years"


def test_with_the_head_model_every_position_is_drawn_once(drawn, monkeypatch):
    asked = []
    monkeypatch.setattr(series, "_render_image", lambda spec, size: asked.append(size) or plain(spec, size))
    panel = variation_panel(live=True, variation="nose_width")
    assert len(panel.controls["position"].options) == 41 and len(asked) == 1
    for value in (0.7, 0.0, 0.7):
        panel.controls["position"].value = value
    assert asked == [128, 128] and panel.captions["now"].value == "+0.7 sd"
    assert panel.status.value == ""


def test_the_panel_goes_live_where_the_head_model_is(bundle, monkeypatch):
    for there in (True, False):
        monkeypatch.setattr(series, "have_head", lambda there=there: there)
        assert variation_panel().live is there


def test_what_goes_wrong_is_said_and_the_picture_stays(bundle):
    panel = variation_panel(live=False, variation="hair_red")
    before = bytes(panel.images["now"].value)
    (bundle / series.TABLE).unlink()
    panel.controls["position"].value = 1.0
    assert "no bundled pictures" in panel.status.value and bytes(panel.images["now"].value) == before
    with pytest.raises(KinlibError, match="no variation 'tail'"):
        variation_panel(live=False, variation="tail")


def test_a_stored_notebook_shows_the_steps_of_the_variation(bundle):
    shown = variation_panel(live=False, variation="hair_red")._repr_mimebundle_()
    if shown is None:
        pytest.skip("ipywidgets 7 displays itself, without a picture")
    assert shown["image/jpeg"] and "variations" in shown["text/plain"]


def test_variations_without_a_fine_step_have_no_positions_in_between():
    assert variations.VARIATIONS["hair_red"].positions() == (0.0, 1.0, 2.0)


def test_a_bundle_that_is_there_is_kept(tmp_path):
    for name in ("steps.parquet", "steps.json"):
        (tmp_path / name).write_bytes((series.default_folder() / name).read_bytes())
    before = (tmp_path / "steps.parquet").stat().st_mtime_ns
    assert list(series.write_series(tmp_path)) == [series.num_pictures()]
    assert (tmp_path / "steps.parquet").stat().st_mtime_ns == before
