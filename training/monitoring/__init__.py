"""Calibrating the run-time monitor: from evaluated episodes to the threshold of a score."""
