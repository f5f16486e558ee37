"""Data sets of rendered people: planning, rendering and reading them, and the faults planted in them.

Open `batch` for the training pictures of `kinlib render` (`renders` reads them), and `family_set` for the families in
Family101's layout (`family_plan` and `family_photos` come before it, `family_album` reads it).
"""
