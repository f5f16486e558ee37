"""A face's box, points and axes land where they belong, and the photograph is left alone."""

import numpy as np
from PIL import Image, ImageColor

from kinlib import figures
from kinlib.figures import marks

GREY = Image.new("RGB", (40, 50), (128, 128, 128))


def where(picture, colour):
    """Middle (x, y) of the pixels of a colour."""
    rows, columns = np.nonzero((np.asarray(picture) == ImageColor.getrgb(colour)).all(axis=2))
    assert len(rows), colour
    return np.array([columns.mean(), rows.mean()])


def test_a_plain_copy_is_enlarged_only():
    large = figures.mark_face(GREY, factor=4)
    assert large.size == (160, 200) and large.getcolors() == [(160 * 200, (128, 128, 128))]
    assert figures.mark_face(GREY.convert("L")).mode == "RGB"


def test_points_lie_on_their_pixels():
    for point in ((10.0, 20.0), (33.0, 4.0)):
        large = figures.mark_face(GREY, np.array([point]), factor=5)
        assert np.abs(where(large, marks.DOT) - ((np.array(point) + 0.5) * 5 - 0.5)).max() <= 1
    assert GREY.getcolors() == [(2000, (128, 128, 128))]


def test_the_box_encloses_its_pixels():
    large = np.asarray(figures.mark_face(GREY, box=np.array([10, 5, 30, 45]), factor=3))
    rows, columns = np.nonzero((large == ImageColor.getrgb(marks.BOX)).all(axis=2))
    assert np.abs([columns.min() - 30, rows.min() - 15, columns.max() - 90, rows.max() - 135]).max() <= 2


def test_axes_point_where_the_head_does():
    """Right in orange, up in green; the third, which points at the viewer, to the side as the head turns."""
    corners = np.array([[10.0, 15.0], [30.0, 15.0], [10.0, 35.0], [30.0, 35.0]])
    middle = (np.array([20.0, 25.0]) + 0.5) * 3
    upright = np.eye(3)
    right, up, _ = (where(figures.mark_face(GREY, corners, axes=upright), colour) - middle for colour in marks.AXES)
    assert right[0] > 10 and abs(right[1]) < 3 and up[1] < -10 and abs(up[0]) < 3
    turn = np.radians(40)
    turned = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    forward = where(figures.mark_face(GREY, corners, axes=turned), marks.AXES[2]) - middle
    assert forward[0] > 8 and abs(forward[1]) < 3


def test_a_pose_is_cut_out_around_the_face():
    points = np.array([[18.0, 20.0], [22.0, 20.0], [20.0, 23.0]])
    cut = figures.mark_pose(GREY, points, np.eye(3), side=60)
    assert cut.size == (60, 60)
    left, top = (3 * points.mean(axis=0) - 30).astype(int).tolist()
    whole = figures.mark_face(GREY, points, axes=np.eye(3))
    assert np.array_equal(cut, whole.crop((left, top, left + 60, top + 60)))
    corner = figures.mark_pose(GREY, points - 18, np.eye(3), side=60)
    assert np.array_equal(corner, figures.mark_face(GREY, points - 18, axes=np.eye(3)).crop((0, 0, 60, 60)))
    assert figures.mark_pose(GREY, points, np.eye(3), side=500).size == (120, 150)
