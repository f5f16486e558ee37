"""A whole folder of photographs made ready: faces found, aligned, encoded, and one table that says it all.

photos = list_photos("Family101_150x120")                   # one of the five sets, or any folder of pictures
for done in prepare(photos, "prepared"): ...                # resumes where it was stopped
table = read_prepared("prepared")                           # one row a picture, also for those that failed
codes = latents(table)                                      # W+ [N, L, 512]
"""

from kinlib.prepare.listing import Listing, list_photos
from kinlib.prepare.run import ENGINES, prepare
from kinlib.prepare.settings import PrepareSettings
from kinlib.prepare.table import latents, read_prepared

__all__ = ["ENGINES", "Listing", "PrepareSettings", "latents", "list_photos", "prepare", "read_prepared"]
