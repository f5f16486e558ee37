"""Hair of head and face as strands (polylines) in the head's frame.

Open `scalp_hair` first: it takes a style through the whole pipeline, from roots to shaded strands. `strands` is the
record that every module returns; `brows`, `lashes` and `beard` grow on the posed face.
"""
