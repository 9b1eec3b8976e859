"""One module per node; each has `PARAMETERS`, the node class and `main`."""
