"""Measuring policies on the same episodes, and saying what the measurements show."""
