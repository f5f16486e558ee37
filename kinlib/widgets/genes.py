"""A slider for each group of facial regions and for each of the 34 regions: the panel of notebook 11.

    panel = gene_panel(kin)
    panel.groups["eyes"].value = 1.0                  all of the eyes from the father
    panel.regions["nose_tip"].value = 0.0             but the tip of the nose from the mother
    panel.pooled["hair"].value = True                 and the hair from somebody in the gene pool

The panel is a layout over `kinlib.session.Session` and `kinlib.inheritance.genes.choices.RegionChoices`.
"""

import html
import random
from pathlib import Path

import ipywidgets as widgets

from kinlib import figures
from kinlib.inheritance import registry
from kinlib.inheritance.genes.choices import ANY, HALF, REGION_GROUPS, RegionChoices, share_in_words
from kinlib.inheritance.genes.pool import load_pool
from kinlib.kinship.kinship import Face, Kinship, Photo
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.session import REFINE_STEPS, ROLES, Session, Settings
from kinlib.studio.datasets import sample_parents
from kinlib.widgets.pictures import couple_box, picture_widget
from kinlib.widgets.snapshot import FITTED, WRAPPED, Panel, as_png, wide

__all__ = ["GenePanel", "gene_panel"]

SHOWN = ("father_reconstruction", "mother_reconstruction", "child")
LIVE = 256  # px; larger pictures take too long to follow a slider while it is still moving
STEPS = 20  # of a slider from father to mother
SHARES = [round(1 - i / STEPS, 2) for i in range(STEPS + 1)]  # the father's, from left to right
CHOOSE, DRAWN = "choose", "drawn at random"
STARTS = {"half of each": HALF, "all from the father": 1.0, "all from the mother": 0.0}
WIDE = wide(390, 120, 260)  # below that, "half of each" would be cut off
INDENTED = wide(380, 120, 260, margin="0 0 0 20px")
SEEDS = 9999


class GenePanel(Panel):
    """Both parents' reconstructions and their child, and whose genes each region has.

    A group's slider moves the sliders of its regions; a region's slider moves that region alone. Left is the father,
    right the mother; a slider's value is the father's share.

    Attributes:
        session: the state that the panel shows.
        groups, pooled, unfold: of each group a slider, a box that takes it from the pool, and a button that shows the
            sliders of its regions.
        regions: a slider for each of the 34 regions.
        controls: start, seed, another, kept_layers, gene_spread; pool_age, pool_sex and pool_group.
        images: the pictures' widgets, by the names of `SHOWN`.
        told: what the child has from whom, and the command that generates it.
        status: notes, or why there is no other child.
    """

    WORDS = "the panel of facial genes; run the notebook to use it"

    def __init__(self, session: Session, pool: Path | None = None):
        """Show the parents of a session that has both, and a child with half of the genes of each.

        Args:
            session: of a preset with gene networks.
            pool: file of a gene pool; None for the bundled one, without which nothing can be taken from the pool.

        Raises:
            KinlibError: if the preset has no gene networks, or the given pool cannot be read.
        """
        super().__init__()
        kin = session.kin
        try:
            registry.find("genes").files(kin.preset)
        except KinlibError as problem:
            raise KinlibError(f"the panel of facial genes needs gene networks, but {problem}") from problem
        self.session, self._pool = session, pool
        self._setting = False  # sliders that code is moving generate no child
        names, self._no_pool = _pool_names(kin, pool)
        live = kin.generator.resolution <= LIVE
        self.groups = {group: _share(group, live, **WIDE) for group in REGION_GROUPS}
        self.regions = {
            region: _share(region.replace("_", " "), live, **INDENTED)
            for regions in REGION_GROUPS.values()
            for region in regions
        }
        self.pooled = {
            group: widgets.Checkbox(
                description=f"{group} from the pool",
                indent=False,
                disabled=bool(self._no_pool),
                layout={"width": "200px", "margin": "0 0 0 4px"},
            )
            for group in REGION_GROUPS
        }
        self.unfold = {group: _unfold(group, len(regions)) for group, regions in REGION_GROUPS.items()}
        self._folds = {
            group: widgets.VBox([self.regions[region] for region in regions], layout={"display": "none"})
            for group, regions in REGION_GROUPS.items()
        }
        self.controls = _controls(names, kin.num_layers, live)
        self.images = {name: picture_widget(320 if name == "child" else 160) for name in SHOWN}
        self.told, self.status = widgets.HTML(), widgets.HTML()
        self._listen()
        self.children = [couple_box(self.images), self._sliders_box(), self.told, self.status]
        for name in SHOWN[:2]:
            self.images[name].value = as_png(session.pictures[name])
        self._generate()

    @property
    def private(self) -> bool:
        """Whether anybody but bundled people is shown: then a stored notebook holds no picture."""
        return not self.session.bundled

    def choices(self) -> RegionChoices:
        """Where the controls stand."""
        at = self.controls
        return RegionChoices(
            {region: slider.value for region, slider in self.regions.items()},
            frozenset(group for group, box in self.pooled.items() if box.value),
            at["kept_layers"].value,
            at["gene_spread"].value,
            {kind: at[f"pool_{kind}"].value for kind in ("age", "sex", "group")},
            self._pool,
        )

    def set_choices(self, chosen: RegionChoices) -> None:
        """Move all controls to where some choices are; shares go to the nearest place of a slider."""
        self._setting = True
        try:
            for region, slider in self.regions.items():
                slider.value = _nearest(chosen.shares[region])
            for group, box in self.pooled.items():
                box.value = group in chosen.pooled
            layers = self.controls["kept_layers"]
            layers.value = layers.max if chosen.kept_layers is None else chosen.kept_layers
            self.controls["gene_spread"].value = chosen.gene_spread
            for kind, name in chosen.people.items():
                self.controls[f"pool_{kind}"].value = name
        finally:
            self._setting = False
        self._follow_regions()
        self._generate()

    def _listen(self) -> None:
        for group, slider in self.groups.items():
            slider.observe(lambda change, group=group: self._group_moved(group), names="value")
            self.pooled[group].observe(lambda change: self._generate(), names="value")
            self.unfold[group].observe(lambda change, group=group: self._fold(group), names="value")
        for slider in self.regions.values():
            slider.observe(lambda change: self._region_moved(), names="value")
        for name in ("seed", "kept_layers", "gene_spread", "pool_age", "pool_sex", "pool_group"):
            self.controls[name].observe(lambda change: self._generate(), names="value")
        self.controls["start"].observe(self._start_chosen, names="value")
        self.controls["another"].on_click(lambda button: self._another())

    def _another(self) -> None:
        seed = self.controls["seed"]
        seed.value = seed.value + 1 if seed.value < seed.max else seed.min

    def _fold(self, group: str) -> None:
        shown = self.unfold[group].value
        self._folds[group].layout.display = "" if shown else "none"
        self.unfold[group].icon = "chevron-down" if shown else "chevron-right"

    def _start_chosen(self, change) -> None:
        if change.new == CHOOSE:
            return
        rng = random.Random(self.controls["seed"].value)
        chosen = self.choices()
        for group in REGION_GROUPS:
            chosen = chosen.with_group(group, rng.choice(SHARES) if change.new == DRAWN else STARTS[change.new])
        self.set_choices(chosen)
        self.controls["start"].value = CHOOSE  # so that the same can be chosen again

    def _group_moved(self, group: str) -> None:
        if self._setting:
            return
        self._setting = True
        for region in REGION_GROUPS[group]:
            self.regions[region].value = self.groups[group].value
        self._setting = False
        self._generate()

    def _region_moved(self) -> None:
        if not self._setting:
            self._follow_regions()
            self._generate()

    def _follow_regions(self) -> None:
        """A group's slider goes where all of its regions are; where they differ it stays."""
        chosen = self.choices()
        self._setting = True
        for group, slider in self.groups.items():
            share = chosen.common_share(group)
            slider.value = slider.value if share is None else share
        self._setting = False

    def _generate(self) -> None:
        if self._setting:
            return
        chosen, seed = self.choices(), self.controls["seed"].value
        for group, regions in REGION_GROUPS.items():
            for slider in (self.groups[group], *(self.regions[region] for region in regions)):
                slider.disabled = group in chosen.pooled  # which has it from neither parent
        self.session.generate(Settings(method=chosen.method, seed=seed, options=chosen.options()))
        self.status.value = html.escape("; ".join(filter(None, (self.session.message, self._no_pool))))
        command = f"<code>{html.escape(chosen.command(seed))}</code>"
        self.told.value = f"<div>{html.escape(chosen.in_words())}</div><div>{command}</div>"
        self.images["child"].value = as_png(self.session.pictures["child"])

    def _sliders_box(self) -> widgets.Widget:
        """Groups, each above its regions, on the left; everything else on the right."""
        rows = [widgets.HTML("left: the father's genes, right: the mother's")]
        for group in REGION_GROUPS:
            head = [self.groups[group], self.pooled[group]]
            if len(REGION_GROUPS[group]) > 1:
                head.append(self.unfold[group])
            rows += [widgets.HBox(head, layout=WRAPPED), self._folds[group]]
        return widgets.HBox([widgets.VBox(rows), widgets.VBox(list(self.controls.values()))], layout=WRAPPED)

    def _snapshot(self) -> bytes:
        """Parents, reconstructions, child and what it has from whom, as JPEG."""
        child = self.session.child
        if child is None:
            raise KinlibError(self.session.message)
        reconstructions = [self.session.kin.reconstruct(face) for face in (child.father, child.mother)]
        return figures.family_row([child], reconstructions, self.choices().in_words()).jpeg()


def gene_panel(
    kin: Kinship | None = None,
    father: Photo | Face | None = None,
    mother: Photo | Face | None = None,
    couple: int = 1,
    pool: str | Path | None = None,
) -> GenePanel:
    """The panel of facial genes.

    Args:
        kin: loaded networks; None loads the preset named by `KINLIB_PRESET`.
        father, mother: photographs or encoded faces; None takes the bundled couple, whose number is `couple`.
        couple: the bundled couple.
        pool: file of a gene pool, made by `kinlib pool`; None for the bundled one.

    Raises:
        KinlibError: if the networks, the pool or a photograph cannot be loaded, one parent only is given, or there is
            no such couple.
    """
    if (father is None) != (mother is None):
        raise KinlibError("give both parents, or neither to take the bundled couple")
    sample_parents.couple(couple)
    session = Session(kin or Kinship.load(config.default_preset()), REFINE_STEPS)
    given = dict(zip(ROLES, (father, mother), strict=True))
    if not (session.choose_couple(couple) if father is None else session.choose_photos(given)):
        raise KinlibError(session.message)
    return GenePanel(session, None if pool is None else Path(pool))


def _pool_names(kin: Kinship, pool: Path | None) -> tuple[dict[str, tuple[str, ...]], str]:
    """Ages, sexes and groups of the pool, and why nothing can be taken from it; a pool that was given has to be one."""
    names = load_pool(pool, kin.num_layers).names if pool else {}
    try:
        *_, bundled = registry.find("genes_pool").files(kin.preset)
        return names or load_pool(bundled, kin.num_layers).names, ""
    except KinlibError as problem:
        return {}, f"nothing can be taken from a gene pool: {problem}"


def _controls(names: dict[str, tuple[str, ...]], layers: int, live: bool) -> dict[str, widgets.Widget]:
    """All controls by name, but for the groups and regions."""
    people = {
        f"pool_{kind}": widgets.Dropdown(
            options=[ANY, *names.get(kind, ())], value=ANY, description=f"pool: {kind}", disabled=not names, **WIDE
        )
        for kind in ("age", "sex", "group")
    }
    return {
        "start": widgets.Dropdown(options=[CHOOSE, *STARTS, DRAWN], value=CHOOSE, description="begin with", **WIDE),
        "seed": widgets.BoundedIntText(value=0, min=0, max=SEEDS, description="seed", **WIDE),
        "another": widgets.Button(description="another child", icon="refresh", tooltip="the next seed", **FITTED),
        "kept_layers": widgets.IntSlider(
            value=layers,  # all, as for networks with principal components; the published ones take 8
            min=0,
            max=layers,
            description="layers of genes",
            continuous_update=live,
            **WIDE,
        ),
        "gene_spread": widgets.FloatSlider(
            value=1.0, min=0.0, max=1.0, step=0.05, description="spread of genes", continuous_update=live, **WIDE
        ),
        **people,
    }


def _share(text: str, live: bool, **options) -> widgets.SelectionSlider:
    """A slider from the father to the mother that says in words where it stands."""
    places = [(share_in_words(share), share) for share in SHARES]
    return widgets.SelectionSlider(options=places, value=HALF, description=text, continuous_update=live, **options)


def _nearest(share: float) -> float:
    return min(SHARES, key=lambda place: abs(place - share))


def _unfold(group: str, count: int) -> widgets.ToggleButton:
    return widgets.ToggleButton(
        description=f"{count} regions", icon="chevron-right", tooltip=f"the regions of the group {group}", **FITTED
    )
