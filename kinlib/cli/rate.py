"""`kinlib rate`: predicted ratings for a folder of pictures, as a table."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from kinlib.cli.machine import check_device
from kinlib.cli.targets import check_file
from kinlib.runtime.errors import KinlibError

__all__ = ["RateCommand"]

MOST_BATCH = 4096


@dataclass(kw_only=True)
class RateCommand:
    """Predict a rating panel's mean ratings for a folder of face pictures, and write a table.

    A score is the rating that one panel of raters would be expected to give a picture. It changes with light, camera
    and expression, differs between groups of raters, and is no measure of a person. The bundled network was trained on
    renders of grown-ups and simulated raters: for photographs give weights of your own, and rate no children.
    """

    folder: Positional[Path]
    """folder of pictures, one face each, cropped as the network's training pictures (FFHQ crops for the bundled one)"""
    out: Path
    """Parquet file to write: one row a picture in the order of names, with score, probability of each level, problem"""
    weights: Path | None = None
    """file of a network: ours, or a released ComboNet; the bundled one by default"""
    by_levels: bool = False
    """take the score from the levels: for networks trained with --loss label_distribution"""
    align: bool = False
    """find and align the faces first"""
    batch: int = 64
    """pictures at a time"""
    device: str | None = None
    """cpu or cuda; the best there is by default"""

    def run(self) -> None:
        check_file(self.out, (".parquet",))
        if not 1 <= self.batch <= MOST_BATCH:
            raise KinlibError(f"--batch must be from 1 to {MOST_BATCH:,}, not {self.batch}")
        paths = _pictures(self.folder)
        device = check_device(self.device)
        import pandas as pd
        from tqdm import tqdm

        from kinlib.attractiveness.network import load_combonet
        from kinlib.attractiveness.prediction import CAUTION, rate_files
        from kinlib.checkpoints import weights
        from kinlib.io.files import write_whole

        net = load_combonet(self.weights or weights.path("studio_attractiveness")).to(device)
        parts = []
        with tqdm(total=len(paths), desc="rating", unit="picture", mininterval=1) as bar:
            for part in rate_files(net, paths, self.batch, self.by_levels, self.align):
                parts.append(part)
                bar.update(len(part))
        table = pd.concat(parts, ignore_index=True)
        table.insert(0, "picture", [path.relative_to(self.folder).as_posix() for path in paths])
        write_whole(self.out, lambda file: table.to_parquet(file, index=False))
        unread = table["problem"].dropna()
        print(f"wrote {self.out}: {len(table) - len(unread):,} scores of {len(table):,} pictures")
        print(f"note: {CAUTION}")
        for problem in unread.head(5):
            print(f"note: {problem}")
        if len(unread) > 5:
            print(f"note: {len(unread) - 5:,} more pictures have no score; the column 'problem' says why")


def _pictures(folder: Path) -> list[Path]:
    """The picture files of a folder and those below it, in the order of their names.

    Raises:
        KinlibError: if there is no such folder, or no picture in it.
    """
    from kinlib.families.source import check_root, natural
    from kinlib.io.photos import IMAGE_SUFFIXES

    root = check_root(folder)
    hidden = (".", "__MACOSX")
    found = [
        path
        for path in root.rglob("*")
        if path.suffix.casefold() in IMAGE_SUFFIXES
        and path.is_file()
        and not any(part.startswith(hidden) for part in path.relative_to(root).parts)
    ]
    if not found:
        raise KinlibError(f"'{folder}' holds no pictures: give a folder of JPEG, PNG or other image files")
    return sorted(found, key=lambda path: natural(path.relative_to(root).as_posix()))
