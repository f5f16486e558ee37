"""Files of weights: the table of what exists, downloading, checksums, and reading tensors without running code."""
