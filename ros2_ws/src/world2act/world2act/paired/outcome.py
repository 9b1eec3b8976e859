"""What came of one episode under one condition; a line of the results file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self


@dataclass(frozen=True)
class Outcome:
    """success: judged from physics state. ending: what the planner thought, finished or timeout.

    seconds: simulated. chunks: that arrived; refused: that were not taken. held_s: how long the arm held after the
    first chunk, hold_reason: why at first. findings: safety check -> how often it began to find something.
    lowest_m: height of the end effector at its lowest, base frame.
    """

    condition: str
    kind: str
    seed: int
    instruction: str
    success: bool
    ending: str
    seconds: float
    chunks: int
    refused: int = 0
    held_s: float = 0.0
    hold_reason: str = ""
    findings: Mapping[str, int] = field(default_factory=dict)
    lowest_m: float = 0.0

    @property
    def key(self) -> tuple[str, str, int]:
        """Which episode this is: condition, kind and seed."""
        return self.condition, self.kind, self.seed

    def to_line(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Raises ValueError when it is no such line."""
        try:
            return cls(**json.loads(line))
        except TypeError as error:
            raise ValueError(f"not an outcome: {error}") from error
