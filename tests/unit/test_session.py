"""A session without any layout: what panels and the web page share."""

import io
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
import torch
from PIL import Image

from kinlib.inheritance import registry
from kinlib.inheritance.registry import Method
from kinlib.inheritance.weights_file import BlendWeights
from kinlib.kinship.kinship import Kinship
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.session import PICTURES, Session, Settings, read_upload
from kinlib.studio.datasets import sample_parents


@pytest.fixture(scope="module")
def kin() -> Kinship:
    return Kinship.load("studio", "cpu")


@pytest.fixture
def session(kin: Kinship) -> Session:
    session = Session(kin, refine=0)
    assert session.choose_couple(1) and session.generate(Settings())
    return session


def jpeg(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG")
    return stream.getvalue()


def pixels(session: Session) -> dict[str, bytes]:
    return {name: picture.tobytes() for name, picture in session.pictures.items()}


BAD = {
    "text": ("notes.txt", b"hello"),
    "empty": ("empty.jpg", b""),
    "cut short": ("cut.jpg", jpeg(Image.new("RGB", (300, 300), "grey"))[:400]),
    "too small": ("dot.png", jpeg(Image.new("RGB", (8, 8)))),
    "no face": ("wall.jpg", jpeg(Image.new("RGB", (200, 200), "grey"))),
}


def test_a_session_needs_no_front_end():
    code = "import sys, kinlib.session; assert not {'ipywidgets', 'gradio'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=config.project_root(), check=True, timeout=300)


def test_a_new_session_is_grey(kin: Kinship):
    session = Session(kin)
    assert set(session.pictures) == set(PICTURES) and len(set(pixels(session).values())) == 1
    assert not session.generate(Settings())
    assert session.message.startswith("there is no father and no mother yet") and session.child is None


def test_five_pictures(session: Session):
    assert len(set(pixels(session).values())) == len(PICTURES)
    assert session.bundled and session.message == "" and session.settings == Settings()


def test_another_child_changes_no_other_picture(session: Session):
    before = dict(session.pictures)
    assert session.generate(Settings(coarse=1.0))
    assert [name for name in PICTURES if session.pictures[name] is not before[name]] == ["child"]


def test_blend_weights_take_the_place_of_a_method(session: Session, kin: Kinship):
    chosen = BlendWeights("studio", kin.num_layers, {"coarse": 1.0}, {5: 0.2}, {30: 0.0})
    assert session.generate(Settings(coarse=0.3, weights=chosen)) and session.child.method == "weights"
    father, mother = (session.faces[role].latent for role in ("father", "mother"))
    assert torch.equal(session.child.latent, chosen.blend(father, mother))
    assert not session.generate(Settings(method="mask", weights=chosen))
    assert "leave out the method 'mask', or the weights" in session.message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(coarse=2.0), "father's share must be a number from 0 to 1"),
        (Settings(fine="half"), "father's share must be a number from 0 to 1"),
        (Settings(method="cloning"), "unknown method 'cloning'"),
        (Settings(seed=0.5), "the seed must be a whole number"),
        (Settings(age="young"), "the age must be from 0 to 120"),
        (Settings(truncation=float("nan")), "the truncation must be"),
        (Settings(options={"eta": 1}), "has no option 'eta'"),
    ],
)
def test_bad_settings_are_one_sentence_and_change_nothing(session: Session, settings: Settings, message: str):
    before, child = pixels(session), session.child
    assert not session.generate(settings)
    assert message in session.message and "\n" not in session.message
    assert pixels(session) == before and session.child is child and session.settings == Settings()


def test_the_seed_of_a_deterministic_method_is_explained(session: Session):
    assert session.generate(Settings(seed=5)) and "every seed gives the same child" in session.message
    assert session.generate(Settings(seed=5)) and session.message == ""
    assert session.generate(Settings(seed=6, coarse=1.0)) and session.message == ""
    assert session.generate(Settings(method="mask")) and session.generate(Settings(method="mask", seed=1))
    assert session.message == ""


def test_methods_get_the_options_that_they_take(session: Session):
    """A method without a father's share is not given one, and has options of its own."""
    seen = []

    def build(preset):
        return lambda father, mother, generator, gamma: seen.append(gamma) or father

    gamma = registry.Option("gamma", "rate of mutation", 0.0, registry.number("gamma", 0, 1))
    registry.register(Method("copied", "the father", build, options=(gamma,)))
    try:
        assert "copied" in session.methods
        assert session.generate(Settings(method="copied", coarse=0.0, options={"gamma": 0.25}))
        assert seen == [0.25] and session.child.latent.equal(session.faces["father"].latent)
    finally:
        registry.unregister("copied")


@pytest.mark.parametrize("case", BAD)
def test_a_bad_upload_is_one_sentence_and_changes_nothing(session: Session, case: str):
    before, faces = pixels(session), dict(session.faces)
    assert not session.choose_upload("father", *BAD[case])
    assert session.message.startswith("father: ") and "\n" not in session.message
    assert "kinlib-" not in session.message and "tmp" not in session.message
    assert pixels(session) == before and session.faces == faces and session.bundled


def test_a_good_upload(session: Session):
    before = pixels(session)
    assert session.choose_upload("mother", "m.jpg", sample_parents.couple(2)[1].read_bytes())
    assert session.refresh(Settings()) and not session.bundled
    assert [name for name in PICTURES if pixels(session)[name] != before[name]] == [
        "mother",
        "mother_reconstruction",
        "child",
    ]


def test_one_photograph_for_both_parents_is_announced(session: Session):
    father = sample_parents.couple(1)[0]
    assert session.choose_upload("mother", "m.jpg", father.read_bytes()) and session.refresh(Settings())
    assert "father and mother are the same photograph" in session.message


def test_notes_on_photographs_stay_when_the_child_is_generated(session: Session):
    face = replace(session.faces["father"], notes=("turned far to the side",))
    assert session.choose_photos({"father": face}) and session.refresh(Settings())
    assert session.message == "father: turned far to the side"


def test_of_two_photographs_both_or_none_are_taken(session: Session, tmp_path):
    faces = dict(session.faces)
    assert not session.choose_photos({"father": sample_parents.couple(2)[0], "mother": tmp_path / "absent.jpg"})
    assert session.message.startswith("mother: there is no file") and session.faces == faces
    assert not session.choose_photos({"aunt": sample_parents.couple(2)[0]})
    assert session.message == "unknown role 'aunt': choose one of father, mother"
    assert not session.choose_couple(99) and "there is no couple 99" in session.message
    assert not session.choose_couple("1") and session.message == "the couple must be a whole number, not '1'"


@pytest.mark.parametrize("name", ["../../secret.jpg", "a" * 500 + ".jpg", "", "é ?*|.jpg", "a\x00b.jpg"])
def test_odd_file_names(name: str):
    assert read_upload(name, jpeg(Image.new("RGB", (40, 40)))).size == (40, 40)
    with pytest.raises(KinlibError, match="is not an image"):
        read_upload(name, b"hello")


def test_progress_is_reported(kin: Kinship):
    told = []
    session = Session(kin, refine=2, report=lambda text, share: told.append((text, share)))
    assert session.choose_photos({"father": sample_parents.couple(1)[0]})
    assert told[0] == ("looking for the father's face ...", 0.0)
    assert told[-1] == ("fitting the father's code, step 2 of 2 ...", 1.0)


def test_what_a_preset_cannot_set(kin: Kinship):
    assert Session(kin).attributes == ("age", "sex")
    assert Session(replace(kin, directions={})).attributes == ()


def test_visitors_do_not_see_each_other(kin: Kinship):
    """Two at once, in threads, over the same networks: each sees what it would see alone."""

    def visit(couple: int, found: dict) -> None:
        session = Session(kin.separate(), refine=0)
        session.choose_couple(couple)
        for seed in range(3):
            session.generate(Settings(method="mask", seed=seed))
        found[couple] = pixels(session), len(session.kin._faces)

    alone, together = {}, {}
    for couple in (1, 2):
        visit(couple, alone)
    threads = [threading.Thread(target=visit, args=(couple, together)) for couple in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone and alone[1][0] != alone[2][0]
    assert {count for _, count in together.values()} == {2}  # photographs, each in its own visitor's cache
