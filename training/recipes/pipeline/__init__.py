"""A list of steps that is run in order, continues where it stopped, and repeats what a change concerns."""
