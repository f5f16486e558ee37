"""Who is it, in photographs: InceptionResnetV1 (Szegedy et al. 2017) trained on VGGFace2 (Cao et al. 2018).

The network is facenet-pytorch's; its weights are opened by us, because the library takes whatever a server sends. It
was trained on the box that MTCNN draws around a face. In the FFHQ crop that box always lies in nearly the same place,
so it is cut from there: no detector is needed, and the embedding stays differentiable.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.checkpoints.state_dicts import load_state
from kinlib.runtime.errors import KinlibError

__all__ = ["FACE_BOX", "FaceNet", "facenet_from", "is_facenet"]

FACE_BOX = (0.235, 0.185, 0.760, 0.900)
"""Left, top, right and bottom of MTCNN's mean box in the FFHQ crop, as shares of its side."""
INPUT_SIZE = 160  # px
PEOPLE = {8_631: "VGGFace2", 10_575: "CASIA-WebFace"}  # the classes that a published file's last layer tells apart


class FaceNet(nn.Module):
    """Aligned faces [B, 3, S, S] in [-1, 1] -> unit embeddings [B, 512].

    Attributes:
        input_size: side of an aligned face whose box is as wide as what the network takes; larger ones gain nothing.
    """

    input_size = 304

    def __init__(self):
        super().__init__()
        from facenet_pytorch import InceptionResnetV1

        self.net = InceptionResnetV1(pretrained=None)  # with a name here, it would download

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self.net(self.cut(images)).float(), dim=1)

    def cut(self, images: Tensor) -> Tensor:
        """What the network sees: the face's box at 160 px, (x - 127.5) / 128 of the values from 0 to 255."""
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
            raise ValueError(f"images must be aligned faces [B, 3, S, S], not {list(images.shape)}")
        left, top, right, bottom = (round(share * images.shape[-1]) for share in FACE_BOX)
        box = images[..., top:bottom, left:right].float()
        box = F.interpolate(box, (INPUT_SIZE, INPUT_SIZE), mode="bilinear", antialias=True, align_corners=False)
        return box * (127.5 / 128)


def is_facenet(state: dict) -> bool:
    """Whether an opened checkpoint holds an InceptionResnetV1."""
    return "last_linear.weight" in state and "block8.conv2d.weight" in state


def facenet_from(state: dict[str, Tensor], path: str | Path) -> FaceNet:
    """The network with the tensors of a published file; the layer that names people is left out.

    Raises:
        KinlibError: if they do not fit, or were trained on other people than VGGFace2's.
    """
    logits = state.get("logits.weight")
    people = len(logits) if torch.is_tensor(logits) and logits.ndim else None
    if people is not None and PEOPLE.get(people) != "VGGFace2":
        found = PEOPLE.get(people, f"{people:,} other people")
        raise KinlibError(f"{path} was trained on {found}, not on VGGFace2: its embeddings mean something else")
    face_net = FaceNet()
    load_state(face_net.net, state, path, optional=("num_batches_tracked", "logits."))
    return face_net.float().eval().requires_grad_(False)
