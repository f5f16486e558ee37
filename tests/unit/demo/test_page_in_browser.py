"""The page in a real browser: what a visitor does, and what the page must never do."""

import base64
import io
import json
from functools import partial

import numpy as np
import pytest
from PIL import Image

from kinlib.io.images import to_pil
from kinlib.kinship.selective import edit_selectively
from kinlib.search.session import FaceSearch
from kinlib.search.spaces import load_space

PHONE = {"width": 390, "height": 844, "has_touch": True}  # px, of a common telephone


def upload(page, role: str, *files) -> None:
    page.set_input_files(f"#kin-{role}-photo input[type=file]", *files)


def pictures(page, place: str) -> list[Image.Image]:
    """The pictures that a part of the page shows."""
    found = page.eval_on_selector_all(f"{place} img", "all => all.map(one => one.src)")
    assert all(link.startswith("data:image/") for link in found)  # no address under which others could ask for them
    return [Image.open(io.BytesIO(base64.b64decode(link.partition(",")[2]))) for link in found]


def choose_couple(page, number: int) -> None:
    act(page, "#kin-children", lambda: page.click(f"#kin-samples button >> nth={number - 1}"))


def act(page, place: str, action) -> None:
    """Do something, and wait until a part of the page shows something else; not its progress, which passes."""
    shown = (
        "() => [...document.querySelectorAll(PLACE)].map(one => one.src ?? one.ariaPressed ?? one.textContent).join()"
    )
    parts = ("img", "button[data-number]", ".kin-note", ".kin-fault")
    shown = shown.replace("PLACE", json.dumps(", ".join(f"{place} {part}" for part in parts)))
    before = page.evaluate(shown)
    action()
    page.wait_for_function(f"before => ({shown})() !== before", arg=before)


def open_tab(page, name: str) -> None:
    tab = page.locator("#kin-tabs button[role=tab]:visible", has_text=name)
    if not tab.count():  # on a narrow page
        page.get_by_label("More tabs").click()
        tab = page.locator("#kin-tabs .overflow-dropdown button", has_text=name)
    tab.click()


def change(page, attribute: str, value: str) -> None:
    page.fill(f"#kin-change-{attribute} input[type=number]", value)


def saved(page, click: str) -> Image.Image:
    with page.expect_download() as waiting:
        page.click(click)
    return Image.open(waiting.value.path())


def test_two_photographs_make_children_who_can_be_saved(visitor, server, photographs, kin):
    page = visitor()
    for role, photograph in zip(("father", "mother"), photographs, strict=True):
        upload(page, role, photograph)
        page.wait_for_selector(f"#kin-{role} img")
    page.wait_for_selector("#kin-children button[data-number]")
    assert not list(server.uploads.path.rglob("*.*"))  # what was uploaded is gone as soon as it is read
    for role, photograph in zip(("father", "mother"), photographs, strict=True):
        aligned, drawn = pictures(page, f"#kin-{role}")
        assert np.array_equal(aligned, kin.separate().encode(photograph).aligned) and drawn.size == aligned.size

    page.fill("#kin-count input[type=number]", "3")
    page.get_by_label("Another way").first.check()
    page.click("#kin-make")
    page.wait_for_selector("#kin-children button[data-number='2']")
    _, _, *children = pictures(page, "#kin-children")
    assert len(children) == 3 and len({child.tobytes() for child in children}) == 3
    assert np.array_equal(saved(page, "#kin-children figure:has([data-number='1']) a"), children[1])
    sheet = saved(page, "#kin-save-sheet")
    assert sheet.width > 1000

    page.click("#kin-children button[data-number='2']")
    page.wait_for_selector("#kin-children [data-number='2'][aria-pressed=true]")
    page.get_by_text("How it was made").click()
    page.wait_for_selector("#kin-made tbody tr", state="attached")  # gradio makes it when it is opened
    assert page.locator("#kin-made tbody tr").count() == kin.num_layers
    assert "--method per_layer --seed 2" in page.inner_text("#kin-made")
    outside = [url for url in page.requested if not url.startswith((server.address, "data:", "blob:"))]
    assert not outside  # no script, style, font or count of visitors comes from elsewhere


def test_what_is_no_photograph_is_refused_in_a_sentence(visitor, server):
    page, grey = visitor(), io.BytesIO()
    Image.new("RGB", (300, 300), "grey").save(grey, "JPEG")
    for content, words in ((b"Dear aunt", "is not an image"), (grey.getvalue(), "No face was found")):
        photo = {"name": "aunt.jpg", "mimeType": "image/jpeg", "buffer": content}
        act(page, "#kin-notice", partial(upload, page, "father", photo))
        assert page.inner_text("#kin-notice").startswith("Father: ") and words in page.inner_text("#kin-notice")
    assert "nobody yet" in page.inner_text("#kin-father")
    large = {"name": "large.jpg", "mimeType": "image/jpeg", "buffer": bytes(server.visits.limits.upload_bytes + 1)}
    upload(page, "mother", large)
    page.get_by_text("exceed the maximum allowed size").first.wait_for()
    assert "nobody yet" in page.inner_text("#kin-mother") and not list(server.uploads.path.rglob("*.*"))


def test_two_visitors_never_see_each_other(visitor, server, wait_until):
    first, second = visitor(), visitor()
    choose_couple(first, 1)
    assert "nobody yet" in second.inner_text("#kin-father") and not pictures(second, "#kin-children")
    choose_couple(second, 4)
    shown = [{one.tobytes() for one in pictures(page, "#kin-father")} for page in (first, second)]
    assert not shown[0] & shown[1] and len(server.visits) == 2
    first.close()  # in the middle of the other's visit
    wait_until(lambda: len(server.visits) == 1)
    act(second, "#kin-children", lambda: choose_couple(second, 5))
    assert {one.tobytes() for one in pictures(second, "#kin-father")} not in shown


def test_a_page_loaded_again_in_the_middle_begins_anew(visitor, server, photographs, wait_until):
    """Whoever leaves while a photograph is fitted leaves neither a computation nor a face behind."""
    page = visitor()
    steps, server.parts.refine = server.parts.refine, 10_000
    try:
        upload(page, "father", photographs[0])
        wait_until(lambda: any(visit.lock.locked() for visit in server.visits.all()))
        (left,) = server.visits.all()
        page.reload()
        wait_until(lambda: left.ended and not left.lock.locked())
    finally:
        server.parts.refine = steps
    page.wait_for_selector("#kin-samples button")
    assert "nobody yet" in page.inner_text("#kin-father") and not left.session.faces
    assert not list(server.uploads.path.rglob("*.*"))
    choose_couple(page, 2)


def test_on_a_telephone_and_by_keyboard(visitor):
    page = visitor(**PHONE, color_scheme="dark")
    page.focus("#kin-samples button >> nth=2")
    act(page, "#kin-children", lambda: page.keyboard.press("Enter"))
    slider = page.locator("#kin-count input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.input_value("#kin-count input[type=number]") == "2"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") in ("INPUT", "BUTTON")
    widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1] == PHONE["width"]  # nothing sticks out
    assert len(pictures(page, "#kin-children")) == 3
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(json.loads(dark.replace("rgb(", "[").replace(")", "]"))) < 60


@pytest.fixture(scope="module")
def first_screen() -> list[Image.Image]:
    from kinlib.demo.search_tab import COUNT, SPACE

    return to_pil(FaceSearch(load_space(SPACE), COUNT).screen())


def test_genes_edits_and_search_follow_the_controls(visitor, kin, first_screen):
    page = visitor()
    choose_couple(page, 1)
    open_tab(page, "Facial genes")
    page.wait_for_selector("#kin-gene-faces img")
    half = pictures(page, "#kin-gene-faces")[-1]
    act(page, "#kin-gene-faces", lambda: page.fill("#kin-genes-eyes input[type=number]", "1"))
    father_eyes = pictures(page, "#kin-gene-faces")[-1]
    difference = np.abs(np.asarray(half, float) - np.asarray(father_eyes, float)).mean(axis=2)
    assert difference[90:150].mean() > 1.5 * difference[170:].mean()  # most at the height of the eyes

    open_tab(page, "Edit a face")
    page.wait_for_selector("#kin-edit-faces img")
    before, after = pictures(page, "#kin-edit-faces")
    assert np.array_equal(before, after)
    act(page, "#kin-edit-faces", lambda: page.fill("#kin-edit-age input[type=number]", "70"))
    before, after = pictures(page, "#kin-edit-faces")
    codes = [kin.encode(picture).latent for picture in (before, after)]
    young, old = (float(kin.directions["age"].read(code)) for code in codes)
    assert old > young + 15

    open_tab(page, "Search for a face")
    page.wait_for_selector("#kin-search-screen img")
    assert [one.tobytes() for one in pictures(page, "#kin-search-screen")] == [one.tobytes() for one in first_screen]
    for number, place in ((7, 1), (3, 2)):
        act(page, "#kin-search-screen", partial(page.click, f"#kin-search-screen [data-number='{number}']"))
        assert f"Face {number + 1}, pick {place}" in page.inner_text("#kin-search-screen")
    act(page, "#kin-search-screen", lambda: page.click("#kin-search-next"))
    assert pictures(page, "#kin-search-screen")[0].tobytes() == first_screen[7].tobytes()  # the best is shown again
    assert saved(page, "#kin-search-composite a").size == first_screen[0].size


def test_edits_within_a_mask(visitor, photographs, kin):
    """One photograph is enough, what is shown is the edit of the package, and a contradiction changes nothing."""
    page = visitor()
    upload(page, "father", photographs[0])
    page.wait_for_selector("#kin-father img")
    act(page, "#kin-edit-notice", partial(open_tab, page, "Edit a face"))
    assert "nobody to edit yet" in page.inner_text("#kin-edit-notice .kin-fault")  # there is no child
    page.get_by_label("Whose face").click()
    act(page, "#kin-edit-faces", page.get_by_role("option", name="Father").click)
    page.get_by_label("Only where it must change").check()
    page.get_by_label("Show where").check()
    page.wait_for_selector("#kin-edit-faces figure:nth-child(3)")

    act(page, "#kin-edit-faces", partial(change, page, "glasses", "1"))
    face = kin.separate().encode(photographs[0])
    assert "so already" not in page.inner_text("#kin-edit-notice")
    edit = edit_selectively(kin, face, {"glasses": 1})
    for shown, expected in zip(
        pictures(page, "#kin-edit-faces"), (face.image, edit.face.image, edit.mask), strict=True
    ):
        assert np.array_equal(shown, expected)
    changed = np.asarray(face.image, int) != np.asarray(edit.face.image, int)
    assert changed.any() and not changed[np.asarray(edit.mask) == 0].any()

    act(page, "#kin-edit-faces", partial(change, page, "hair_blond", "1"))
    before = pictures(page, "#kin-edit-faces")[1]
    act(page, "#kin-edit-notice", partial(change, page, "hair_black", "0.5"))
    told = page.inner_text("#kin-edit-notice .kin-fault")
    assert told == "Black hair and blond hair contradict each other: choose one of them."
    assert np.array_equal(pictures(page, "#kin-edit-faces")[1], before)

    act(page, "#kin-edit-faces", lambda: page.click("#kin-edit-reset"))
    assert page.input_value("#kin-change-hair_black input[type=number]") == "0"
    act(page, "#kin-edit-notice", partial(change, page, "glasses", "-1"))
    assert "Glasses -1. No glasses: so already" in page.inner_text("#kin-edit-notice .kin-note")
    act(page, "#kin-edit-faces", page.get_by_label("Change what seems so already").check)
    assert "so already" not in page.inner_text("#kin-edit-notice")


def test_edits_on_a_telephone_by_keyboard(visitor):
    page = visitor(**PHONE, color_scheme="dark")
    choose_couple(page, 5)
    open_tab(page, "Edit a face")
    page.wait_for_selector("#kin-edit-faces img")
    page.focus("#kin-edit-way input >> nth=0")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    slider = page.locator("#kin-change-young input[type=range]")
    slider.focus()
    act(page, "#kin-edit-notice", lambda: page.keyboard.press("End"))
    assert page.input_value("#kin-change-young input[type=number]") == "1"
    assert page.inner_text("#kin-edit-notice .kin-note").startswith("Young +1.")
    face, moved = page.locator("#kin-edit-faces img").first.bounding_box(), slider.bounding_box()
    assert 0 <= face["y"] < moved["y"] < PHONE["height"]  # the face is in view while the last slider is moved
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
