"""Rules for the gripper: inside its range, kept while the arm holds, not opened and closed in quick turns."""

from __future__ import annotations

import math


class GripperRule:
    """The gripper command in [-1, 1]; +1 closes."""

    def __init__(self, toggle_s: float) -> None:
        self._toggle_s = toggle_s
        self.start(-1.0)

    def start(self, command: float) -> None:
        """Begin with `command`; it may change at once."""
        self.command = min(1.0, max(-1.0, command))
        self._since_toggle_s = math.inf

    def hold(self, period_s: float) -> float:
        """The command is kept for another period."""
        self._since_toggle_s += period_s
        return self.command

    def step(self, wanted: float, period_s: float) -> tuple[float, str]:
        """The command for this period, and what was wrong with `wanted` (finite); empty: nothing."""
        self._since_toggle_s += period_s
        inside = min(1.0, max(-1.0, wanted))
        toggles = (inside > 0) != (self.command > 0)
        if toggles and self._since_toggle_s < self._toggle_s:
            return self.command, (
                f"the gripper would change between open and closed {self._since_toggle_s:.2f} s after the last "
                f"change, {self._toggle_s:g} s is the least: it keeps {self.command:g}; does the policy hesitate?"
            )
        if toggles:
            self._since_toggle_s = 0.0
        self.command = inside
        message = "" if inside == wanted else f"the gripper command is {wanted:g}, range [-1, 1]: taken as {inside:g}"
        return inside, message
