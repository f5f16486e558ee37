"""The whole way from two photographs to children: `Kinship`, its options, its results, and what a preset consists of."""
