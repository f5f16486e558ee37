"""The 3D points to which faces are fitted: the studio's mean head, with 68 landmarks, and five as MTCNN places them.

Where the numbers come from. 400 random people of the studio (`kinlib.studio.appearance.looks.random_person`), of the
ages and with the expressions of a family album (`kinlib.studio.appearance.shots.random_shot`): children among them, and
most of them smiling. Of each the 68 landmarks of the head model ICT-FaceKit (USC ICT, MIT licence) were taken, scaled
about the head's middle to one size, averaged, and made symmetric. A face in a photograph is nearer to such a mean than
to a model at rest.

MTCNN does not put its points where the landmarks are: its eyes lie higher, its nose lower and nearer to the face.
Pictures of 220 of these people were rendered (120 x 150 px), MTCNN was run on them, and the five points in space were
computed that lie nearest to all its lines of sight. So they tell how MTCNN sees renders; how it sees photographs of
people was not measured.

Convention: cm in the head's frame: x to the image's right when the face looks at the camera, y up, z to the camera. The
origin is the middle of the head at the height of the eyes.
"""

import numpy as np

__all__ = ["template"]

# Landmarks in iBUG order, see `kinlib.faces.landmarks`.
SIXTY_EIGHT = (
    # jaw
    *((-7.21, 0.62, 3.64), (-7.13, -1.46, 3.91), (-6.85, -3.32, 4.50), (-6.54, -5.11, 5.14)),
    *((-5.66, -7.12, 6.00), (-4.22, -8.81, 7.14), (-2.99, -9.55, 8.42), (-1.50, -9.92, 9.80)),
    *((0.00, -10.26, 9.99), (1.50, -9.92, 9.80), (2.99, -9.55, 8.42), (4.22, -8.81, 7.14)),
    *((5.66, -7.12, 6.00), (6.54, -5.11, 5.14), (6.85, -3.32, 4.50), (7.13, -1.46, 3.91)),
    *((7.21, 0.62, 3.64),),
    # brows
    *((-5.65, 2.10, 7.80), (-4.82, 2.82, 8.88), (-3.73, 3.08, 9.72), (-2.38, 3.04, 10.37)),
    *((-1.16, 2.78, 10.61), (1.16, 2.78, 10.61), (2.38, 3.04, 10.37), (3.73, 3.08, 9.72)),
    *((4.82, 2.82, 8.88), (5.65, 2.10, 7.80)),
    # nose
    *((0.00, 0.65, 10.57), (0.00, -0.40, 11.27), (0.00, -1.41, 11.99), (0.00, -2.59, 12.72)),
    *((-1.32, -3.93, 10.56), (-0.64, -3.99, 11.08), (0.00, -4.07, 11.22), (0.64, -3.99, 11.08)),
    *((1.32, -3.93, 10.56),),
    # eyes
    *((-4.37, 0.33, 8.48), (-3.80, 0.72, 9.23), (-2.70, 0.79, 9.41), (-1.77, 0.16, 9.09)),
    *((-2.63, 0.05, 9.31), (-3.77, 0.04, 9.14), (1.77, 0.16, 9.09), (2.70, 0.79, 9.41)),
    *((3.80, 0.72, 9.23), (4.37, 0.33, 8.48), (3.77, 0.04, 9.14), (2.63, 0.05, 9.31)),
    # lips, outside
    *((-2.70, -5.93, 9.55), (-1.88, -5.38, 10.67), (-0.82, -5.12, 11.24), (0.00, -5.18, 11.37)),
    *((0.82, -5.12, 11.24), (1.88, -5.38, 10.67), (2.70, -5.93, 9.55), (1.91, -6.68, 10.30)),
    *((1.12, -7.04, 10.81), (0.00, -7.16, 11.03), (-1.12, -7.04, 10.81), (-1.91, -6.68, 10.30)),
    # lips, inside
    *((-2.39, -5.95, 9.52), (-1.16, -5.88, 10.59), (0.00, -5.95, 10.88), (1.16, -5.88, 10.59)),
    *((2.39, -5.95, 9.52), (1.19, -6.14, 10.52), (0.00, -6.25, 10.81), (-1.19, -6.14, 10.52)),
)
# In the order of `kinlib.faces.keypoints`: eyes, tip of the nose, corners of the mouth.
FIVE = (
    (-3.14, 0.66, 8.88),
    (3.14, 0.66, 8.88),
    (0.00, -2.73, 12.14),
    (-2.70, -5.94, 9.41),
    (2.70, -5.94, 9.41),
)


def template(count: int) -> np.ndarray:
    """The mean head's points, float64 [count, 3] in cm; `count` is 5 or 68."""
    return np.array({5: FIVE, 68: SIXTY_EIGHT}[count], dtype=np.float64)
