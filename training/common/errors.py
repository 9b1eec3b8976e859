"""Errors a person can act on: the command line prints them without a traceback."""

from __future__ import annotations


class TrainingError(RuntimeError):
    """Base class; the message names what was wrong, where, and what to do."""


class DatasetError(TrainingError):
    """A dataset on disk is missing, incomplete or of another layout."""


class DatasetDiskFullError(TrainingError):
    """The disk holding a dataset has no room; every finished episode stays readable."""


class CheckpointError(TrainingError):
    """A checkpoint is missing, truncated or of another configuration."""


class ExportError(TrainingError):
    """An exported graph disagrees with the model it came from."""


class EvaluationError(TrainingError):
    """An evaluation cannot run as asked."""
