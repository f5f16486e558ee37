"""Preparing a data set against the loop that one writes first: `make bench`.

The loop takes one photograph after the other: MTCNN on a PIL image, the points and the crop, the encoder, the identity
network. Both see the same photographs of 120x150 px and end with the same codes.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from facenet_pytorch import MTCNN
from PIL import Image

from kinlib.checkpoints import weights
from kinlib.faces import align, keypoints, landmarks
from kinlib.faces.identity import load_identity
from kinlib.faces.orientation import examine
from kinlib.gan.encoder import load_encoder
from kinlib.io import images
from kinlib.prepare import Listing, latents, list_photos, prepare, read_prepared
from kinlib.prepare.parts import PHOTOS_PER_PART
from kinlib.runtime import config
from kinlib.runtime.worker_pool import cores

LOOPED, TRIED, PREPARED = 96, 4, 384  # photographs
TEAM = min(cores(), PREPARED // PHOTOS_PER_PART // 3)  # processes: the first of their three parts is not timed
LEAST = 1.5  # times less work than the loop, whatever else shares the caches
SAME = 0.01  # largest difference of two codes that count as the same; they are stored with 16 bits


def plain_loop(out: Path) -> Callable[[Path], torch.Tensor | None]:
    """What is done with one photograph, when the networks are loaded: its code [L, 512], None without a face."""
    detector = MTCNN(keep_all=True, min_face_size=keypoints.MIN_FACE, device="cpu").eval()
    predictor = landmarks.load_predictor()
    encoder, identity = load_encoder(weights.path("studio_encoder")), load_identity()

    @torch.no_grad()
    def one(file: Path) -> torch.Tensor | None:
        picture = Image.open(file).convert("RGB")
        face = largest_face(picture, detector)
        if face is None:
            return None
        aligned = align.align_found(examine(picture, [face], predictor)).aligned
        aligned.save(out / f"{file.parent.name}_{file.name}", quality=95, subsampling=0)
        batch = images.to_tensor(aligned)
        identity(batch)
        return encoder(batch)[0]

    return one


def largest_face(picture: Image.Image, detector: MTCNN) -> keypoints.Keypoints | None:
    """The largest face, with its points where `keypoints.detect` places them."""
    scale = np.sqrt(keypoints.MIN_AREA / (picture.width * picture.height))
    scanned = picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BILINEAR)
    boxes, scores, points = detector.detect(scanned, landmarks=True)
    sure = [] if boxes is None else np.flatnonzero(np.float32(scores) >= keypoints.MIN_SCORE)
    if not len(sure):
        return None
    largest = max(sure, key=lambda index: np.prod(boxes[index][2:] - boxes[index][:2]))
    factor = np.divide(picture.size, scanned.size)
    box = np.float32(boxes[largest].reshape(2, 2) * factor).reshape(4)
    placed = np.float32((points[largest] - keypoints.OFFSET + 0.5) * factor - 0.5)
    return keypoints.Keypoints(box, float(scores[largest]), placed)


def looped(one: Callable, files: list[Path], threads: int) -> tuple[list, float, float]:
    """What the loop gives, and its seconds for each photograph, by the clock and of the processor."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        clock, processor = time.perf_counter(), time.process_time()
        codes = [one(file) for file in files]
        spent = time.perf_counter() - clock, time.process_time() - processor
        return codes, *(seconds / len(files) for seconds in spent)
    finally:
        torch.set_num_threads(before)


def prepared(listing: Listing, out: Path, workers: int, clock: Callable[[], float]) -> float:
    """Seconds for each photograph from where on all networks are loaded, by some clock."""
    times = {done: clock() for done in prepare(listing, out, workers=workers, device="cpu")}
    begun = workers * PHOTOS_PER_PART
    return (times[len(listing)] - times[begun]) / (len(listing) - begun)


def test_photographs_a_second(tmp_path):
    """Loading left out. The loop gets the number of threads that suits it, and runs before and after, for its half.

    By the clock this is fair only where nothing else is at work: a busy system may give a loop and a team of processes
    the same share. So one core's seconds of work are compared as well.
    """
    listing = list_photos(config.data_dir() / "studio" / "families")
    few, many = (replace(listing, photos=listing.photos[:count]) for count in (LOOPED, PREPARED))
    files = [listing.root / photo.image for photo in few.photos]
    one = plain_loop(tmp_path)
    one(files[0])
    threads = min((1, TEAM), key=lambda threads: looped(one, files[:TRIED], threads)[1])
    codes, clock, _ = looped(one, files, threads)
    each = prepared(many, tmp_path / "many", TEAM, time.perf_counter)
    _, later, work = looped(one, files, 1)
    core = prepared(few, tmp_path / "few", 1, time.process_time)
    loop = (clock + later) / 2 if threads == 1 else clock
    alone = core > 0.8 * TEAM * each
    note = "" if alone else "; other work took part of the machine"
    print(
        f"\n{TEAM} cores: {1 / each:.1f} photographs a second, the loop {1 / loop:.1f} (threads: {threads}), ",
        end="",
    )
    print(f"{loop / each:.1f} times as fast by the clock{note}")
    print(f"one core: {core * 1000:.0f} ms of work for a photograph, the loop {work * 1000:.0f} ms, ", end="")
    print(f"{work / core:.1f} times less")
    compare(read_prepared(tmp_path / "many").head(LOOPED), codes)
    assert work / core >= LEAST
    if alone and TEAM > 1:
        assert loop / each >= LEAST * TEAM * 0.75


def compare(table: pd.DataFrame, codes: list[torch.Tensor | None]) -> None:
    """See that both find the same faces and end with the same codes."""
    assert [code is not None for code in codes] == (table["status"] == "ok").tolist()
    theirs = torch.stack([code for code in codes if code is not None])
    differences = (latents(table[table["status"] == "ok"]) - theirs).abs().amax(dim=(1, 2))
    same = float((differences < SAME).float().mean())
    print(
        f"codes: {same:.1%} the same, the largest difference {differences.max():.3f}, their spread {theirs.std():.2f}"
    )
    # Now and then a last bit of the detector's points moves a crop a little, since dlib's predictor rounds.
    assert same > 0.9 and differences.max() < 0.5 * theirs.std()
