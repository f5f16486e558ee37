"""Texture maps of the generic head that serve every person: masks, wrinkles, labels, noise, ambient occlusion.

Open `atlas` first: it builds, caches and documents all maps; `features` holds the outlines that they are painted from.
"""
