"""The panel of notebook 00: a layout over `kinlib.session.Session`.

    studio = family_studio()                          the bundled couples, or photographs to upload
    studio.controls["coarse"].value = 1.0             code can do what a hand does with a slider

Photographs are encoded once, so that moving a slider only blends and synthesises.
"""

import html

import ipywidgets as widgets

from kinlib import figures
from kinlib.kinship.kinship import Face, Kinship, Photo
from kinlib.runtime import config
from kinlib.session import AGES, ATTRIBUTES, PICTURES, REFINE_STEPS, ROLES, SHARES, Session, Settings
from kinlib.studio.datasets import sample_parents
from kinlib.widgets.pictures import named_picture, picture_widget
from kinlib.widgets.snapshot import FITTED, WRAPPED, Panel, as_png, wide
from kinlib.widgets.uploads import uploaded

__all__ = ["FamilyStudio", "family_studio"]

OWN = 0  # entry of the couples' menu for photographs of one's own
LIVE = 256  # px; larger pictures take too long to follow a slider while it is still moving
WIDE = wide(400, 160)
BAR = wide(320, 0)["layout"]  # without a description


class FamilyStudio(Panel):
    """Pictures, controls, and a line that says what is going on.

    Attributes:
        session: the state that the panel shows.
        controls: couple, upload_father, upload_mother, method, seed, another, coarse, middle, fine, truncation,
            age_inherited, age and sex.
        images: the pictures' widgets, by the names of `PICTURES`.
        status: the line of text.
        bar: progress of a long computation.
    """

    WORDS = "the panel of sliders; run the notebook to use it"

    def __init__(self, session: Session):
        super().__init__()
        self.session = session
        self._shown: dict[str, object] = {}  # the pictures that the images hold, so that others are not encoded again
        self.images = {name: picture_widget(320 if name == "child" else 144) for name in PICTURES}
        self.controls = _controls(session)
        self.status = widgets.HTML()
        self.bar = widgets.FloatProgress(min=0.0, max=1.0, layout={"visibility": "hidden", **BAR})
        session.report = self._report
        self._listen()
        self.children = [_pictures_box(self.images), _controls_box(self.controls), self.status, self.bar]
        self._show()

    @property
    def private(self) -> bool:
        """Whether anybody but bundled people is shown, or nobody yet: then a stored notebook holds no picture."""
        return self.session.child is None or not self.session.bundled

    def settings(self) -> Settings:
        """Where the controls stand."""
        at = {name: getattr(control, "value", None) for name, control in self.controls.items()}
        shares = {group: at[group] for group in SHARES}
        age = None if at["age_inherited"] else float(at["age"])
        rest = {name: at[name] for name in ("method", "seed", "sex", "truncation")}
        return Settings(age=age, **shares, **rest)

    def refresh(self) -> None:
        """Generate the child of new parents as the controls stand."""
        self.session.refresh(self.settings())
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
        if self._parents_changed(self.session.choose_photos(photos)):
            self.controls["couple"].value = OWN

    def _moved(self, change) -> None:
        self.controls["age"].disabled = self.controls["age_inherited"].value
        self.session.generate(self.settings())
        self._show()

    def _couple_chosen(self, change) -> None:
        if change.new != OWN:
            self._parents_changed(self.session.choose_couple(change.new))

    def _uploaded(self, role: str, change) -> None:
        if change.new and self._parents_changed(self.session.choose_upload(role, *uploaded(change.new))):
            self.controls["couple"].value = OWN

    def _another_wanted(self, button) -> None:
        seed = self.controls["seed"]
        seed.value = seed.value + 1 if seed.value < seed.max else seed.min

    def _parents_changed(self, succeeded: bool) -> bool:
        if succeeded:
            self.refresh()
        else:
            self._show()
        return succeeded

    def _report(self, text: str, share: float) -> None:
        self.bar.layout.visibility = "visible"
        self.bar.value = share
        self.status.value = html.escape(text)

    def _show(self) -> None:
        self.bar.layout.visibility = "hidden"
        self.status.value = html.escape(self.session.message)
        for name, image in self.images.items():
            picture = self.session.pictures[name]
            if self._shown.get(name) is not picture:
                image.value, self._shown[name] = as_png(picture), picture

    def _snapshot(self) -> bytes:
        """Parents, reconstructions, child and where the sliders stand, as JPEG."""
        child = self.session.child
        reconstructions = [self.session.kin.reconstruct(face) for face in (child.father, child.mother)]
        shares = ", ".join(f"{name} {self.controls[name].value:.2f}" for name in SHARES)
        title = f"father's share: {shares}"
        return figures.family_row([child], reconstructions, title).jpeg()


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
    studio = FamilyStudio(Session(kin or Kinship.load(config.default_preset()), refine))
    given = {role: photo for role, photo in zip(ROLES, (father, mother), strict=True) if photo is not None}
    if len(given) < len(ROLES):
        studio.controls["couple"].value = couple  # which encodes the parents and generates the child
    if given:
        studio.take(given)
    return studio


def _controls(session: Session) -> dict[str, widgets.Widget]:
    """All controls by name."""
    couples = [(f"couple {number}", number) for number in range(1, len(sample_parents.couples()) + 1)]
    sexes = [("as inherited", None), ("female", "female"), ("male", "male")]
    live = session.kin.generator.resolution <= LIVE
    share = {"min": 0.0, "max": 1.0, "step": 0.05, "readout_format": ".2f", "continuous_update": live} | WIDE
    has = {name: name in session.attributes for name in ATTRIBUTES}
    return {
        "couple": widgets.Dropdown(
            options=[*couples, ("own photographs", OWN)], value=OWN, description="parents", **WIDE
        ),
        **{
            f"upload_{role}": widgets.FileUpload(accept="image/*", description=f"{role}'s photo", **FITTED)
            for role in ROLES
        },
        "method": widgets.Dropdown(options=session.methods, value=Settings.method, description="method", **WIDE),
        "seed": widgets.BoundedIntText(value=Settings.seed, min=0, max=9999, description="seed", **WIDE),
        "another": widgets.Button(description="another child", icon="refresh", tooltip="the next seed", **FITTED),
        **{name: widgets.FloatSlider(value=0.5, description=text, **share) for name, text in SHARES.items()},
        "truncation": widgets.FloatSlider(value=1.0, description="truncation", **share),
        "age_inherited": widgets.Checkbox(
            value=True, description="age as inherited", disabled=not has["age"], indent=False, **FITTED
        ),
        "age": widgets.IntSlider(
            value=25, min=AGES[0], max=AGES[1], description="age, years", disabled=True, continuous_update=live, **WIDE
        ),
        "sex": widgets.Dropdown(options=sexes, description="sex", disabled=not has["sex"], **WIDE),
    }


def _controls_box(controls: dict[str, widgets.Widget]) -> widgets.Widget:
    """Whose child on the left, what it inherits on the right."""
    uploads = widgets.HBox([controls[f"upload_{role}"] for role in ROLES], layout=WRAPPED)
    left = [controls["couple"], uploads, *(controls[name] for name in ("method", "seed", "another", "sex"))]
    hint = widgets.HTML("the father's share: 0 is all the mother's, 1 all the father's")
    right = [hint, *(controls[name] for name in (*SHARES, "truncation", "age_inherited", "age"))]
    return widgets.HBox([widgets.VBox(left), widgets.VBox(right)], layout=WRAPPED)


def _pictures_box(images: dict[str, widgets.Image]) -> widgets.Widget:
    """Photographs above reconstructions, the child large beside them; every picture with its name."""
    named = {
        name: named_picture(image, widgets.Label(name.replace("_reconstruction", ", from code")))
        for name, image in images.items()
    }
    rows = [widgets.HBox([named[f"{role}{suffix}"] for role in ROLES]) for suffix in ("", "_reconstruction")]
    return widgets.HBox([widgets.VBox(rows), named["child"]], layout=WRAPPED)
