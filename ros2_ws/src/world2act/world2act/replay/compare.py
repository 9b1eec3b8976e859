"""Are two chunks the same, bit for bit?"""

from __future__ import annotations

import array
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from world2act_interfaces.msg import ActionChunk

FREE = ("sequence", "inference_seconds")
"""Fields that say when a chunk was made and how fast, not what was decided."""


def differing_fields(first: ActionChunk, second: ActionChunk) -> list[str]:
    """Names of the fields that are not equal bit for bit, NaN included; those in FREE do not count."""
    names = [name for name in first.get_fields_and_field_types() if name not in FREE]
    return [name for name in names if _bits(getattr(first, name)) != _bits(getattr(second, name))]


def _bits(value: Any) -> Any:
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, array.array):
        return value.tobytes()
    return value


def largest_difference(first: ActionChunk, second: ActionChunk) -> float:
    """max |a - b| over the actions [robot units]; infinity when their number differs or one is not finite."""
    a, b = np.asarray(first.data, np.float64), np.asarray(second.data, np.float64)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float(np.abs(a - b).max(initial=0.0))


@dataclass
class Comparison:
    """All chunks of a recording against those of its replay.

    unmatched: chunks whose observation or skill the recording lacks. differing: field -> in how many chunks.
    settings_known: whether the recording says how vla_policy was set.
    """

    chunks: int = 0
    equal: int = 0
    unmatched: int = 0
    largest_action_difference: float = 0.0
    differing: dict[str, int] = field(default_factory=dict)
    first_difference: int | None = None
    settings_known: bool = True

    def add(self, recorded: ActionChunk, replayed: ActionChunk) -> None:
        """Compare one pair."""
        self.chunks += 1
        names = differing_fields(recorded, replayed)
        if not names:
            self.equal += 1
            return
        if self.first_difference is None:
            self.first_difference = int(recorded.sequence)
        self.largest_action_difference = max(self.largest_action_difference, largest_difference(recorded, replayed))
        for name in names:
            self.differing[name] = self.differing.get(name, 0) + 1

    @property
    def all_equal(self) -> bool:
        """Whether there was something to compare, and all of it was the same."""
        return self.chunks > 0 and self.equal == self.chunks
