"""Two parents, a child, and sliders for what the child gets from whom: the panel of notebook 00.

    studio = family_studio()                          the bundled couples, or photographs to upload
    studio.controls["coarse"].value = 1.0             what a hand does with a slider, code can do as well

`Family` holds the parents and draws the child; it knows nothing of layout. `FamilyStudio` is what is seen. Photographs
are encoded once, so that a slider's move only blends and draws. Works with ipywidgets 7 (Colab) and 8.
The panels of other notebooks are imported by themselves: `families` (01 and 02), `sieve` (03), `upscaling` (04),
`alignment` (05) and `dials` (A1).
"""

from kinlib.widgets.family import Family, Settings
from kinlib.widgets.panel import FamilyStudio, family_studio

__all__ = ["Family", "FamilyStudio", "Settings", "family_studio"]
