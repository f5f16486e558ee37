"""The tab of facial genes: whose each region of the face is, by sliders."""

from functools import partial

import gradio as gr

from kinlib.demo import markup
from kinlib.demo.parts import Parts, html_part
from kinlib.demo.visits import Visit
from kinlib.demo.words import plain_all
from kinlib.inheritance import registry
from kinlib.inheritance.genes.choices import HALF, REGION_GROUPS, RegionChoices
from kinlib.kinship.kinship import Kinship
from kinlib.session import ROLES

__all__ = ["GenesTab", "has_genes"]

SEEDS = 9999
STARTS = {"Half of each": HALF, "All from the father": 1.0, "All from the mother": 0.0}


def has_genes(kin: Kinship) -> bool:
    """Whether a preset has gene networks here."""
    return "genes" in registry.available(kin.preset)


class GenesTab:
    """A slider for each group of regions and, folded away, for each of the 34 regions; 1 is the father's.

    A group's slider moves those of its regions.
    """

    def __init__(self, parts: Parts, tab: gr.Tab):
        self.parts = parts
        self.pool = "genes_pool" in registry.available(parts.visits.kin.preset)
        self.groups: dict[str, gr.Slider] = {}
        self.pooled: dict[str, gr.Checkbox] = {}
        self.regions: dict[str, gr.Slider] = {}
        gr.Markdown("The father’s share of each region’s genes: 1 is the father, 0 the mother.")
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                with gr.Row():
                    self.starts = [gr.Button(words, size="sm", min_width=100) for words in STARTS]
                self.seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=SEEDS)
                for group, regions in REGION_GROUPS.items():
                    self._group(group, regions)
            with gr.Column(min_width=320, elem_classes="kin-sticky"):
                self.faces = html_part("", elem_id="kin-gene-faces")
                self.notice = html_part(markup.message(""))
        self.outputs = [self.faces, self.notice]
        self._wire(tab)

    def _group(self, group: str, regions: tuple[str, ...]) -> None:
        with gr.Row():
            self.groups[group] = _share(group.capitalize(), elem_id=f"kin-genes-{group}", scale=3)
            if self.pool:
                self.pooled[group] = gr.Checkbox(False, label="other people", min_width=120, scale=1)
        if len(regions) == 1:
            self.regions[regions[0]] = self.groups[group]
            return
        with gr.Accordion(f"{group.capitalize()}: {len(regions)} regions", open=False):
            for region in regions:
                self.regions[region] = _share(region.replace("_", " ").capitalize())

    def _wire(self, tab: gr.Tab) -> None:
        inputs = [self.seed, *self.regions.values(), *self.pooled.values()]
        wire = self.parts.wire
        wire(tab.select, self._generated, inputs, self.outputs, last=True)
        for group, slider in self.groups.items():
            if slider in self.regions.values():  # a group of one region
                continue
            moved = partial(self._groups_moved, REGION_GROUPS[group])
            own = [self.regions[region] for region in REGION_GROUPS[group]]
            wire(slider.input, moved, [slider, *inputs], [*own, *self.outputs], last=True)
        for control in (self.seed, *self.regions.values(), *self.pooled.values()):
            wire(control.input, self._generated, inputs, self.outputs, last=True)
        further = [slider for slider in self.groups.values() if slider not in self.regions.values()]
        for button, share in zip(self.starts, STARTS.values(), strict=True):
            started = partial(self._begun, share, len(further))
            wire(button.click, started, inputs, [*further, *self.regions.values(), *self.outputs], last=True)

    def _groups_moved(self, moved: tuple[str, ...], visit: Visit, share: float, seed: float, *values) -> list:
        """Some regions with one share: their sliders, and the child."""
        shares = [share if region in moved else value for region, value in zip(self.regions, values, strict=False)]
        child = self._generated(visit, seed, *shares, *values[len(shares) :])
        return [*(share for _ in moved), *child]

    def _begun(self, share: float, groups: int, visit: Visit, seed: float, *values) -> list:
        """All regions with one share."""
        return [*(share for _ in range(groups)), *self._groups_moved(tuple(self.regions), visit, share, seed, *values)]

    def _choices(self, values: tuple) -> RegionChoices:
        shares = dict(zip(self.regions, map(float, values[: len(self.regions)]), strict=True))
        pooled = zip(self.pooled, values[len(self.regions) :], strict=True)
        return RegionChoices(shares, frozenset(group for group, chosen in pooled if chosen))

    def _generated(self, visit: Visit, seed: float, *values) -> list:
        session, chosen = visit.session, self._choices(values)
        missing = [role for role in ROLES if role not in session.faces]
        if missing:
            told = f"There is no {' and no '.join(missing)} yet: choose both parents in the first tab."
            return ["", markup.message(told, fault=True)]
        parents = [session.faces[role] for role in ROLES]
        child = session.kin.child(*parents, method=chosen.method, seed=int(seed or 0), **chosen.options())
        visit.gene_child = child
        small = [
            markup.figure(session.pictures[f"{role}_reconstruction"], f"{role.capitalize()}, as drawn", small=True)
            for role in ROLES
        ]
        cells = markup.strip([markup.figure(child.image, "Child", save_as="child_of_genes")])
        notes = "; ".join((chosen.in_words(), *child.notes))
        return [f'<div class="kin-family">{markup.strip(small)}{cells}</div>', markup.message(plain_all(notes))]


def _share(label: str, **options) -> gr.Slider:
    return gr.Slider(0, 1, value=HALF, step=0.05, label=label, **options)
