"""Errors of poses: counted as by hand, over the same faces for every method."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kinlib.evaluation.preprocessing import pose as scores
from kinlib.faces import pose, pose_heuristics
from kinlib.faces.align import turn_degrees
from kinlib.faces.keypoints import Keypoints
from kinlib.faces.landmarks import five_from_68, predict
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.family_album import load_album

NAN = np.nan
TRUTH = np.array([[0, 0, 0], [12, 5, -3], [-25, -5, 2], [35, 0, 0], [-45, 8, 1], [NAN, NAN, NAN]], dtype=float)


def shifted(yaw=0.0, pitch=0.0, roll=0.0):
    return TRUTH + np.array([yaw, pitch, roll])


@pytest.fixture(scope="module")
def album():
    return load_album()


def test_errors_are_those_of_a_known_shift():
    table = scores.errors({"exact": TRUTH, "shifted": shifted(3, -2, 0)}, TRUTH)
    assert table.loc[("shifted", "yaw"), ["median", "mean", "q95", "bias", "faces"]].tolist() == [3, 3, 3, 3, 5]
    assert table.loc[("shifted", "pitch"), ["mean", "bias"]].tolist() == [2, -2]
    assert (table.loc["exact"][["median", "mean", "q95", "bias"]] == 0).all(axis=None)


def test_median_mean_and_quantile_differ_as_they_should():
    off = np.array([0.0, 1.0, 2.0, 3.0, 44.0])
    estimated = TRUTH + np.append(off, NAN)[:, None] * [1, 0, 0]
    row = scores.errors({"way": estimated}, TRUTH).loc[("way", "yaw")]
    assert row["median"] == 2 and row["mean"] == 10 and row["q95"] == pytest.approx(np.quantile(off, 0.95))


def test_angles_go_round():
    """179 degrees are 2 away from -179."""
    truth = np.tile([0.0, 0.0, -179.0], (4, 1))
    off = scores.errors({"way": np.tile([0.0, 0.0, 179.0], (4, 1))}, truth).loc[("way", "roll")]
    assert off["median"] == off["mean"] == 2 and off["bias"] == -2
    assert scores.by_yaw({"way": -truth}, truth, angle="roll").loc["way", "0-10"] == 2


def test_all_methods_are_evaluated_on_the_same_faces():
    half = shifted(1)
    half[:2] = NAN
    table = scores.errors({"half": half, "whole": shifted(2)}, TRUTH)
    assert (table["faces"] == 3).all()


def test_angles_that_a_method_does_not_give_are_left_out():
    only_yaw = TRUTH * [1, NAN, NAN]
    table = scores.errors({"only yaw": only_yaw, "all": TRUTH}, TRUTH)
    assert table.loc["only yaw"].index.tolist() == ["yaw"] and table.loc["all"].index.tolist() == list(scores.ANGLES)
    assert scores.by_yaw({"only yaw": only_yaw, "all": TRUTH}, TRUTH, angle="roll").index.tolist() == ["all", "faces"]


def test_by_yaw():
    estimated = TRUTH + np.array([1.0, 2.0, 3.0, 4.0, 6.0, 0.0])[:, None] * [-1, 0, 0]
    table = scores.by_yaw({"way": estimated}, TRUTH)
    assert table.columns.tolist() == ["0-10", "10-20", "20-30", "30-90"]
    assert table.loc["way"].tolist() == [1, 2, 3, 5] and table.loc["faces"].tolist() == [1, 1, 1, 2]
    assert scores.by_yaw({"way": estimated}, TRUTH, (0, 5, 10, 20)).columns.tolist() == ["0-5", "10-20"]
    with pytest.raises(KinlibError, match="no angle 'tilt'"):
        scores.by_yaw({"way": estimated}, TRUTH, angle="tilt")


def test_yaw_threshold():
    ways = {"exact": TRUTH, "straight": TRUTH * 0, "eager": shifted(yaw=20)}
    table = scores.yaw_threshold(ways, TRUTH, limit=30)
    assert table.loc["exact", ["accuracy", "positives", "recall", "precision"]].tolist() == [1, 2, 1, 1]
    assert table.loc["straight", ["accuracy", "positives", "recall"]].tolist() == [0.6, 0, 0]
    assert np.isnan(table.loc["straight", "precision"])
    # 20, 32, -5, 55, -25 against 0, 12, -25, 35, -45: one of two found, one of two called rightly
    assert table.loc["eager", ["accuracy", "positives", "recall", "precision"]].tolist() == [0.6, 2, 0.5, 0.5]


@pytest.mark.parametrize(
    ("estimated", "truth", "words"),
    [
        ({"way": TRUTH[:3]}, TRUTH, r"'way' has poses \[3, 3\] where the ground truth has \[6, 3\]"),
        ({"way": TRUTH[:, :2]}, TRUTH[:, :2], r"'way' has poses"),
        ({"way": TRUTH * NAN}, TRUTH, "no face with a known pose"),
        ({"way": TRUTH}, TRUTH * NAN, "no face with a known pose"),
    ],
)
def test_what_cannot_be_compared_is_refused(estimated, truth, words):
    for score in (scores.errors, scores.by_yaw, scores.yaw_threshold):
        with pytest.raises(KinlibError, match=words):
            score(estimated, truth)


def test_truth_by_path(album):
    files = album.truth["file"].iloc[[5, 700, 3]].tolist()
    row = album.truth.iloc[700]
    assert scores.true_poses(album, files)[1].tolist() == [row["yaw"], row["pitch"], row["roll"]]
    assert np.array_equal(scores.true_points(album, files)[1].ravel(), np.float64(row["landmarks"]))
    faceless = album.truth.loc[album.truth["fault"] == "faceless", "file"].tolist()
    assert len(faceless) == 1 and np.isnan(scores.true_poses(album, faceless)).all()
    assert np.isnan(scores.true_points(album, faceless)).all()
    assert scores.true_points(album, []).shape == (0, 68, 2)


def test_estimates_are_those_of_each_method(album):
    files = album.truth["file"].iloc[[10, 11, 12]].tolist()
    points = scores.true_points(album, files)
    five = np.array([five_from_68(one) for one in points])
    five[1] = NAN
    found = scores.estimates(five, (120, 150), true=points)
    assert list(found) == ["frontal baseline", "2D heuristics", "turn_degrees", "PnP, 5 points", "PnP, 68 true points"]
    assert np.isnan(found["PnP, 5 points"][1]).all() and np.isnan(found["frontal baseline"][1]).all()
    assert found["PnP, 5 points"][2].tolist() == list(pose.estimate(five[2], (120, 150)))
    assert found["2D heuristics"][2].tolist() == pose_heuristics.estimate(five[2]).tolist()
    assert found["turn_degrees"][2, 0] == turn_degrees(five[2]) and np.isnan(found["turn_degrees"][2, 1:]).all()
    assert np.isfinite(found["PnP, 68 true points"]).all() and (found["frontal baseline"][[0, 2]] == 0).all()


def test_points_that_form_no_face_are_skipped():
    five = np.ones((2, 5, 2))
    found = scores.estimates(five, (120, 150))
    assert np.isnan(found["PnP, 5 points"]).all() and np.isnan(found["turn_degrees"]).all()


def test_faces_that_were_not_found_have_no_points_and_no_pose(album):
    file = album.truth["file"].iloc[10]
    picture = Image.open(album.folder / "families" / file)
    face = Keypoints(np.zeros(4, np.float32), 1.0, np.float32(five_from_68(scores.true_points(album, [file])[0])))
    five = scores.five_points([None, face])
    assert np.isnan(five[0]).all() and np.array_equal(five[1], face.points)
    poses = scores.estimate_poses(five, [(120, 150), picture.size])
    assert np.isnan(poses[0]).all() and poses[1].tolist() == list(pose.estimate(face.points, picture.size))
    predicted = scores.predict_landmarks([picture, picture], [None, face])
    assert np.isnan(predicted[0]).all() and np.array_equal(predicted[1], predict(picture, face))
    assert scores.five_points([]).shape == (0, 5, 2) and scores.estimate_poses(five[:0], (120, 150)).shape == (0, 3)


def test_solvers_and_focal_lengths_are_compared_by_their_median_errors(album):
    files = album.truth.loc[album.truth["fault"].isna(), "file"].iloc[::200]
    five = np.array([five_from_68(one) for one in scores.true_points(album, files)])
    truth = scores.true_poses(album, files)
    table = scores.compare_solvers(five, truth, (120, 150))
    angles = pose.estimate_many(five, (120, 150), solver="epnp", refine=False)
    row = table.loc["epnp", False]
    assert row[list(scores.ANGLES)].tolist() == pytest.approx(np.median(np.abs(angles - truth), axis=0).tolist())
    assert row["slope of yaw"] == pytest.approx(np.polyfit(truth[:, 0], angles[:, 0], 1)[0])
    focals = scores.compare_focal_lengths(five, truth, (120, 150), [75, 300])
    assert focals.index.tolist() == [75, 300, "default"]
    assert focals.loc[75, "slope of yaw"] < focals.loc[300, "slope of yaw"]
    assert focals.loc["default"].tolist() == pytest.approx(table.loc["sqpnp", True].tolist())


def test_words_for_a_sheet():
    values = pd.Series([3.0, -1.0, 2.0], ["c", "a", "b"])
    assert scores.quantile_images(values, (0, 0.5, 1)) == ["a", "b", "c"]
    assert scores.yaw_labels("PnP", values, {"a": -2.4, "b": NAN}) == ["PnP 3", "PnP -1, true -2", "PnP 2"]


def test_pnp_beats_the_heuristics_on_the_studio(album):
    """Five true points of photographs of all yaws; the heuristics err at least five times as much in yaw."""
    rows = album.truth[album.truth["fault"].isna()].sort_values("yaw").iloc[::60]
    points = scores.true_points(album, rows["file"])
    five = np.array([five_from_68(one) for one in points])
    truth = scores.true_poses(album, rows["file"])
    ways = scores.estimates(five, (120, 150), true=points)
    median = scores.errors(ways, truth)["median"]
    assert isinstance(median, pd.Series)
    assert median["2D heuristics", "yaw"] > 5 * median["PnP, 5 points", "yaw"]
    assert median["PnP, 68 true points", "yaw"] < 1.5 and median["PnP, 68 true points", "pitch"] < 2
    classified = scores.yaw_threshold(ways, truth)
    assert classified.loc["2D heuristics", "accuracy"] < classified.loc["PnP, 5 points", "accuracy"]
