"""`make bench`: every figure is a ratio against a named alternative, measured in the same run, the two in turns."""
