"""Distance among siblings, by identity and by LPIPS."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kinlib.evaluation import diversity as module
from kinlib.evaluation.diversity import distance_to_others, diversity, lpips_distances, mean_pairwise_distance
from kinlib.runtime.errors import KinlibError


def test_distance_over_all_pairs():
    east, north, west = np.array([[1.0, 0], [0, 1], [-1, 0]])
    assert mean_pairwise_distance(np.stack([east, north])) == pytest.approx(1)
    assert mean_pairwise_distance(np.stack([east, north, west])) == pytest.approx((1 + 2 + 1) / 3)
    assert mean_pairwise_distance(torch.tensor(np.stack([east, east]))) == pytest.approx(0)


def test_equal_and_orthogonal_embeddings():
    same = F.normalize(torch.ones(4, 8), dim=1)
    assert mean_pairwise_distance(same) == pytest.approx(0, abs=1e-6)
    assert mean_pairwise_distance(torch.eye(8)) == pytest.approx(1)


def test_distance_of_each_face_to_the_others():
    points = F.normalize(torch.tensor([[1.0, 0], [1, 0], [0, 1]]), dim=1)
    assert distance_to_others(points) == pytest.approx([0.5, 0.5, 1.0])
    with pytest.raises(KinlibError, match="2 or more"):
        distance_to_others(points[:1])


def test_the_mean_is_over_couples_and_so_is_its_interval():
    rng = np.random.default_rng(0)

    def siblings(angle: float) -> np.ndarray:
        turned = rng.uniform(-angle, angle, 6)
        return np.stack([np.cos(turned), np.sin(turned)], axis=1)

    children = {f"couple_{number}": siblings(0.1 + number / 10) for number in range(12)}
    found = diversity(children)
    each = [mean_pairwise_distance(one) for one in children.values()]
    assert found["value"] == pytest.approx(np.mean(each))
    assert min(each) < found["low"] < found["value"] < found["high"] < max(each)


@pytest.mark.parametrize(
    ("embeddings", "words"),
    [(np.eye(3)[:1], "2 or more"), (2 * np.eye(3), "unit length"), (np.eye(3) * np.nan, "finite"), (np.eye(3)[0], "n")],
)
def test_embeddings_that_cannot_be_compared(embeddings, words):
    with pytest.raises(KinlibError, match=words):
        mean_pairwise_distance(embeddings)


def test_no_children():
    with pytest.raises(KinlibError, match="no children"):
        diversity({})


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        (torch.zeros(1, 3, 64, 64), "2 or more"),
        (torch.full((2, 3, 64, 64), 2.0), "-1 to 1"),
        (torch.zeros(2, 64), "n"),
        (torch.zeros(2, 3, 4, 4), r"32 px or more, not \[4, 4\]"),
    ],
)
def test_pictures_that_cannot_be_compared(pictures, words):
    with pytest.raises(KinlibError, match=words):
        lpips_distances(pictures)


def test_lpips_is_taken_over_all_pairs(monkeypatch):
    """With a stand-in for the network, whose weights are downloaded: the difference of the means."""
    monkeypatch.setattr(module, "_lpips", lambda: lambda a, b: (a - b).mean().abs())
    pictures = torch.tensor([-1.0, 0.0, 1.0]).reshape(3, 1, 1, 1).expand(3, 3, 32, 32)
    assert lpips_distances(pictures) == pytest.approx((1 + 2 + 1) / 3)


def test_lpips_without_its_weights_says_so(monkeypatch):
    """torchmetrics fetches AlexNet when the measure is made."""
    import torchmetrics.image.lpip as lpip

    def unreachable(*_, **__):
        raise OSError("no route\nto host")

    monkeypatch.setattr(lpip, "LearnedPerceptualImagePatchSimilarity", unreachable)
    with pytest.raises(KinlibError, match=r"downloaded \(no route to host\): try again") as caught:
        lpips_distances(torch.zeros(2, 3, 64, 64))
    assert "\n" not in str(caught.value)
