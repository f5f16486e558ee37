"""MTCNN's networks: those of facenet-pytorch, layer by layer, without what importing that package costs."""

import subprocess
import sys

import pytest
import torch

from kinlib.faces.mtcnn import networks
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

SIDES = {"pnet": (31, 45), "rnet": (24, 24), "onet": (48, 48)}


@pytest.mark.parametrize("name", networks.LAYOUTS)
def test_networks_say_what_the_library_s_say(name):
    library = pytest.importorskip("facenet_pytorch.models.mtcnn")
    theirs = {"pnet": library.PNet, "rnet": library.RNet, "onet": library.ONet}[name]().eval()
    pictures = torch.rand(3, 3, *SIDES[name], generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        for mine, wanted in zip(networks.load(name)(pictures), theirs(pictures), strict=True):
            torch.testing.assert_close(mine, wanted)


def test_weights_are_those_of_the_library():
    library = pytest.importorskip("facenet_pytorch.models.mtcnn")
    theirs = library.ONet().state_dict()
    mine = networks.load("onet").state_dict()
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(networks, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(KinlibError, match="facenet-pytorch is missing: install it with 'pip install --no-deps"):
        networks.load("pnet")


def test_detecting_a_face_imports_neither_torchvision_nor_a_compiler():
    """They take longer to import than a child takes to compute."""
    code = """
import sys
import numpy as np
from kinlib.faces.keypoints import detect
assert detect(np.full((100, 100, 3), 128, np.uint8)) == [None]
slow = {"torchvision", "numba", "torch._dynamo", "facenet_pytorch", "pandas", "matplotlib"} & set(sys.modules)
assert not slow, slow
"""
    subprocess.run([sys.executable, "-c", code], cwd=config.project_root(), check=True, timeout=300)
