"""A person in place of the target: a search by picking faces, without any layout.

    search = FaceSearch(load_space("vae"))
    search.describe({"Male": 1, "Beard": -1})       begin from words
    search.pick([3, 11])                            faces that look right, the best first
    search.lock("hair", 3)                          what is right already stays
    search.next_screen()
    search.set_attribute("Old", 0.5)                holistic sliders, best left for the end
    search.picture()                                the composite

The order is EvoFIT's: what is outside of the face is chosen first, then faces are picked with the outside blurred, and
sliders come last (Frowd et al. 2011). The panel of notebook 12 is a layout over this class. A composite is a likeness
made from memory: it is no evidence.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kinlib.io.files import parse_json, write_json
from kinlib.runtime.errors import KinlibError
from kinlib.search.attributes import orthogonalise
from kinlib.search.regions import blur_outside, carry_over, region_mask
from kinlib.search.spaces import SearchSpace
from kinlib.search.steps import Round, Step, arrived_at, genetic_step

__all__ = ["MOST_ON_SCREEN", "FaceSearch", "morph"]

FORMAT = "kinlib face search 1"
LEAST_ON_SCREEN, MOST_ON_SCREEN = 2, 18  # faces; EvoFIT shows 18, of which people still tell which is best
DECIMALS = 4  # of coordinates, in memory as in files, so that a session that was loaded goes on as it would have
LARGEST = 3.0  # of a slider, in lengths of the attribute's vector: beyond lie no faces


@dataclass(frozen=True)
class _State:
    """All that a session is; steps replace it, so that each can be undone."""

    rounds: tuple[Round, ...] = ()  # finished ones
    faces: Tensor = field(default_factory=lambda: torch.empty(0, 0))  # of this round, [n, D]
    shown: int = 0  # number of the first face on the screen
    picks: tuple[int, ...] = ()
    sliders: Mapping[str, float] = field(default_factory=dict)
    locks: Mapping[str, Tensor] = field(default_factory=dict)  # region -> its owner's coordinates, [D]


class FaceSearch:
    """A search that a person steers.

    Every change can be undone. Faces have numbers from 0; those of a second screen of the same generation go on where
    the first ended.

    Args:
        space: whose faces are shown.
        count: faces on a screen, 2 to 18; 12 to 18 serve best.
        seed: of all draws.
        step: from picks to the next faces.
        independent: a slider moves its attribute alone: its vector without the others' share.

    Raises:
        KinlibError: if the count cannot be.
    """

    def __init__(
        self,
        space: SearchSpace,
        count: int = 16,
        seed: int = 0,
        step: Step = genetic_step,
        independent: bool = False,
    ):
        if not LEAST_ON_SCREEN <= count <= MOST_ON_SCREEN:
            raise KinlibError(f"a screen shows {LEAST_ON_SCREEN} to {MOST_ON_SCREEN} faces, not {count}")
        self.space, self.count, self.seed, self.step, self.independent = space, count, seed, step, independent
        self._state, self._past = _State(), []
        self._state = replace(self._state, faces=self._rounded(self._draw(count)))

    # ---- what is shown ----

    @property
    def generation(self) -> int:
        """0 for the first."""
        return len(self._state.rounds)

    @property
    def viewed(self) -> int:
        """Faces that have been shown so far."""
        return sum(len(one.faces) for one in self._state.rounds) + len(self._state.faces)

    @property
    def numbers(self) -> range:
        """The numbers of the faces on the screen."""
        return range(self._state.shown, len(self._state.faces))

    @property
    def picks(self) -> tuple[int, ...]:
        """The faces of this generation that were picked, the best first."""
        return self._state.picks

    @property
    def sliders(self) -> dict[str, float]:
        """Where the attributes' sliders stand; 0 where none is named."""
        return dict(self._state.sliders)

    @property
    def locked(self) -> tuple[str, ...]:
        """The regions that are held fast."""
        return tuple(self._state.locks)

    def screen(self, inner: bool = False) -> Tensor:
        """The faces on the screen, [n, 3, S, S] in [-1, 1]; `inner` blurs what is outside of the face."""
        pictures = self.space.decode(self._state.faces[self._state.shown :])
        return blur_outside(pictures) if inner else pictures

    def coordinates(self) -> Tensor:
        """The composite's coordinates, float32 [D]; before anything was picked, those of the first face."""
        rounds = [*self._state.rounds, *([self._round()] if self._state.picks else [])]
        return arrived_at(self.step, rounds) if rounds else self._state.faces[0]

    def picture(self) -> Tensor:
        """The composite, [3, S, S] in [-1, 1]."""
        return self.space.decode(self.coordinates()[None])[0]

    # ---- what a person does ----

    def describe(self, attributes: Mapping[str, float]) -> None:
        """Begin anew with faces that have attributes (above 0) or have them not (below 0).

        Args:
            attributes: name -> how much, from -3 to 3; 1 is a typical face with it.

        Raises:
            KinlibError: if a name or a value is unknown.
        """
        sliders = {name: self._checked(name, value) for name, value in attributes.items() if value}
        faces = self._draw(self.count)
        for name, value in sliders.items():
            vector = self._vector(name)
            along = faces @ vector / vector.square().sum()
            # All faces get the same share of the attribute, half a vector either way being the border.
            faces = faces + (value / 2 - along)[:, None] * vector
        self._change(_State(faces=self._rounded(faces), sliders=sliders))

    def pick(self, numbers: Sequence[int]) -> None:
        """Say which faces of this generation look right, the best first; replaces what was picked of it before.

        Raises:
            KinlibError: if a number is not on the screen or named twice.
        """
        numbers = tuple(numbers)
        known = range(len(self._state.faces))
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int) or number not in known:
                raise KinlibError(f"there is no face {number!r} on the screen: 0 to {len(known) - 1}")
        if len(set(numbers)) != len(numbers):
            raise KinlibError(f"a face is picked twice: {', '.join(map(str, numbers))}")
        self._change(replace(self._state, picks=numbers))

    def rate(self, ratings: Mapping[int, float]) -> None:
        """Pick by ratings: faces rated above 0, the highest first.

        Raises:
            KinlibError: as `pick`, or if a rating is no finite number.
        """
        for number, rating in ratings.items():
            if isinstance(rating, bool) or not isinstance(rating, int | float) or not math.isfinite(rating):
                raise KinlibError(f"the rating of face {number} must be a number, not {rating!r}")
        liked = [number for number, rating in ratings.items() if rating > 0]
        self.pick(sorted(liked, key=lambda number: -ratings[number]))

    def lock(self, region: str, number: int) -> None:
        """Hold a region as it is in a face: all faces that come get it ("hair", "eyes", "nose", "mouth", "face").

        Raises:
            KinlibError: if there is no such region or face.
        """
        region_mask(region, self.space.size)
        if number not in range(len(self._state.faces)):
            raise KinlibError(f"there is no face {number!r} on the screen: 0 to {len(self._state.faces) - 1}")
        locks = {**self._state.locks, region: self._state.faces[number]}
        others = self._held(self._state.faces, {region: locks[region]})
        others[number] = self._state.faces[number]  # the owner stays what it is
        self._change(replace(self._state, locks=locks, faces=self._rounded(others)))

    def unlock(self, region: str) -> None:
        """Let a region change again.

        Raises:
            KinlibError: if it is not held.
        """
        if region not in self._state.locks:
            raise KinlibError(f"'{region}' is not locked: {', '.join(self.locked) or 'nothing is'}")
        self._change(replace(self._state, locks={k: v for k, v in self._state.locks.items() if k != region}))

    def set_attribute(self, name: str, value: float) -> None:
        """Move an attribute's slider: all faces of this generation, and those that come, move along its vector.

        Raises:
            KinlibError: if there is no such attribute, or the value is not from -3 to 3.
        """
        change = self._checked(name, value) - self._state.sliders.get(name, 0.0)
        moved = self._state.faces + change * self._vector(name)
        sliders = {**self._state.sliders, name: float(value)}
        self._change(replace(self._state, faces=self._rounded(moved), sliders=sliders))

    def another_screen(self) -> None:
        """More faces of the same generation; what was picked stays picked."""
        faces = torch.cat([self._state.faces, self._rounded(self._next(self._state.rounds))])
        self._change(replace(self._state, faces=faces, shown=len(self._state.faces)))

    def next_screen(self) -> None:
        """The next generation.

        Raises:
            KinlibError: if nothing is picked.
        """
        if not self._state.picks:
            raise KinlibError("nothing is picked: pick a face that looks right, or ask for another screen")
        rounds = (*self._state.rounds, self._round())
        faces = self._rounded(self._next(rounds))
        self._change(replace(self._state, rounds=rounds, faces=faces, shown=0, picks=()))

    def back(self) -> None:
        """Return to the generation before, as it was picked.

        Raises:
            KinlibError: in the first.
        """
        if not self._state.rounds:
            raise KinlibError("this is the first generation: there is none before it")
        *rounds, last = self._state.rounds
        self._change(replace(self._state, rounds=tuple(rounds), faces=last.faces, shown=0, picks=last.picks))

    def undo(self) -> None:
        """Take back the last change, whatever it was.

        Raises:
            KinlibError: if there was none.
        """
        if not self._past:
            raise KinlibError("there is nothing to undo")
        self._state = self._past.pop()

    # ---- files ----

    def save(self, path: str | Path) -> None:
        """Write the session as JSON, whole or not at all."""
        state = self._state
        content = {
            **{"format": FORMAT, "space": self.space.name, "network": self.space.fingerprint},
            **{"count": self.count, "seed": self.seed, "independent": self.independent},
            "rounds": [{"faces": _listed(one.faces), "picks": list(one.picks)} for one in state.rounds],
            **{"faces": _listed(state.faces), "shown": state.shown, "picks": list(state.picks)},
            "sliders": dict(state.sliders),
            "locks": {region: _listed(owner) for region, owner in state.locks.items()},
        }
        write_json(Path(path), content)

    @classmethod
    def load(cls, path: str | Path, space: SearchSpace, step: Step = genetic_step) -> "FaceSearch":
        """Go on with a session that was saved.

        Raises:
            KinlibError: if the file cannot be read, is damaged, or belongs to another network.
        """
        content = _read(Path(path))
        if (content.get("space"), content.get("network")) != (space.name, space.fingerprint):
            raise KinlibError(
                f"'{path}' belongs to another network than this '{space.name}': its faces mean nothing here"
            )
        try:
            session = cls(space, content["count"], content["seed"], step, content["independent"])
            rounds = [Round(_faces(one["faces"], space), _picks(one)) for one in content["rounds"]]
            faces = _faces(content["faces"], space)
            locks = {region: _faces([owner], space)[0] for region, owner in content["locks"].items()}
            state = _State(tuple(rounds), faces, int(content["shown"]), _picks(content), {}, locks)
            sliders = {name: session._checked(name, value) for name, value in content["sliders"].items()}
            for region in locks:
                region_mask(region, space.size)
            if state.shown not in range(len(faces)) or content["independent"] not in (True, False):
                raise ValueError("the screen is not there")
        # Of PyTorch and NumPy, for numbers that are too large, the last two.
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError) as error:
            raise KinlibError(f"'{path}' is a damaged session: {_one_line(error)}") from error
        session._state = replace(state, sliders=sliders)
        return session

    # ---- inside ----

    def _change(self, state: _State) -> None:
        self._past.append(self._state)
        self._state = state

    def _round(self) -> Round:
        return Round(self._state.faces, self._state.picks)

    def _rng(self) -> np.random.Generator:
        """Depends on the seed and on what has been shown, so that a loaded session draws what it would have drawn."""
        return np.random.default_rng([self.seed, self.viewed])

    def _draw(self, count: int) -> Tensor:
        draws = self._rng().standard_normal((count, self.space.num_dimensions))
        return torch.from_numpy(draws.astype(np.float32))

    def _next(self, rounds: Sequence[Round]) -> Tensor:
        if not any(one.picks for one in rounds):
            faces = self._draw(self.count)
            for name, value in self._state.sliders.items():
                faces = faces + value * self._vector(name)
            return self._held(faces, self._state.locks)
        faces = self.step(rounds, self.count, self._rng())
        held = self._held(faces, self._state.locks)
        held[0] = faces[0]  # the best of the last round is shown as it was
        return held

    def _held(self, faces: Tensor, locks: Mapping[str, Tensor]) -> Tensor:
        """Faces with the locked regions, as near as the space comes."""
        if not locks:
            return faces.clone()
        pictures = self.space.decode(faces)
        for region, owner in locks.items():
            pictures = carry_over(pictures, self.space.decode(owner[None])[0], region)
        return self.space.encode(pictures)

    def _vector(self, name: str) -> Tensor:
        return orthogonalise(self.space.attributes, name) if self.independent else self.space.attributes[name]

    def _checked(self, name: str, value: float) -> float:
        if name not in self.space.attributes:
            raise KinlibError(f"there is no attribute '{name}': {', '.join(self.space.attributes) or 'none'}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
            raise KinlibError(f"'{name}' must be from {-LARGEST:g} to {LARGEST:g}, not {value!r}")
        return float(value)

    @staticmethod
    def _rounded(faces: Tensor) -> Tensor:
        return torch.from_numpy(np.round(faces.double().numpy(), DECIMALS).astype(np.float32))


def morph(composites: Tensor) -> Tensor:
    """The mean of several witnesses' composites [N, D], as police practice morphs four into one: [D].

    What one witness misremembers, the others mostly do not (Hasel and Wells 2007).
    """
    if composites.ndim != 2 or not len(composites):
        raise KinlibError(f"composites must be [N, D] with N of 1 or more, not {list(composites.shape)}")
    return composites.mean(dim=0)


def _listed(faces: Tensor) -> list:
    return np.round(faces.double().numpy(), DECIMALS).tolist()


def _read(path: Path) -> dict:
    try:
        content = parse_json(path.read_bytes())
    except OSError as error:
        raise KinlibError(f"the session '{path}' cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise KinlibError(f"'{path}' holds no session: it is not JSON ({error})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise KinlibError(f"'{path}' holds no session of a face search")
    return content


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _faces(values: list, space: SearchSpace) -> Tensor:
    faces = torch.tensor(values, dtype=torch.float32)
    if faces.ndim != 2 or not len(faces) or faces.shape[1] != space.num_dimensions or not faces.isfinite().all():
        raise ValueError(f"faces must be lists of {space.num_dimensions} finite numbers")
    return faces


def _picks(content: dict) -> tuple[int, ...]:
    picks, known = content["picks"], range(len(content["faces"]))
    if not isinstance(picks, list) or any(isinstance(n, bool) or n not in known for n in picks):
        raise ValueError(f"picks {picks!r} are not on the screen")
    return tuple(picks)
