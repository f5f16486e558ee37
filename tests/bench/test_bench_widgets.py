"""How long a hand on a slider waits for the new child."""

import time

import numpy as np
import pytest
import torch

from kinlib.kinship.kinship import Kinship
from kinlib.widgets import family_studio

MOVES = 10


@pytest.fixture(scope="module")
def studio():
    return family_studio(Kinship.load("studio", "cpu"), refine=0)


@pytest.mark.parametrize("name", ["coarse", "middle", "fine", "truncation", "age"])
def test_slider_move(studio, name):
    """From setting the slider's value to the new picture's bytes, mean over a few positions."""
    control = studio.controls[name]
    studio.controls["age_inherited"].value = name != "age"
    positions = np.linspace(control.min, control.max, MOVES)
    start = time.perf_counter()
    for position in positions:
        control.value = type(control.value)(position)
    seconds = (time.perf_counter() - start) / MOVES
    print(f"\n{name}: {seconds:.3f} s per slider move on {torch.get_num_threads()} threads")
