"""Random looks, shots and lights: everything about a picture that is not inherited.

Open `looks` (hair, beard, glasses, clothes by age and sex) and `shots` (expression, gaze, pose, place) first.
"""
