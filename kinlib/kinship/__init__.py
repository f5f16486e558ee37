"""The whole way from two photographs to children: `Kinship`, its options and results, and what a preset consists of."""
