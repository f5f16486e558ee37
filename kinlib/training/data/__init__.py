"""Training data: augmentation, label maps, patches, attribute codes; rendering of the reference set."""
