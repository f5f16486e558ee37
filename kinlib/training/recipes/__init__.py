"""One module for each bundled network, and the table of them."""
