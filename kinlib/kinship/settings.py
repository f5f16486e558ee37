"""How children are generated, as one value: checked before networks are loaded, and sent to any process."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinlib.checkpoints import weights as weight_files
from kinlib.inheritance import registry
from kinlib.kinship.options import check_options
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from kinlib.kinship.kinship import Kinship
    from kinlib.kinship.results import Child, Face

__all__ = ["ChildSettings"]


@dataclass(frozen=True, kw_only=True)
class ChildSettings:
    """Which networks generate children, and how.

    Attributes:
        n: children of each couple.
        seed: of the first child.
        method: method of inheritance; None with `weights`.
        method_options: those of the method that are not its defaults.
        weights: file of blend weights in place of a method.
        age, sex, edits, truncation, refine_steps: as `Kinship.children` takes them.
        preset, memory_efficient, dtype: as `Kinship.load` takes them.
    """

    n: int = 1
    seed: int = 0
    method: str | None = "average"
    method_options: Mapping[str, Any] = field(default_factory=dict)
    weights: Path | None = None
    age: float | None = None
    sex: str | None = None
    edits: Mapping[str, float | str] = field(default_factory=dict)
    truncation: float = 1.0
    refine_steps: int = 0
    preset: str = "studio"
    memory_efficient: bool = False
    dtype: str | None = None

    def check(self, device: str | None = None) -> None:
        """Check all that can be checked without a network or a photograph.

        Raises:
            KinlibError: if a setting is unknown, out of its range or at odds with another, or a file of a method or
                the direction of an attribute is absent.
        """
        from kinlib.inheritance.weights_file import check_alone, load_weights
        from kinlib.kinship.attributes import check_edits
        from kinlib.kinship.presets import load_preset_directions
        from kinlib.runtime import memory

        config.check_preset(self.preset)
        memory.pick_dtype(self.dtype, config.pick_device(device))
        if self.weights is None:
            registry.create(self.method, self.preset, **self.method_options)
        else:
            check_alone(self.method, self.method_options)
            load_weights(self.weights, self.preset)
        check_options(self.n, self.seed, self.age, self.sex, self.truncation, self.refine_steps)
        if self.edits or self.age is not None or self.sex is not None:
            check_edits(self.preset, load_preset_directions(self.preset), self.edits, self.age, self.sex)

    def check_parents(self, father: Any, mother: Any) -> None:
        """Check that there are as many parents as the method needs; None stands for one who is unknown.

        Raises:
            KinlibError: if one is missing, or both are.
        """
        if self.weights is None:
            registry.find(self.method).check_parents(father, mother)
        elif father is None or mother is None:
            raise KinlibError("blend weights need both parents: give --father and --mother")

    def load(self, device: str | None = None) -> "Kinship":
        """The networks; raises as `Kinship.load`."""
        from kinlib.kinship.kinship import Kinship

        return Kinship.load(self.preset, device, self.memory_efficient, self.dtype)

    def children(
        self, kin: "Kinship", father: "Face | None", mother: "Face | None", seed: int | None = None
    ) -> "list[Child]":
        """Children of a couple; raises as `Kinship.children`.

        Args:
            kin: networks from `load`.
            father, mother: the parents' faces; None for one who is unknown.
            seed: of the first child, in place of the settings'.
        """
        how = {"method": self.method} | dict(self.method_options) if self.weights is None else {"weights": self.weights}
        return kin.children(
            father,
            mother,
            n=self.n,
            seed=self.seed if seed is None else seed,
            age=self.age,
            sex=self.sex,
            edits=self.edits,
            truncation=self.truncation,
            **how,
        )

    def record(self) -> dict[str, Any]:
        """Everything that the children depend on, for a note beside them: files by the SHA-256 of their content.

        Raises:
            KinlibError: if a file that is needed is absent.
        """
        from kinlib.kinship.presets import core_files, files_here

        roles = ["directions", "landmarks", *(["identity"] if self.refine_steps else [])]
        files = {*core_files(self.preset), *(path for role in roles for path in files_here(self.preset, role))}
        if self.weights is None:
            files.update(registry.find(self.method).files(self.preset))
        sums = {path.name: weight_files.sha256(path) for path in sorted(files)}
        blend = None if self.weights is None else weight_files.sha256(self.weights)
        return asdict(self) | {"weights": blend, "networks": sums}
