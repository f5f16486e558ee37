"""Panels of sliders and pictures for notebooks, for ipywidgets 7 (Colab) and 8.

Panels hold layout only; what the controls of notebook 00 do is in `kinlib.session`. The panels of other notebooks are
imported by themselves: `families` (01 and 02), `sieve` (03), `upscaling` (04), `alignment` (05), `weights` (07),
`edits` (08), `genes` (11), `face_search` (12) and `variations` (A1).
"""

from kinlib.widgets.family import FamilyStudio, family_studio

__all__ = ["FamilyStudio", "family_studio"]
