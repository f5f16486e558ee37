"""The networks that prepare pictures, loaded once in every process that works."""

import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import nn

from kinlib.faces.identity import load_identity
from kinlib.faces.landmarks import load_predictor
from kinlib.gan.encoder import Encoder, load_encoder
from kinlib.prepare.settings import PrepareSettings, network_files
from kinlib.runtime.config import pick_device
from kinlib.runtime.memory import pick_dtype

if TYPE_CHECKING:
    import dlib

__all__ = ["Networks", "load_networks"]


@dataclass(frozen=True)
class Networks:
    """What the stages need.

    Attributes:
        settings: which networks, and what they compute in.
        device: where encoder, identity network, detector and upscaler compute.
        encoder: aligned faces -> W+.
        identity: aligned faces -> embeddings; None where it is not here.
        predictor: of 68 landmarks; None where it is not here.
    """

    settings: PrepareSettings
    device: torch.device
    encoder: Encoder
    identity: nn.Module | None
    predictor: "dlib.shape_predictor | None"

    @property
    def dtype(self) -> torch.dtype:
        """What encoder and identity network compute in."""
        return pick_dtype(self.settings.dtype, self.device)


@lru_cache(maxsize=1)
def load_networks(settings: PrepareSettings, device: str) -> Networks:
    """Load the networks, laid out as convolutions like it best.

    Raises:
        KinlibError: if one is absent, damaged, or cannot compute as asked.
    """
    files, place = network_files(settings), pick_device(device)
    pick_dtype(settings.dtype, place)
    with torch.random.fork_rng(devices=[]):  # initialising draws random numbers; the caller's stay
        encoder = load_encoder(files["encoder"])
        # A copy, since the loaded one is shared, and would stay on the device.
        identity = copy.deepcopy(load_identity(files["identity"])) if "identity" in files else None
    return Networks(
        settings,
        place,
        _settled(encoder, place),
        None if identity is None else _settled(identity, place),
        load_predictor(files["landmarks"]) if "landmarks" in files else None,
    )


def _settled(net: nn.Module, device: torch.device) -> nn.Module:
    """The network on the device, its convolutions' tensors channels-last; a generator has some of five dimensions."""
    for tensor in (*net.to(device).parameters(), *net.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return net
