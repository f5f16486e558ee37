"""A progress bar for work that tells how much of it is done."""

from collections.abc import Iterable

__all__ = ["show_progress"]


def show_progress(progress: Iterable[int], total: int, label: str) -> None:
    """A bar over numbers of pictures done; none if there is something wrong before the first."""
    from tqdm import tqdm

    progress = iter(progress)
    found = next(progress)
    with tqdm(total=total, initial=found, desc=label, unit="picture") as bar:
        for done in progress:
            bar.update(done - bar.n)
