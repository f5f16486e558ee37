"""Browsers of a data set of families and of its trios: the panels of notebooks 01 and 02.

    families_panel = FamilyBrowser(tables)          a family's tree, a person's album, relatives and problems
    trios_panel = TrioBrowser(tables, trios)        father, mother and child, image trio after image trio

A stored notebook shows a static picture instead, and none of a private data set.
"""

import html
from collections.abc import Callable

import ipywidgets as widgets
import pandas as pd

from kinlib import figures
from kinlib.families import drawing
from kinlib.families.tables import FamilyTables, extended_families
from kinlib.families.trios import HOW, ROLES, num_image_trios, pair_images
from kinlib.io.photos import read_photo
from kinlib.runtime.errors import KinlibError
from kinlib.widgets.pictures import named_picture
from kinlib.widgets.snapshot import WRAPPED, Panel, as_png, wide

__all__ = ["FamilyBrowser", "TrioBrowser"]

WIDE = wide(420, 80)
TREE_WIDTH, ALBUM_WIDTH, FACE = 640, 640, 180  # pixels on the page
MOST_SHOWN = 500  # image trios that the slider goes through


class _Browser(Panel):
    """Controls, pictures, and a line of text for what could not be shown."""

    WORDS = "a browser of the data set; run the notebook to use it"

    def __init__(self, tables: FamilyTables):
        super().__init__()
        self.tables, self.private = tables, tables.private
        self.controls: dict[str, widgets.Widget] = {}
        self.images: dict[str, widgets.Image] = {}
        self.status = widgets.HTML()
        self._filling = False

    def _fill(self, control: widgets.Widget, options: list[tuple[str, object]]) -> None:
        """Give a menu other entries and choose the first, without calling the observers."""
        self._filling = True
        control.options = options
        control.value = options[0][1] if options else None
        self._filling = False

    def _listen(self, name: str, action: Callable[[], None]) -> None:
        self.controls[name].observe(lambda change: None if self._filling else action(), names="value")

    def _put(self, name: str, draw: Callable[[], bytes]) -> None:
        """Show a picture, or hide its widget and say why there is none."""
        try:
            self.images[name].value = draw()
            self.images[name].layout.display = ""
        except KinlibError as problem:
            self.images[name].layout.display = "none"
            self.status.value += f"<div>{html.escape(str(problem))}</div>"


class FamilyBrowser(_Browser):
    """A menu of families, a menu of people; a tree, an album, and what is known of the person.

    Attributes:
        tables: the data set.
        controls: `family` and `person`.
        images: `tree` and `album`, JPEG.
        facts: the person's relatives, and the data set's problems that concern the person.
        status: what could not be shown.
    """

    def __init__(self, tables: FamilyTables, family: str | None = None):
        """Begin with a family, or with the largest.

        Raises:
            KinlibError: if there is no such family, or none at all.
        """
        super().__init__(tables)
        sizes = extended_families(tables)
        entries = [(f"{row.family} ({row.people} people)", row.family) for row in sizes.itertuples()]
        if not entries:
            raise KinlibError("there are no families to show: give a data set that lists people")
        if family not in (None, *sizes["family"]):
            raise KinlibError(f"there is no family '{family}': give its name as in the data set's list")
        self.controls = {
            "family": widgets.Dropdown(options=entries, value=family or entries[0][1], description="family", **WIDE),
            "person": widgets.Dropdown(options=[], description="person", **WIDE),
        }
        self.images = {
            "tree": widgets.Image(format="jpeg", width=TREE_WIDTH),
            "album": widgets.Image(format="jpeg", width=ALBUM_WIDTH),
        }
        self.facts = widgets.HTML()
        self.children = [*self.controls.values(), self.images["tree"], self.facts, self.images["album"], self.status]
        self._listen("family", self._show_family)
        self._listen("person", self._show_person)
        self._show_family()

    def _show_family(self) -> None:
        family = self.controls["family"].value
        own = self.tables.people[self.tables.people["family"] == family]
        self._fill(self.controls["person"], list(zip(own["name"], own["person"], strict=True)))
        self.status.value = ""
        self._put("tree", lambda: drawing.tree(self.tables, family).jpeg())
        self._show_person(keep=True)

    def _show_person(self, keep: bool = False) -> None:
        person = self.controls["person"].value
        self.status.value = self.status.value if keep else ""
        self.facts.value = self._facts(person)
        self._put("album", lambda: self._album(person))

    def _album(self, person: str) -> bytes:
        if not self.tables.images_of[person]:
            raise KinlibError(f"there are no pictures of {person}")
        return drawing.album(self.tables, person).jpeg()

    def _facts(self, person: str) -> str:
        tables = self.tables
        known = [("child of", tables.parents(person)), ("married to", tables.spouses(person))]
        known.append(("parent of", tables.children(person)))
        lines = [
            f"{what} {', '.join(other.rpartition('/')[2] for other in people)}" for what, people in known if people
        ]
        lines += [f"{one.kind}: {one.text}" for one in tables.problems if one.person == person]
        return "".join(f"<div>{html.escape(line)}</div>" for line in lines) or "nothing is known of relatives"

    def _snapshot(self) -> bytes:
        return drawing.tree(self.tables, self.controls["family"].value).jpeg()


class TrioBrowser(_Browser):
    """Menus of families, trios and strategies, a slider over image trios, and the three pictures.

    Attributes:
        tables, trios: the data set and its trios.
        controls: `family`, `trio` (row of the table), `how` and `number` (of the image trio, from 1).
        images: `father`, `mother` and `child`, PNG.
        captions: the text below them.
        status: how many image trios there are, and what could not be read.
    """

    def __init__(self, tables: FamilyTables, trios: pd.DataFrame, seed: int = 0):
        """`seed` is that of the strategies.

        Raises:
            KinlibError: if there are no trios.
        """
        super().__init__(tables)
        if not len(trios):
            raise KinlibError("there are no trios to show: no child has a known father and mother")
        self.trios, self.seed = trios.reset_index(drop=True), seed
        self._pairs, self._refused = pair_images(self.trios[:0]), ""
        families = list(dict.fromkeys(self.trios["family"]))
        self.controls = {
            "family": widgets.Dropdown(options=families, description="family", **WIDE),
            "trio": widgets.Dropdown(options=[], description="child", **WIDE),
            "how": widgets.Dropdown(options=HOW, description="strategy", **WIDE),
            "number": widgets.IntSlider(value=1, min=1, max=1, description="image trio", **WIDE),
        }
        self.images = {role: widgets.Image(format="png", layout={"height": f"{FACE}px"}) for role in ROLES}
        self.captions = {role: widgets.Label() for role in ROLES}
        faces = [named_picture(self.images[role], self.captions[role]) for role in ROLES]
        self.children = [*self.controls.values(), widgets.HBox(faces, layout=WRAPPED), self.status]
        for name, action in (("family", self._choose_family), ("trio", self._choose_trio), ("how", self._choose_trio)):
            self._listen(name, action)
        self._listen("number", self._show)
        self._choose_family()

    def _choose_family(self) -> None:
        own = self.trios[self.trios["family"] == self.controls["family"].value]
        self._fill(self.controls["trio"], [(row.child.rpartition("/")[2], row.Index) for row in own.itertuples()])
        self._choose_trio()

    def _choose_trio(self) -> None:
        """The image trios of the chosen trio; a fixed number is shared with the family's other trios."""
        how, row = self.controls["how"].value, self.controls["trio"].value
        count = int(num_image_trios(self.trios, how)[row])
        own = self.trios.loc[[row]]
        try:
            self._pairs = pair_images(own, how, number=max(count, 1), per="trio", seed=self.seed)
            self._refused = ""
        except KinlibError as problem:  # more combinations than memory
            self._pairs, self._refused, count = self._pairs[:0], str(problem), 0
        self._filling = True
        self.controls["number"].max = max(1, min(count, MOST_SHOWN))
        self.controls["number"].value = 1
        self._filling = False
        self._show()

    def _show(self) -> None:
        count = len(self._pairs)
        self.status.value = html.escape(self._refused) or f"{count:,} image trios of this trio"
        if not count:
            trio = self.trios.loc[self.controls["trio"].value]
            for role in ROLES:
                self.images[role].layout.display = "none"
                self.captions[role].value = f"{role}: {len(trio[f'{role}_images'])} images"
            return
        pair = self._pairs.iloc[self.controls["number"].value - 1]
        for role in ROLES:
            self._put(role, lambda role=role: self._picture(pair[f"{role}_image"]))
            self.captions[role].value = f"{role}: {pair[role].rpartition('/')[2]}"

    def _picture(self, image: str) -> bytes:
        return as_png(read_photo(self.tables.path(image)))

    def _snapshot(self) -> bytes:
        """Six image trios of the chosen one."""
        if not len(self._pairs):
            return figures.panels([drawing.BLANK], ["no image trio"]).jpeg()
        return drawing.trio_sheet(self.tables, self._pairs[:6]).jpeg()
