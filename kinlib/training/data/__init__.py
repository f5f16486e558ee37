"""Training data in memory: augmentation, label maps, patches, codes of attributes, the reference set's making."""
