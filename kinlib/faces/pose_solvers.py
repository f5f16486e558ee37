"""Ways to find how an object lies before a camera from points whose places on the object are known (PnP).

Five points of a face are few, and four of them, eyes and corners of the mouth, lie in one plane. A plane seen from afar
looks nearly the same when it nods up as when it nods down, so a solver has to weigh the tip of the nose well. All give
a first guess; Levenberg and Marquardt's method then moves it to where the points' distances in the picture are least.

Convention: the object's frame has y up and z towards the camera; OpenCV's camera has y down and z away.
"""

from collections.abc import Callable

import cv2
import numpy as np

from kinlib.runtime.errors import KinlibError

__all__ = ["SOLVERS", "solve"]

PLANE = (0, 1, 3, 4)  # of five points: those without the nose
NO_POSE = "no pose fits the points: check that they are a face's, in the right order"
STRAIGHT = np.array([[np.pi], [0.0], [0.0]])  # a face that looks into the camera, as a rotation vector

Guess = tuple[np.ndarray, np.ndarray]  # rotation vector and translation, [3, 1] each


def solve(
    template: np.ndarray, points: np.ndarray, camera: np.ndarray, solver: str = "sqpnp", refine: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """How an object lies before a camera.

    Args:
        template: float64 [K, 3], the points on the object.
        points: float64 [K, 2], pixels.
        camera: float64 [3, 3], focal length and principal point in pixels.
        solver: a name of `SOLVERS`.
        refine: whether to improve the solver's guess.

    Returns:
        Rotation [3, 3] and translation [3] from the object's frame to the camera's.

    Raises:
        KinlibError: if there is no such solver, or none of its solutions lies before the camera.
    """
    if solver not in SOLVERS:
        raise KinlibError(f"there is no solver '{solver}': choose one of {', '.join(SOLVERS)}")
    middle = template.mean(axis=0)
    centred = template - middle  # solvers lose digits far from the origin
    try:
        turn, place = SOLVERS[solver](centred, points, camera)
        if refine:
            turn, place = cv2.solvePnPRefineLM(centred, points, camera, None, turn, place)
    except cv2.error as error:
        raise KinlibError(NO_POSE) from error
    rotation = cv2.Rodrigues(turn)[0]
    translation = place.ravel() - rotation @ middle
    if not np.isfinite(translation).all() or place[2] <= 0:
        raise KinlibError(NO_POSE)
    return rotation, translation


def _sqpnp(template: np.ndarray, points: np.ndarray, camera: np.ndarray) -> Guess:
    """The least error over all rotations (Terzakis and Lourakis, 2020)."""
    return _best(template, points, camera, cv2.SOLVEPNP_SQPNP, range(len(points)))


def _epnp(template: np.ndarray, points: np.ndarray, camera: np.ndarray) -> Guess:
    """Four control points stand for all (Lepetit, Moreno-Noguer and Fua, 2009)."""
    return _best(template, points, camera, cv2.SOLVEPNP_EPNP, range(len(points)))


def _ippe(template: np.ndarray, points: np.ndarray, camera: np.ndarray) -> Guess:
    """Both poses of a plane (Collins and Bartoli, 2014): of eyes and mouth; the nose decides. Five points only."""
    if len(points) != 5:
        raise KinlibError("the solver 'ippe' needs points in a plane: it works with five points of a face only")
    return _best(template, points, camera, cv2.SOLVEPNP_IPPE, PLANE)


def _straight(template: np.ndarray, points: np.ndarray, camera: np.ndarray) -> Guess:
    """No solver at all: a face that looks into the camera, as large as this one and where this one is."""
    size = np.linalg.norm(template[:, :2].std(axis=0)) / np.linalg.norm(points.std(axis=0))
    sight = np.linalg.solve(camera, [*points.mean(axis=0), 1.0])
    return STRAIGHT.copy(), (sight * camera[0, 0] * size)[:, None]


def _best(template: np.ndarray, points: np.ndarray, camera: np.ndarray, flag: int, used: range | tuple) -> Guess:
    """Of all solutions for the points used, the one from which all points are least far."""
    chosen = list(used)
    _, turns, places, _ = cv2.solvePnPGeneric(template[chosen], points[chosen], camera, None, flags=flag)
    guesses = [guess for guess in zip(turns, places, strict=True) if np.isfinite(guess).all()]  # not all of them are
    if not guesses:
        raise KinlibError(NO_POSE)

    def distance(guess: Guess) -> float:
        seen = cv2.projectPoints(template, *guess, camera, None)[0].reshape(-1, 2)
        return float(np.square(seen - points).sum())

    return min(guesses, key=distance)


SOLVERS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Guess]] = {
    "sqpnp": _sqpnp,
    "epnp": _epnp,
    "ippe": _ippe,
    "straight": _straight,
}
"""Solvers of the initial pose, by name."""
