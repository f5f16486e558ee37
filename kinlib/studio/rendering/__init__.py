"""The renderer's parts: camera, rasteriser, surfaces, shading, backdrop, and the ground truth of a picture."""
