"""Looking at a graph that runs: one snapshot of everything, on a screen, as text, as JSON, or as a stream."""
