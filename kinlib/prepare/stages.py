"""The stages from a file to a code, each on a batch of pictures.

    read -> detect -> rotate -> (upscale) -> align -> pose -> encode -> embed

A picture that a stage cannot use keeps its place in the batch, with the reason, and the stages after it leave it out.
All points are in pixels of the upright picture, also where it was enlarged on the way.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from kinlib.faces.align import AlignedFace, align_found
from kinlib.faces.keypoints import Keypoints, detect_all
from kinlib.faces.orientation import UprightPhoto, find_upright
from kinlib.faces.pose import estimate
from kinlib.io import images
from kinlib.io.photos import read_photo
from kinlib.prepare.enlarge import enlarged
from kinlib.prepare.listing import ListedPhoto
from kinlib.prepare.networks import Networks
from kinlib.prepare.settings import ALIGNED_SIZE
from kinlib.prepare.table import stamp_of
from kinlib.runtime import memory
from kinlib.runtime.errors import KinlibError

__all__ = ["Work", "run_stages"]

AT_ONCE = 24_000_000  # px of pictures held together; bounds the memory when photographs are large
FEW = 8  # aligned faces reduced together


@dataclass
class Work:
    """One picture on its way.

    Attributes:
        photo: which one.
        stamp: of the file's content.
        status: one of `kinlib.prepare.table.STATUSES`; the stages go on while it is "ok".
        reason: one sentence, for any other status.
        picture: as read; dropped when it is needed no more.
        size: width and height of the upright picture.
        faces: all that were found in the picture as read, the largest first.
        upright: the picture in the orientation in which its largest face stands upright; dropped after the crop.
        face: the largest face, aligned.
        factor: how many times the picture was enlarged before the crop was cut.
        pose: yaw, pitch and roll in degrees.
        latent: float32 [L, 512].
        embedding: float32 [512], unit length.
        seconds: spent by stage; of a stage that takes pictures together, an equal share.
    """

    photo: ListedPhoto
    stamp: str | None = None
    status: str = "ok"
    reason: str | None = None
    picture: Image.Image | None = None
    size: tuple[int, int] | None = None
    faces: list[Keypoints] = field(default_factory=list)
    upright: UprightPhoto | None = None
    face: AlignedFace | None = None
    factor: int = 1
    pose: tuple[float, float, float] | None = None
    latent: np.ndarray | None = None
    embedding: np.ndarray | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def stop(self, status: str, reason: str) -> None:
        """No further stage looks at this picture."""
        self.status, self.reason, self.picture, self.upright = status, reason, None, None


def run_stages(root: Path, photos: Iterable[ListedPhoto], networks: Networks) -> list[Work]:
    """Take every picture as far as it goes, in the order given.

    What comes out depends on these photos and their order, since the last bits of a sum depend on what is computed
    together; on nothing else.
    """
    done = []
    for batch in _read(root, photos):
        _detect(_going(batch), networks)
        for work in _going(batch):
            _rotate(work, networks)
        for work in _going(batch):
            _align(work, networks)
            work.picture = work.upright = None
        for work in _going(batch):
            _estimate_pose(work)
        _encode(_going(batch), networks)
        done += batch
    return done


def _going(batch: list[Work]) -> list[Work]:
    return [work for work in batch if work.status == "ok"]


def _read(root: Path, photos: Iterable[ListedPhoto]) -> Iterator[list[Work]]:
    """Pictures from their files, together as many as `AT_ONCE` allows."""
    batch, pixels = [], 0
    for photo in photos:
        work = Work(photo, stamp_of(root / photo.image))
        with _attempt(work, "read", "unreadable"):
            work.picture = read_photo(root / photo.image)
            work.size = work.picture.size
        if work.reason:  # the table is to say the same wherever the folder lies
            work.reason = work.reason.replace(str(root / photo.image), photo.image)
        area = work.size[0] * work.size[1] if work.size else 0
        if batch and pixels + area > AT_ONCE:
            yield batch
            batch, pixels = [], 0
        batch.append(work)
        pixels += area
    yield batch


def _detect(batch: list[Work], networks: Networks) -> None:
    try:
        with _shared(batch, "detect"):
            found = detect_all([work.picture for work in batch], device=networks.device)
    except (KinlibError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception:  # of one picture, most likely: the others are not to suffer
        found = [_detect_alone(work, networks) for work in batch]
    for work, faces in zip(batch, found, strict=True):
        work.faces = faces


def _detect_alone(work: Work, networks: Networks) -> list[Keypoints]:
    with _attempt(work, "detect", "failed"):
        return detect_all(work.picture, device=networks.device)[0]
    return []


def _rotate(work: Work, networks: Networks) -> None:
    """The orientation in which the face stands upright; nothing is computed twice where that is the one as read."""
    with _attempt(work, "rotate", "failed"):
        work.upright = find_upright(work.picture, networks.predictor, networks.device, work.faces)
        work.size, work.faces, work.picture = work.upright.image.size, list(work.upright.faces), None
        if not work.faces:
            work.stop("no face", "the detector found no face")


def _align(work: Work, networks: Networks) -> None:
    with _attempt(work, "upscale", "no crop"):
        view = enlarged(work.upright, networks.settings, networks.device, networks.predictor)
        work.factor = view.factor
    if work.status == "ok":
        with _attempt(work, "align", "no crop"):
            work.face = view.put_back(align_found(view.photo, ALIGNED_SIZE, enlarged=view.factor))


def _estimate_pose(work: Work) -> None:
    with _attempt(work, "pose", "failed"):
        points = work.face.keypoints.points if work.face.landmarks is None else work.face.landmarks
        pose = estimate(points, work.size)
        work.pose = (pose.yaw, pose.pitch, pose.roll)


def _encode(batch: list[Work], networks: Networks) -> None:
    """Codes and embeddings; where both networks take pictures of one size, these are made once."""
    if not batch:
        return
    with torch.inference_mode(), memory.autocast(networks.device, networks.dtype):
        with _shared(batch, "encode"):
            faces = torch.cat([networks.encoder.fit(few) for few in _tensors(batch, networks)])
            codes = networks.encoder(faces).float().cpu().numpy()
        for work, code in zip(batch, codes, strict=True):
            work.latent = code
            _check_finite(work, "code", code, networks)
        if networks.identity is not None:
            with _shared(batch, "embed"):
                if faces.shape[-1] != networks.identity.input_size:
                    faces = torch.cat(list(_tensors(batch, networks)))
                embeddings = networks.identity(faces).float().cpu().numpy()
            for work, embedding in zip(batch, embeddings, strict=True):
                work.embedding = embedding
                _check_finite(work, "embedding", embedding, networks)


def _check_finite(work: Work, what: str, numbers: np.ndarray, networks: Networks) -> None:
    if work.status == "ok" and not np.isfinite(numbers).all():
        work.stop("failed", f"the {what} is not finite in {networks.settings.dtype}: use float32")


def _tensors(batch: list[Work], networks: Networks) -> Iterator[torch.Tensor]:
    """The aligned faces [B, 3, 256, 256], a few at a time: as many as stay in a processor's cache."""
    for first in range(0, len(batch), FEW):
        few = images.to_tensor([work.face.aligned for work in batch[first : first + FEW]])
        yield few.to(networks.device)


@contextmanager
def _attempt(work: Work, stage: str, status: str) -> Iterator[None]:
    """Whatever goes wrong with one picture ends in its row; a lack of memory concerns them all and is passed on."""
    begun = time.perf_counter()
    try:
        yield
    except KinlibError as problem:
        work.stop(status, str(problem))
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        work.stop("failed", f"{stage}: {type(error).__name__}: {error}")
    finally:
        work.seconds[stage] = time.perf_counter() - begun


@contextmanager
def _shared(batch: list[Work], stage: str) -> Iterator[None]:
    """Note everybody's share of the time that a whole batch takes."""
    begun = time.perf_counter()
    yield
    spent = time.perf_counter() - begun
    for work in batch:
        work.seconds[stage] = spent / len(batch)
