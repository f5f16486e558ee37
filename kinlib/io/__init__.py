"""Photographs and pictures in and out: reading, tensors, the FFHQ crop, label names, files written whole, resuming."""
