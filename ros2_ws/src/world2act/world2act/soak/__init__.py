"""Continuous operation: a graph that works for hours, and whether anything grows, leaks or stalls meanwhile."""
