"""The fault matrix: what goes wrong on a robot, on purpose, and what the arm does then."""
