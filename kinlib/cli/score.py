"""`kinlib score`: children of the reference couples against their true children."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from kinlib.cli.machine import check_device
from kinlib.cli.targets import check_file
from kinlib.io.files import write_json
from kinlib.runtime.cluster import check_engine, spread_by
from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import check_workers

if TYPE_CHECKING:
    from kinlib.evaluation.heredity import Children, Reference, Report
    from kinlib.inheritance.registry import Method

__all__ = ["ScoreCommand"]

MOST = 1000  # children of a couple


@dataclass(kw_only=True)
class ScoreCommand:
    """Score children of the reference couples against their true children; lower is better."""

    method: str | None = None
    """a method of inheritance, or FILE.py:FUNCTION, a function (father, mother, generator) -> child on W+ codes"""
    pictures: Path | None = None
    """folder of children that any program made: couple_01/*.png, couple_02/*.png, ..."""
    list: bool = False
    """write the couples and their parents' photographs into the folder --out, for other programs"""
    families: Path | None = None
    """folder of Family101, TSKinFace, FF-Database or FIW: verify children of its couples by --method instead"""
    align: bool = False
    """with --pictures: find and align the faces first; otherwise they must be FFHQ crops"""
    option: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """option of the method, such as blocks=group (repeatable)"""
    children: int = 16
    """children of each couple, with --method"""
    seed: int = 0
    """seed of the children, with --method"""
    couples: int | None = None
    """score the first couples only, for a quick look; all by default"""
    preset: str = "studio"
    """studio (bundled) or ffhq (downloaded weights), with --method"""
    device: str | None = None
    """cpu or cuda; the best there is by default"""
    engine: str = "local"
    """local (this machine) or ray (a cluster), with --method"""
    workers: int | None = None
    """number of processes that generate and measure couples, with --method; this one alone, or all of a cluster"""
    out: Path | None = None
    """JSON file of all measures to write; with --list, the folder"""
    plot: Path | None = None
    """picture (.png or .svg) of the place among the bundled methods to write"""

    def run(self) -> None:
        self._check()
        if self.families is not None:
            self._verify()
            return
        from kinlib.benchmark.entries import export_couples
        from kinlib.evaluation.heredity import load_reference

        reference = load_reference()
        if self.list:
            print(f"wrote {export_couples(reference, self.out)}")
            return
        if self.couples is not None and not 1 <= self.couples <= len(reference):
            raise KinlibError(f"--couples must be from 1 to {len(reference)}, not {self.couples}")
        with self._entry(reference) as (name, count, described):
            report = self._score(name, count, described, reference)
        self._show(report, whole=count == len(reference))

    def _check(self) -> None:
        """Everything that can be checked without a network."""
        if sum((self.method is not None, self.pictures is not None, self.list)) != 1:
            raise KinlibError("give one of --method, --pictures and --list")
        if self.list and self.out is None:
            raise KinlibError("missing: --out, the folder to write the couples into")
        if not 2 <= self.children <= MOST:
            raise KinlibError(f"--children must be from 2 to {MOST:,}, not {self.children}")
        if self.families is not None and self.method is None:
            raise KinlibError("--families is for --method: children are generated of its couples")
        if self.families is not None and self.plot is not None:
            raise KinlibError("--plot is of the reference couples' score: leave it out with --families")
        if self.option and self.method is None:
            raise KinlibError("--option is for --method")
        if self.align and self.pictures is None:
            raise KinlibError("--align is for --pictures: children of a method are aligned already")
        if (self.engine, self.workers) != ("local", None) and (self.method is None or self.families is not None):
            raise KinlibError("--engine and --workers are for --method on the reference couples")
        check_engine(self.engine)
        check_workers(self.workers)
        check_device(self.device)
        if not self.list and self.out is not None:
            check_file(self.out, (".json",))
        if self.plot is not None:
            check_file(self.plot, (".png", ".svg"))

    def _verify(self) -> None:
        """StyleGene's protocol on the families of a folder."""
        from kinlib import Kinship, families
        from kinlib.benchmark.families import generate_and_verify
        from kinlib.evaluation.family_embeddings import embed_families

        tables = families.read(self.families)
        with self._method() as (method, options):
            found = embed_families(tables, seed=self.seed)
            print(f"{tables.name}: {len(found)} couples, {found.unread} photographs without a face that was found")
            if found.same_photo > 0:
                print(
                    f"{found.same_photo:.0%} of the children's photographs show a parent too: verification is too easy"
                )
            kin = Kinship.load(self.preset, self.device)
            named = {" ".join([method, *self.option]): (method, options)}
            table = generate_and_verify(kin, tables, found, named, self.children, self.couples, self.seed)
        print(table.round(3).to_string())
        if self.out is not None:
            write_json(self.out, {"families": tables.name, "children": json.loads(table.to_json(orient="index"))})
            print(f"wrote {self.out}")

    @contextmanager
    def _method(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The method's name in the registry and its options, refused before networks are loaded."""
        from kinlib.benchmark import entries
        from kinlib.inheritance import registry

        with nullcontext(self.method) if ":" not in self.method else entries.from_file(self.method) as method:
            options = _parse_options(registry.find(method), self.option)
            registry.create(method, self.preset, **options)
            yield method, options

    @contextmanager
    def _entry(self, reference: "Reference") -> Iterator[tuple[str, int, Iterator[tuple[str, "Children"]]]]:
        """Name, number of couples, and each couple's children, described."""
        from kinlib.benchmark import entries
        from kinlib.evaluation.heredity import describe

        if self.pictures is not None:
            paths = entries.list_pictures(self.pictures, reference)
            chosen = [couple for couple in paths if couple in reference.couples[: self.couples]]
            pictures = ((couple, entries.read_pictures(paths[couple], self.align)) for couple in chosen)
            yield str(self.pictures), len(chosen), ((couple, describe(found)) for couple, found in pictures)
            return
        with self._method() as (method, options):
            source = str(Path(self.method).resolve()) if ":" in self.method else None
            about = {"method": method, "source": source, "options": options, "num": self.children}
            about |= {"preset": self.preset, "device": self.device}
            jobs = entries.couple_jobs(reference, reference.couples[: self.couples], self.seed, **about)
            workers = self.workers or (1 if self.engine == "local" else None)
            described = spread_by(self.engine, entries.describe_children, jobs, workers)
            yield " ".join([method, *self.option]), len(jobs), described

    def _score(self, name: str, count: int, described: Iterator, reference: "Reference") -> "Report":
        from tqdm import tqdm

        from kinlib.evaluation.heredity import score

        found = dict(tqdm(described, total=count, desc="scoring", unit="couple"))
        return score(found, reference, method=name)

    def _show(self, report: "Report", whole: bool) -> None:
        """Print the table and the place, and write what was asked for."""
        from kinlib.benchmark import show
        from kinlib.evaluation.heredity import board

        entries = board.recorded() | {report.method: board.summarise(report)}
        print(show.table(entries, report.method))
        if whole:
            rank, among = board.place(report)
            print(f"place {rank} of {among} by the energy distance")
        else:
            print(f"no place: {len(report.couples)} couples were scored, and the others' results are of all")
        if self.out is not None:
            report.to_json(self.out)
            print(f"wrote {self.out}")
        if self.plot is not None:
            show.write_plot(show.plot(entries, report.method), self.plot)
            print(f"wrote {self.plot}")


def _parse_options(method: "Method", given: tuple[str, ...]) -> dict[str, Any]:
    """Options of a method from NAME=VALUE, with the types that the registry states; it checks names and ranges."""
    types = {option.name: option.type for option in method.options}
    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise KinlibError(f"--option takes NAME=VALUE, not '{text}'")
        try:
            values[name] = types.get(name, str)(value)
        except ValueError as error:
            raise KinlibError(f"--option {name} takes a {types[name].__name__}, not '{value}'") from error
    return values
