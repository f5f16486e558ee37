"""Apply the studio's networks to photographs of one's own: a table of readings before and after reconstruction.

    python -m kinlib.evaluation.photographs FOLDER [--sheet SHEET.png] [--record]

The largest face of every photograph is aligned, encoded and reconstructed. The shares of the parser's classes, the
directions' probes and the skin tone are then measured on face and reconstruction. Nothing leaves the machine. `--sheet`
writes faces above reconstructions to a place outside the project. `--record` stores the readings, numbers without
pictures or names, beside the encoder's metrics, from where the model card takes them.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.checkpoints import weights
from kinlib.evaluation.quality import reconstruct, write_grid
from kinlib.faces.align import find_and_align
from kinlib.faces.identity import load_identity
from kinlib.faces.parsing import Parsing, parse
from kinlib.families.source import IMAGE_SUFFIXES
from kinlib.gan.directions import load_directions
from kinlib.gan.encoder import Encoder, load_encoder
from kinlib.gan.generator import load_generator
from kinlib.io.files import write_json
from kinlib.io.images import check_writable, resize, to_tensor, to_uint8
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["Readings", "check_sheet", "look_at", "record_readings", "write_sheet"]

SIZE = 256  # px of the aligned faces
SHARES = {"share of glasses": "eye_g", "share of hair": "hair", "share of hat": "hat"}
LEAST_SKIN = 50  # px; the median of fewer is noise


@dataclass(frozen=True)
class Readings:
    """Readings of N photographs.

    Attributes:
        names: of the files.
        table: one row a photograph; `identity` is the cosine between face and reconstruction, every other reading comes
            twice, as `NAME.before` and `NAME.after`: shares of the picture that are glasses, hair and hat, the skin's
            tone (ITA, degrees: 55 very light, 10 tan, -30 dark), and the readings of the directions' probes.
        faces, reconstructions: [N, 3, S, S] in [-1, 1].
    """

    names: list[str]
    table: pd.DataFrame
    faces: Tensor
    reconstructions: Tensor


@torch.no_grad()
def look_at(folder: Path) -> Readings:
    """Align, encode and reconstruct the faces of all photographs of a folder, and measure both.

    Raises:
        KinlibError: if there are none, one cannot be read or shows no face, or networks are missing.
    """
    paths = _photographs(folder)
    aligned = to_tensor([find_and_align(path, SIZE).aligned for path in paths])
    generator = load_generator(weights.path("studio_generator"))
    encoder = load_encoder(weights.path("studio_encoder"), generator)
    reconstructed = reconstruct(generator, encoder, aligned)
    faces = resize(aligned, generator.resolution)
    before, after = (_read(pictures, encoder) for pictures in (aligned, reconstructed))
    identity = load_identity()
    table = {"identity": (identity(faces) * identity(reconstructed)).sum(dim=1).numpy()}
    for name in before:
        table |= {f"{name}.before": before[name], f"{name}.after": after[name]}
    return Readings([path.name for path in paths], pd.DataFrame(table), faces, reconstructed)


def check_sheet(path: Path) -> None:
    """Raises KinlibError if no sheet can be written there, or it would lie in the project."""
    if Path(path).resolve().is_relative_to(config.project_root()):
        raise KinlibError(f"'{path}' lies in the project, where photographs do not belong: choose a place outside")
    check_writable(path)


def write_sheet(readings: Readings, path: Path) -> None:
    """Faces above their reconstructions, as one PNG.

    Raises:
        KinlibError: see `check_sheet`; pictures of real people do not belong in the project.
    """
    check_sheet(path)
    write_grid(torch.cat([readings.faces, readings.reconstructions]), path, len(readings.faces))


def record_readings(readings: Readings) -> None:
    """Store the numbers, and nothing else, as `photographs` in the encoder's record."""
    path = weights.path("studio_encoder").with_suffix(".json")
    report = json.loads(path.read_text())
    rows = []
    for row in readings.table.astype(object).where(readings.table.notna(), None).to_dict("records"):
        names = dict.fromkeys(name.split(".")[0] for name in row)
        rows.append({name: [_short(row[key]) for key in row if key.split(".")[0] == name] for name in names})
    write_json(path, report | {"photographs": rows})


def _photographs(folder: Path) -> list[Path]:
    found = sorted(
        path
        for path in Path(folder).glob("*")
        if path.suffix.casefold() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        raise KinlibError(f"there is no photograph ({', '.join(IMAGE_SUFFIXES)}) in '{folder}'")
    return found


def _short(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)


def _read(pictures: Tensor, encoder: Encoder) -> dict[str, np.ndarray]:
    """Readings of aligned faces, each [N]."""
    large = resize(pictures, SIZE)
    found = parse(large)
    result = {name: found.mask(label).mean(axis=(1, 2)) for name, label in SHARES.items()}
    result["skin tone"] = _skin_tone(large, found)
    codes = encoder(pictures)
    return result | {name: direction.read(codes).numpy() for name, direction in load_directions().items()}


def _skin_tone(pictures: Tensor, found: Parsing) -> np.ndarray:
    """Individual typology angle (Chardon et al. 1991) of the median of the skin's CIELAB colours: degrees [N]."""
    from skimage.color import rgb2lab

    angles = []
    for pixels, skin in zip(to_uint8(pictures), found.mask("skin", "nose"), strict=True):
        light, _, yellow = np.median(rgb2lab(pixels)[skin], axis=0) if skin.sum() >= LEAST_SKIN else [np.nan] * 3
        angles.append(np.degrees(np.arctan2(light - 50, yellow)))
    return np.array(angles)


def main(arguments: list[str] | None = None) -> None:
    """The script: see the module's first lines."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m kinlib.evaluation.photographs", description=__doc__.splitlines()[0]
    )
    parser.add_argument("folder", type=Path, help="photographs of people who agreed")
    parser.add_argument("--sheet", type=Path, help="write faces and reconstructions to this PNG, outside the project")
    parser.add_argument("--record", action="store_true", help="store the numbers for the model card")
    chosen = parser.parse_args(arguments)
    if chosen.sheet:
        check_sheet(chosen.sheet)
    readings = look_at(chosen.folder)
    print(readings.table.T.set_axis(readings.names, axis=1).round(3).to_string())
    if chosen.sheet:
        write_sheet(readings, chosen.sheet)
    if chosen.record:
        record_readings(readings)


if __name__ == "__main__":
    try:
        main()
    except KinlibError as problem:
        raise SystemExit(f"kinlib: {problem}") from None
