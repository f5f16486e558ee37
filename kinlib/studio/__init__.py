"""Rendered families with known genomes: genetics, head model, renderer, and data sets in Family101's format.

    genetics -> person -> shape, skin, hair -> render -> picture and its ground truth

Open `person` first (the records that describe a render), then `render`. Lengths are centimetres in the head's frame: x
to the image's right when the face looks at the camera, y up, z towards the camera, the origin between the ears. Colours
are linear RGB until the last step of the renderer.
"""
