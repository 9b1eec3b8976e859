"""One fault: how it is made, how it is undone, and what must be said about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from world2act.faults.bench import Bench

HOLD_MS = 150.0
E_STOP_MS = 50.0


def nothing(bench: Bench) -> None:
    """There is nothing to undo."""


@dataclass(frozen=True)
class Fault:
    """One row of the matrix.

    reasons: names, any of which must be on /diagnostics or in SafetyStatus; none: nothing is lost, and nothing has to
    be said. limit_ms: the arm must be holding so long after the loss; infinite: it may go on. waits_s: how long the
    fault is there. in_short: part of the short matrix.
    """

    name: str
    what: str
    inject: Callable[[Bench], None]
    undo: Callable[[Bench], None] = nothing
    reasons: tuple[str, ...] = ()
    limit_ms: float = HOLD_MS
    waits_s: float = 1.5
    in_short: bool = False


@dataclass(frozen=True)
class Result:
    """What became of it. hold_ms: from the loss to the first command that brings the arm to rest; None: it never held.

    0 for arm_commander itself: it sends no more, and the last trajectory that it sent ends at rest. rest_ms: from the
    loss to the last motion of the arm that was measured. reason: what was said, empty when nothing was. commands: that
    the arm was sent from the end of the row before to the end of this one, each of them judged; violations: of limits
    among them. recordings: finished ones that were there before the fault and had to be readable after it. problem: why
    it did not survive, empty when it did.
    """

    name: str
    survived: bool
    hold_ms: float | None
    rest_ms: float | None
    reason: str
    commands: int
    violations: int
    recordings: int
    recovery_s: float
    problem: str
