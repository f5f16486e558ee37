"""How well each step of preprocessing works: detection, pose, upscaling, alignment, demography, and labels that lie."""
