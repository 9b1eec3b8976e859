"""What the referee of the simulated arm has judged, through resets of the episode and restarts of the arm's process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Judged:
    """Commands that were judged, how many limits they broke, and how many were lost before they could be judged.

    example: one of the violations, for people.
    """

    commands: int = 0
    violations: int = 0
    lost: int = 0
    example: str = ""


class RefereeTally:
    """Adds up reports on `command_referee`; `take` gives what has been added since it was asked last.

    A report counts all that its process has seen so far, so nothing is lost with a report. Only what a process that is
    killed had judged after its last one (a tenth of a second) is lost with it.
    """

    def __init__(self) -> None:
        self.newest: dict[str, Any] = {}
        self._process = 0
        self._past = self._life = self._taken = (0, 0, 0)
        self._example = ""

    def see(self, report: dict[str, Any]) -> None:
        """A report came in."""
        process, counts = int(report["process"]), report["ever"]
        if process != self._process or counts["commands"] < self._life[0]:
            self._past = self._total
        self._process, self._life = process, (counts["commands"], counts["violations"], counts["lost"])
        if report["commands"]["violations"] and not self._example:
            self._example = _told(report["commands"]["violations"][0])
        self.newest = report

    @property
    def _total(self) -> tuple[int, int, int]:
        (commands, violations, lost), life = self._past, self._life
        return commands + life[0], violations + life[1], lost + life[2]

    @property
    def stamp_s(self) -> float:
        """When the newest report was made [s, wall clock]; 0: there is none."""
        return float(self.newest.get("stamp_s", 0.0))

    def take(self) -> Judged:
        """What was judged since `take` was called last."""
        before, self._taken = self._taken, self._total
        commands, violations, lost = (now - then for now, then in zip(self._taken, before, strict=True))
        example, self._example = self._example, ""
        return Judged(commands, violations, lost, example if violations else "")


def _told(violation: dict[str, Any]) -> str:
    return f"{violation['quantity']} of {violation['joint']} {violation['value']:.4g}, limit {violation['limit']:.4g}"
