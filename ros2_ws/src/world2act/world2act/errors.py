"""Errors of the nodes: each says what is wrong and what a person can do about it."""

from __future__ import annotations


class ConfigurationError(Exception):
    """A node cannot be configured: `cause` says what is wrong and where, `remedy` what to do."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(f"{cause}. What to do: {remedy}.")
        self.cause = cause
        self.remedy = remedy


class GraphError(Exception):
    """The graph as a whole cannot start or go on; the text is for a person and says what to do."""
