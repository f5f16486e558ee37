"""A progress bar over an iterator that yields how much is done."""

from collections.abc import Iterable

__all__ = ["show_progress"]


def show_progress(progress: Iterable[int], total: int, label: str, unit: str = "picture") -> None:
    """Show a bar over the numbers of pictures, or other units, done; no bar if the first step raises."""
    from tqdm import tqdm

    progress = iter(progress)
    found = next(progress)
    with tqdm(total=total, initial=found, desc=label, unit=unit) as bar:
        for done in progress:
            bar.update(done - bar.n)
