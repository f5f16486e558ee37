"""The shape of one head as a sum of displacement fields: identity, proportions, sex, growth, ageing, expression, gaze.

Open `head_shape` first: it adds the fields and makes eyes and teeth rigid again.
"""
