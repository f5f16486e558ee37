"""The shape of one person's head: identity, growth, ageing, sex, expression and gaze."""
