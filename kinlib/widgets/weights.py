"""Sliders for layer groups, single layers and chosen dimensions, with presets: the panel of notebook 07.

    panel = weights_panel(kin)
    panel.controls["coarse"].value = 1.0              the father's head
    panel.layers[7].value = 0.0                       but layer 7 from the mother
    panel.set_dimension(30, 1.0)                      and dimension 30, in all layers, from the father
    panel.save("mine.json")                           for `kinlib child --weights mine.json`

The panel is a layout over `kinlib.session.Session` and `kinlib.inheritance.weights_file.BlendWeights`.
"""

import html
from pathlib import Path

import ipywidgets as widgets

from kinlib import figures
from kinlib.inheritance.blend import GROUPS
from kinlib.inheritance.weights_file import STYLE_DIM, BlendWeights, load_weights, save_weights
from kinlib.kinship.kinship import Face, Kinship, Photo
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.session import REFINE_STEPS, ROLES, SHARES, Session, Settings
from kinlib.studio.datasets import sample_parents
from kinlib.widgets.pictures import couple_box, picture_widget
from kinlib.widgets.snapshot import FITTED, WRAPPED, Panel, as_png, wide

__all__ = ["STARTS", "WeightsPanel", "weights_panel"]

STARTS = {
    "half of each": {"coarse": 0.5, "middle": 0.5, "fine": 0.5},
    "father's head, mother's colours": {"coarse": 1.0, "middle": 0.5, "fine": 0.0},
    "mother's head, father's colours": {"coarse": 0.0, "middle": 0.5, "fine": 1.0},
}
"""Shares of the groups to begin with, by name."""

CHOOSE = "choose"
SHOWN = ("father_reconstruction", "mother_reconstruction", "child")
LIVE = 256  # px; larger pictures take too long to follow a slider while it is still moving
WIDE = wide(400, 160)


class WeightsPanel(Panel):
    """Both parents' reconstructions and their child, and what the child has from whom.

    A group's slider moves the sliders of its layers; a layer's slider moves that layer alone.

    Attributes:
        session: the state that the panel shows.
        controls: start, coarse, middle, fine, dimension, share, set, clear, file, save, load.
        layers: a slider for each layer.
        images: the pictures' widgets, by the names of `SHOWN`.
        chosen: the line that lists the dimensions with shares of their own.
        status: the line of text.
    """

    WORDS = "the panel of blend weights; run the notebook to use it"

    def __init__(self, session: Session):
        """Show the parents of a session that has both, and their average child."""
        super().__init__()
        self.session = session
        self._dimensions: dict[int, float] = {}
        self._setting = False  # sliders that code is moving generate no child
        live = session.kin.generator.resolution <= LIVE
        self.controls = _controls(live)
        self.layers = [_share(f"layer {i}", live, **WIDE) for i in range(session.kin.num_layers)]
        self.images = {name: picture_widget(320 if name == "child" else 160) for name in SHOWN}
        self.chosen, self.status = widgets.HTML(), widgets.HTML()
        self._listen()
        self.children = [couple_box(self.images), self._controls_box(), self.chosen, self.status]
        for name in SHOWN[:2]:
            self.images[name].value = as_png(session.pictures[name])
        self._generate()

    @property
    def private(self) -> bool:
        """Whether anybody but bundled people is shown: then a stored notebook holds no picture."""
        return not self.session.bundled

    def weights(self) -> BlendWeights:
        """The weights that the controls say; a layer is listed where it differs from its group."""
        kin = self.session.kin
        groups = {name: self.controls[name].value for name in SHARES}
        layers = {i: slider.value for i, slider in enumerate(self.layers) if slider.value != groups[_group_of(i)]}
        return BlendWeights(kin.preset, kin.num_layers, groups, layers, dict(self._dimensions))

    def set_weights(self, chosen: BlendWeights) -> None:
        """Move all controls to where some weights are."""
        shares = chosen.shares()
        self._setting = True
        for name in SHARES:
            self.controls[name].value = chosen.groups.get(name, 0.5)
        for i, slider in enumerate(self.layers):
            slider.value = chosen.layers.get(i, self.controls[_group_of(i)].value)
        self._dimensions = {int(number): float(shares[0, number]) for number in sorted(chosen.dimensions)}
        self._setting = False
        self._generate()

    def set_dimension(self, number: int, share: float | None) -> None:
        """Give a dimension the same share in all layers; None leaves it to the layers again."""
        if share is None:
            self._dimensions.pop(number, None)
        else:
            self._dimensions[number] = share
        self._generate()

    def save(self, path: str | Path) -> None:
        """Store the weights as JSON; the status says where, or why not."""
        self._attempt(lambda: save_weights(path, self.weights()), f"saved {Path(path).name}")

    def load(self, path: str | Path) -> None:
        """Take the weights of a file; the status says which, or why not. What was set before stays after a failure."""
        kin = self.session.kin
        self._attempt(
            lambda: self.set_weights(load_weights(path, kin.preset, kin.num_layers)), f"loaded {Path(path).name}"
        )

    def _attempt(self, action, done: str) -> None:
        try:
            action()
        except KinlibError as problem:
            done = str(problem)
        self.status.value = html.escape(done)

    def _listen(self) -> None:
        for name in SHARES:
            self.controls[name].observe(lambda change, name=name: self._group_moved(name), names="value")
        for slider in self.layers:
            slider.observe(lambda change: self._generate(), names="value")
        self.controls["start"].observe(self._start_chosen, names="value")
        number, share = self.controls["dimension"], self.controls["share"]
        self.controls["set"].on_click(lambda button: self.set_dimension(number.value, share.value))
        self.controls["clear"].on_click(lambda button: self.set_dimension(number.value, None))
        self.controls["save"].on_click(lambda button: self.save(self.controls["file"].value))
        self.controls["load"].on_click(lambda button: self.load(self.controls["file"].value))

    def _start_chosen(self, change) -> None:
        if change.new in STARTS:
            kin = self.session.kin
            self.set_weights(BlendWeights(kin.preset, kin.num_layers, STARTS[change.new]))

    def _group_moved(self, name: str) -> None:
        if self._setting:
            return
        self._setting = True
        for i, slider in enumerate(self.layers):
            if _group_of(i) == name:
                slider.value = self.controls[name].value
        self._setting = False
        self._generate()

    def _generate(self) -> None:
        if self._setting:
            return
        self.session.generate(Settings(weights=self.weights()))
        self.status.value = html.escape(self.session.message)
        own = ", ".join(f"{number}: {share:g}" for number, share in sorted(self._dimensions.items()))
        self.chosen.value = f"dimensions with shares of their own: {own or 'none'}"
        self.images["child"].value = as_png(self.session.pictures["child"])

    def _controls_box(self) -> widgets.Widget:
        """Groups, dimensions and presets on the left, single layers on the right."""
        at = self.controls
        rows = [widgets.HBox([at[name] for name in names]) for names in (("set", "clear"), ("save", "load"))]
        hint = widgets.HTML("the father's share: 0 is all the mother's, 1 all the father's")
        left = [hint, at["start"], *(at[name] for name in SHARES), at["dimension"], at["share"], rows[0], at["file"]]
        return widgets.HBox([widgets.VBox([*left, rows[1]]), widgets.VBox(self.layers)], layout=WRAPPED)

    def _snapshot(self) -> bytes:
        """Parents, reconstructions, child and where the sliders of the groups stand, as JPEG."""
        child = self.session.child
        reconstructions = [self.session.kin.reconstruct(face) for face in (child.father, child.mother)]
        title = "father's share: " + ", ".join(f"{name} {self.controls[name].value:.2f}" for name in SHARES)
        return figures.family_row([child], reconstructions, title).jpeg()


def weights_panel(
    kin: Kinship | None = None, father: Photo | Face | None = None, mother: Photo | Face | None = None, couple: int = 1
) -> WeightsPanel:
    """The panel of blend weights.

    Args:
        kin: loaded networks; None loads the preset named by `KINLIB_PRESET`.
        father, mother: photographs or encoded faces; None takes the bundled couple, whose number is `couple`.
        couple: the bundled couple.

    Raises:
        KinlibError: if the networks or a photograph cannot be loaded, one parent only is given, or there is no such
            couple.
    """
    if (father is None) != (mother is None):
        raise KinlibError("give both parents, or neither to take the bundled couple")
    sample_parents.couple(couple)
    session = Session(kin or Kinship.load(config.default_preset()), REFINE_STEPS)
    given = dict(zip(ROLES, (father, mother), strict=True))
    if not (session.choose_couple(couple) if father is None else session.choose_photos(given)):
        raise KinlibError(session.message)
    return WeightsPanel(session)


def _controls(live: bool) -> dict[str, widgets.Widget]:
    """All controls by name, but for the layers."""
    return {
        "start": widgets.Dropdown(options=[CHOOSE, *STARTS], value=CHOOSE, description="begin with", **WIDE),
        **{name: _share(text, live, **WIDE) for name, text in SHARES.items()},
        "dimension": widgets.BoundedIntText(value=0, min=0, max=STYLE_DIM - 1, description="dimension", **WIDE),
        "share": _share("its share", True, **WIDE),
        "set": widgets.Button(description="set dimension", **FITTED),
        "clear": widgets.Button(description="clear dimension", **FITTED),
        "file": widgets.Text(value="weights.json", description="file", **WIDE),
        "save": widgets.Button(description="save", icon="save", **FITTED),
        "load": widgets.Button(description="load", icon="folder-open", **FITTED),
    }


def _share(text: str, live: bool, **options) -> widgets.FloatSlider:
    return widgets.FloatSlider(
        value=0.5,
        min=0.0,
        max=1.0,
        step=0.05,
        description=text,
        readout_format=".2f",
        continuous_update=live,
        **options,
    )


def _group_of(layer: int) -> str:
    return next(name for name, (begin, end) in GROUPS.items() if begin <= layer < (end or layer + 1))
