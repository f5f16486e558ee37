"""The software renderer: camera, z-buffer, surface attributes, shading, backgrounds and ground truth.

Open `raster` first (the z-buffer), then `surface` and `shading`, which fill and light its pixels.
`kinlib.studio.render` puts the parts together.
"""
