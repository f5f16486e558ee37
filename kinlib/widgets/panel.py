"""The panel itself: pictures, controls, and a line that says what is going on."""

import html

import ipywidgets as widgets

from kinlib import figures
from kinlib.inheritance.blend import methods
from kinlib.kinship.kinship import Face, Kinship, Photo
from kinlib.runtime import config
from kinlib.studio.datasets import sample_parents
from kinlib.widgets.family import PICTURES, REFINE_STEPS, ROLES, Family, Settings
from kinlib.widgets.snapshot import Panel

__all__ = ["FamilyStudio", "family_studio"]

OWN = 0  # entry of the couples' menu for photographs of one's own
AGES = (1, 90)  # years
LIVE = 256  # px; larger pictures take too long to be drawn while a slider is still moving
SHARES = {"coarse": "coarse: head, pose", "middle": "middle: features, hair", "fine": "fine: colours, texture"}
WIDE = {"layout": {"width": "400px"}, "style": {"description_width": "150px"}}


class FamilyStudio(Panel):
    """The panel: pictures, controls, and a line that says what is going on.

    Attributes:
        family: what the panel shows.
        controls: couple, upload_father, upload_mother, method, seed, another, coarse, middle, fine, truncation,
            age_inherited, age and sex.
        images: the pictures' widgets, by the names of `PICTURES`.
        status: the line of text.
        bar: how much of a long computation is done.
    """

    WORDS = "the panel of sliders; run the notebook to use it"

    def __init__(self, family: Family):
        super().__init__()
        self.family = family
        self.images = {name: _image(320 if name == "child" else 144) for name in PICTURES}
        self.controls = _controls(family.kin)
        self.status = widgets.HTML()
        self.bar = widgets.FloatProgress(min=0.0, max=1.0, layout={"visibility": "hidden", "width": "320px"})
        family.report = self._report
        self._listen()
        self.children = [_pictures_box(self.images), _controls_box(self.controls), self.status, self.bar]
        self._show()

    @property
    def private(self) -> bool:
        """Whether people are shown who are not the studio's own, or nobody yet: then no notebook keeps a picture."""
        return self.family.child is None or not self.family.bundled

    def settings(self) -> Settings:
        """Where the controls stand."""
        at = {name: getattr(control, "value", None) for name, control in self.controls.items()}
        shares = {group: at[group] for group in SHARES}
        age = None if at["age_inherited"] else float(at["age"])
        rest = {name: at[name] for name in ("method", "seed", "sex", "truncation")}
        return Settings(age=age, **shares, **rest)

    def refresh(self) -> None:
        """Draw the child as the controls stand, and keep in sight what was said of the photographs."""
        notes = self.family.message
        if self.family.draw(self.settings()):
            self.family.message = "; ".join(filter(None, (notes, self.family.message)))
        self._show()

    def _listen(self) -> None:
        for name in (*SHARES, "method", "seed", "truncation", "age", "age_inherited", "sex"):
            self.controls[name].observe(self._moved, names="value")
        self.controls["couple"].observe(self._couple_chosen, names="value")
        for role in ROLES:
            self.controls[f"upload_{role}"].observe(lambda change, role=role: self._uploaded(role, change), "value")
        self.controls["another"].on_click(self._another_wanted)

    def take(self, photos: dict[str, Photo | Face]) -> None:
        """Show photographs, or encoded faces, by role."""
        if self._parents_changed(self.family.choose_photos(photos)):
            self.controls["couple"].value = OWN

    def _moved(self, change) -> None:
        before = self.family.pictures["child"]
        self.controls["age"].disabled = self.controls["age_inherited"].value
        drawn = self.family.draw(self.settings())
        if drawn and change.owner is self.controls["seed"] and self.family.pictures["child"] == before:
            self.family.message = "nothing is left to chance here: every seed gives the same child"
        self._show()

    def _couple_chosen(self, change) -> None:
        if change.new != OWN:
            self._parents_changed(self.family.choose_couple(change.new))

    def _uploaded(self, role: str, change) -> None:
        if change.new and self._parents_changed(self.family.choose_upload(role, change.new)):
            self.controls["couple"].value = OWN

    def _another_wanted(self, button) -> None:
        seed = self.controls["seed"]
        seed.value = seed.value + 1 if seed.value < seed.max else seed.min

    def _parents_changed(self, worked: bool) -> bool:
        if worked:
            self.refresh()
        else:
            self._show()
        return worked

    def _report(self, text: str, share: float) -> None:
        self.bar.layout.visibility = "visible"
        self.bar.value = share
        self.status.value = html.escape(text)

    def _show(self) -> None:
        self.bar.layout.visibility = "hidden"
        self.status.value = html.escape(self.family.message)
        for name, image in self.images.items():
            image.value = self.family.pictures[name]

    def _snapshot(self) -> bytes:
        """Parents, reconstructions, child and where the sliders stand, as JPEG."""
        faces = self.family.child.father, self.family.child.mother
        drawn = [self.family.kin.reconstruct(face) for face in faces]
        shares = ", ".join(f"{name} {self.controls[name].value:.2f}" for name in SHARES)
        title = f"father's share: {shares}"
        return figures.family_row([self.family.child], drawn, title).jpeg()


def family_studio(
    kin: Kinship | None = None,
    father: Photo | Face | None = None,
    mother: Photo | Face | None = None,
    refine: int = REFINE_STEPS,
    couple: int = 1,
) -> FamilyStudio:
    """The panel of sliders for two parents and their child.

    Args:
        kin: loaded networks; None loads the preset named by `KINLIB_PRESET`.
        father, mother: photographs or encoded faces to begin with; None takes them from the bundled couple.
        refine: steps of fitting the code of each photograph, uploaded ones included; bundled parents need none.
        couple: the bundled couple to begin with.

    Raises:
        KinlibError: if the networks cannot be loaded, or there is no such couple. What is wrong with a photograph is
            said in the panel.
    """
    sample_parents.couple(couple)
    studio = FamilyStudio(Family(kin or Kinship.load(config.default_preset()), refine))
    given = {role: photo for role, photo in zip(ROLES, (father, mother), strict=True) if photo is not None}
    if len(given) < len(ROLES):
        studio.controls["couple"].value = couple  # which encodes and draws
    if given:
        studio.take(given)
    return studio


def _controls(kin: Kinship) -> dict[str, widgets.Widget]:
    """All controls by name."""
    couples = [(f"couple {number}", number) for number in range(1, len(sample_parents.couples()) + 1)]
    sexes = [("as inherited", None), ("female", "female"), ("male", "male")]
    live = kin.generator.resolution <= LIVE
    share = {"min": 0.0, "max": 1.0, "step": 0.05, "readout_format": ".2f", "continuous_update": live} | WIDE
    has = {name: name in kin.directions for name in ("age", "sex")}
    return {
        "couple": widgets.Dropdown(
            options=[*couples, ("own photographs", OWN)], value=OWN, description="parents", **WIDE
        ),
        **{f"upload_{role}": widgets.FileUpload(accept="image/*", description=f"{role}'s photo") for role in ROLES},
        "method": widgets.Dropdown(options=methods(), value=Settings.method, description="method", **WIDE),
        "seed": widgets.BoundedIntText(value=Settings.seed, min=0, max=9999, description="seed", **WIDE),
        "another": widgets.Button(description="another child", icon="refresh", tooltip="the next seed"),
        **{name: widgets.FloatSlider(value=0.5, description=text, **share) for name, text in SHARES.items()},
        "truncation": widgets.FloatSlider(value=1.0, description="truncation", **share),
        "age_inherited": widgets.Checkbox(value=True, description="age as inherited", disabled=not has["age"], **WIDE),
        "age": widgets.IntSlider(
            value=25, min=AGES[0], max=AGES[1], description="age, years", disabled=True, continuous_update=live, **WIDE
        ),
        "sex": widgets.Dropdown(options=sexes, description="sex", disabled=not has["sex"], **WIDE),
    }


def _controls_box(controls: dict[str, widgets.Widget]) -> widgets.Widget:
    """Whose child on the left, what it inherits on the right."""
    uploads = widgets.HBox([controls[f"upload_{role}"] for role in ROLES])
    left = [controls["couple"], uploads, *(controls[name] for name in ("method", "seed", "another", "sex"))]
    hint = widgets.HTML("the father's share: 0 is all the mother's, 1 all the father's")
    right = [hint, *(controls[name] for name in (*SHARES, "truncation", "age_inherited", "age"))]
    return widgets.HBox([widgets.VBox(left), widgets.VBox(right)], layout={"flex_flow": "row wrap"})


def _pictures_box(images: dict[str, widgets.Image]) -> widgets.Widget:
    """Photographs above reconstructions, the child large beside them; every picture with its name."""
    named = {
        name: widgets.VBox([image, widgets.Label(name.replace("_", ", as "))], layout={"align_items": "center"})
        for name, image in images.items()
    }
    rows = [widgets.HBox([named[f"{role}{suffix}"] for role in ROLES]) for suffix in ("", "_drawn")]
    return widgets.HBox([widgets.VBox(rows), named["child"]], layout={"flex_flow": "row wrap"})


def _image(side: int) -> widgets.Image:
    return widgets.Image(format="png", layout={"width": f"{side}px", "height": f"{side}px", "margin": "4px"})
