"""The layouts in which generators and encoders are published, and ours.

| file | generator | encoder | average |
|---|---|---|---|
| stylegan2-ffhq-config-f.pt | `g_ema` | | `latent_avg` [512], or absent |
| rosinality's training checkpoints | `g_ema` (beside `g`, `d`, optimisers) | | absent |
| e4e_ffhq_encode.pt, psp_ffhq_encode.pt | `state_dict`, `decoder.*` | `state_dict`, `encoder.*` | [18, 512] |
| ours (safetensors) | plain names | plain names, corrections under `residual.*` | `latent_avg` [L, 512] |
"""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from kinlib.checkpoints.state_dicts import build, load_state
from kinlib.checkpoints.weights import open_checkpoint, sha256
from kinlib.runtime.errors import KinlibError

__all__ = ["EncoderState", "GeneratorState", "encoder_state", "build", "expand_average", "generator_state"]
__all__ += ["load_state", "open_checkpoint"]

# The only published pSp file for FFHQ (psp_ffhq_encode.pt); it is needed where a copy lost its stored options.
PSP_SHA256 = "f786ac5cf18fcdbc5c57c9f3f12cbedca69381fbdf5694dd132294e3133749d7"


@dataclass
class GeneratorState:
    """A generator's tensors under the published names, and the average code if the file has one."""

    state: dict[str, Tensor]
    latent_avg: Tensor | None


@dataclass
class EncoderState(GeneratorState):
    """The same for an encoder; `kind` is "e4e" or "psp"."""

    kind: str


def generator_state(checkpoint: dict, path: str | Path) -> GeneratorState:
    """Find the generator in an opened checkpoint.

    Raises:
        KinlibError: if it holds none.
    """
    if isinstance(checkpoint.get("g_ema"), dict):  # before `g`: the average over training steps gives better pictures
        state = checkpoint["g_ema"]
    elif isinstance(checkpoint.get("state_dict"), dict):
        state = _under(checkpoint["state_dict"], "decoder.")  # e4e and pSp carry the generator they were trained with
    else:  # plain names: ours, or a bare state dict
        state = dict(checkpoint)
    state, average = _without_average(state, checkpoint)
    if "input.input" not in state:  # the learned constant, which no other network has
        raise KinlibError(f"{path} holds no StyleGAN2 generator (looked for g_ema, decoder.* and plain names)")
    return GeneratorState(state, average)


def encoder_state(checkpoint: dict, path: str | Path) -> EncoderState:
    """Find the encoder in an opened checkpoint, and which kind it is.

    Raises:
        KinlibError: if it holds none.
    """
    if isinstance(checkpoint.get("state_dict"), dict):
        state = _under(checkpoint["state_dict"], "encoder.")
        kind = _official_kind(checkpoint, path)
    else:
        state, kind = dict(checkpoint), "e4e"  # ours are of e4e's design
    state, average = _without_average(state, checkpoint)
    if not any(key.startswith(("styles.", "heads.")) for key in state):  # heads of the official and of our networks
        raise KinlibError(f"{path} holds no e4e or pSp encoder (looked for encoder.* and plain names)")
    return EncoderState(state, average, kind)


def expand_average(average: Tensor, num_layers: int, path: str | Path, style_dim: int = 512) -> Tensor:
    """An average code in any published shape ([512], [1, 512], [L, 512], [1, L, 512]) -> [L, 512].

    Raises:
        KinlibError: if the shape is none of these.
    """
    if not isinstance(average, Tensor):
        raise KinlibError(f"{path} has a latent_avg that is no tensor")
    average = average.float().squeeze(0) if average.ndim == 3 else average.float()  # [1, L, 512] -> [L, 512]
    if average.ndim == 1:
        average = average.unsqueeze(0)  # [512] -> [1, 512]
    if average.ndim != 2 or average.shape[0] not in (1, num_layers) or average.shape[1] != style_dim:
        wanted = f"[{style_dim}] or [{num_layers}, {style_dim}]"
        raise KinlibError(f"{path} has a latent_avg of shape {list(average.shape)} instead of {wanted}")
    return average.expand(num_layers, -1)  # [1, 512] or [L, 512] -> [L, 512]


def _under(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if str(key).startswith(prefix)}


def _without_average(state: dict, checkpoint: dict) -> tuple[dict[str, Tensor], Tensor | None]:
    """Tensors only, and the average code from whichever place it is kept in."""
    average = state.get("latent_avg", checkpoint.get("latent_avg"))  # inside in ours, beside the weights in others
    return {str(k): v for k, v in state.items() if isinstance(v, Tensor) and k != "latent_avg"}, average


def _official_kind(checkpoint: dict, path: str | Path) -> str:
    """e4e and pSp agree in all keys and shapes; the stored options tell them apart, else the hash of the pSp file."""
    options = checkpoint.get("opts")
    options = vars(options) if isinstance(options, Namespace) else options if isinstance(options, dict) else {}
    named = str(options.get("encoder_type", ""))  # "GradualStyleEncoder" (pSp), "Encoder4Editing" (e4e)
    if named:
        return "psp" if named.startswith("Gradual") else "e4e"
    # Hashing 1.2 GB takes seconds, so only where the options are missing.
    if torch.is_tensor(checkpoint.get("latent_avg")) and sha256(path) == PSP_SHA256:
        return "psp"
    return "e4e"
