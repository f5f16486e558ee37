"""`kinlib search`: a genetic search for the face of a photograph, without looking at its latent code."""

from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

from kinlib.cli.machine import check_device
from kinlib.runtime.errors import KinlibError

__all__ = ["SearchCommand"]

MOST = 1_000_000  # generations


@dataclass(kw_only=True)
class SearchCommand:
    """Search for the face of a photograph by breeding faces; a stopped search goes on where it was."""

    target: Path | None = None
    """photograph of the face to find"""
    out: Path | None = None
    """folder that receives best.png, the ten fittest of some generations, and the fitness by generation"""
    interactive: bool = False
    """search by clicking faces on the web page instead, without a photograph"""
    port: int = 7860
    """of the web page; 0 takes a free one"""
    generations: int = 500
    """how many; a later call with more goes on"""
    population: int = 100
    """faces in a generation"""
    parents: int = 10
    """the fittest that have children; the essay's k"""
    space: str = "vae"
    """where to search: vae (the autoencoder's latent vectors) or w (StyleGAN2's W)"""
    fitness: str = "pixels"
    """pixels (the inverse of the mean squared error) or identity (the cosine of identity)"""
    crossover: str = "uniform"
    """uniform, segment or blend"""
    mutation: str = "gene"
    """gene, gaussian or none"""
    selection: str = "top"
    """top, tournament or roulette"""
    seed: int = 0
    """of all draws"""

    def run(self) -> None:
        if self.interactive:
            self._open()
            return
        if missing := [f"--{name}" for name in ("target", "out") if getattr(self, name) is None]:
            raise KinlibError(f"missing: {', '.join(missing)} (or --interactive, to search by clicking faces)")
        if not 0 <= self.generations <= MOST:
            raise KinlibError(f"--generations must be from 0 to {MOST:,}, not {self.generations}")
        if self.seed < 0:
            raise KinlibError(f"--seed must be 0 or more, not {self.seed}")
        check_device(None)
        from kinlib.search.by_picture import SearchSettings

        names = SearchSettings.__dataclass_fields__
        settings = SearchSettings(**{name: getattr(self, name) for name in names})
        settings.check()
        self._search(settings)

    def _open(self) -> None:
        """The web page's search; what belongs to a search by a photograph must not be given with it."""
        from kinlib.cli.demo import open_page

        own = {field.name: field.default for field in fields(self) if field.name not in ("interactive", "port")}
        if given := [f"--{name}" for name, default in own.items() if getattr(self, name) != default]:
            raise KinlibError(f"--interactive searches without a photograph: leave out {', '.join(given)}")
        open_page(self.port, begin="search")

    def _search(self, settings) -> None:
        from tqdm import tqdm

        from kinlib.faces.align import find_and_align
        from kinlib.io.images import to_tensor
        from kinlib.io.resume import check_folder
        from kinlib.search.by_picture import PictureSearch
        from kinlib.search.spaces import load_space

        check_folder(self.out)
        found = find_and_align(self.target, size=256)
        for note in found.notes:
            print(note)
        space = load_space(self.space)
        search = PictureSearch(space, to_tensor(found.aligned)[0], settings, self.out)
        done = -1 if search.generation is None else search.generation.number
        if done > self.generations:
            raise KinlibError(f"'{self.out}' holds {done} generations already: give --generations more than that")
        bar = tqdm(total=self.generations, initial=max(done, 0), desc="search", unit="generation")
        # Closed by name: what a stopped generator still has to write must not wait for the garbage collector.
        with bar, closing(search.run(self.generations)) as numbers:
            for number in numbers:
                bar.update(number - bar.n)
                bar.set_postfix({"best": f"{search.history[-1]:.4g}"}, refresh=False)
        search.write()
        unit = "inverse squared error" if self.fitness == "pixels" else "cosine of identity"
        print(f"wrote {self.out / 'best.png'}: {unit} {search.history[-1]:.4g} (at first {search.history[0]:.4g})")
        print("a found face is a likeness by one measure: it is no evidence of who anybody is")
