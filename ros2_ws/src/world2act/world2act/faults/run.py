"""Makes faults one after the other while the arm moves, and judges what happened."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from world2act.errors import GraphError
from world2act.faults.bench import Bench
from world2act.faults.fault import Fault, Result
from world2act.faults.recordings import Finished, lost, move_away
from world2act.faults.referee_tally import Judged

MOST_LOST = 0.2
"""Share of the commands that may be lost on their way on a busy machine: over them only the velocity is judged."""
CLOCK_SLACK_MS = 1.0
"""Between stamps that different processes took of the machine's clock."""


@dataclass
class _Row:
    """What is known of a fault so far; problems: in the order in which they are told."""

    hold_ms: float | None = None
    rest_ms: float | None = None
    reason: str = ""
    recovery_s: float = 0.0
    recordings: tuple[Finished, ...] = ()
    problems: list[str] = field(default_factory=list)


def run_fault(bench: Bench, fault: Fault, patience: float = 1.0) -> Result:
    """One fault: move, break, watch, repair, move again. patience: factor on how long the arm may take to hold.

    Every command from the end of the fault before to the end of this one is judged: also those of the resets between.
    """
    row = _Row()
    try:
        _make(bench, fault, patience, row)
    except GraphError as error:
        row.problems.append(str(error))
    row.problems.extend(lost(row.recordings))
    move_away(bench.recordings)
    judged = Judged()
    try:
        judged = bench.judged()
        row.problems[:0] = _of_commands(judged)
    except GraphError as error:
        row.problems.append(str(error))
    return Result(
        fault.name, not row.problems, row.hold_ms, row.rest_ms, row.reason, judged.commands, judged.violations,
        len(row.recordings), row.recovery_s, "; ".join(row.problems),
    )  # fmt: skip


def _make(bench: Bench, fault: Fault, patience: float, row: _Row) -> None:
    """Fill the row. Raises GraphError when the arm does not move before or after the fault, or it cannot be made."""
    with _when("before the fault"):
        bench.move()
        row.recordings = bench.finished()
        bench.require_unsaid(fault.reasons)
        if not bench.running:  # it has finished its work meanwhile, or a busy machine has made it hold
            bench.move()
    bench.names.clear()
    bench.held_s = None
    lost_s = time.time()
    try:
        with _when("could not be made"):
            fault.inject(bench)
        bench.spin(fault.waits_s)
    except GraphError:
        fault.undo(bench)
        raise
    # A request to the simulated arm takes a moment to arrive; the arm says when it did.
    lost_s = max(lost_s, bench.injected_s)
    held_s, commanded_s, moved_s = bench.held_s, bench.last_commanded_motion_s, bench.last_motion_s
    row.reason = ", ".join(sorted(name for name in bench.names if _said(name, fault)))
    fault.undo(bench)
    # A commander that is gone says nothing and sends nothing: its last command ends at rest by itself.
    if "arm_commander" in fault.name:
        held_s = commanded_s
    elif held_s is not None and held_s < lost_s - 1e-3 * CLOCK_SLACK_MS and math.isfinite(fault.limit_ms):
        row.problems.append(f"the arm held {1e3 * (lost_s - held_s):.0f} ms before the loss, for another reason")
    row.hold_ms, row.rest_ms = _after(held_s, lost_s), _after(moved_s, lost_s)
    if problem := _problem(fault, patience * fault.limit_ms, row.hold_ms, row.reason):
        row.problems.append(problem)
    began_s = time.monotonic()
    with _when("afterwards"):
        bench.move()
    row.recovery_s = time.monotonic() - began_s


@contextmanager
def _when(when: str) -> Iterator[None]:
    try:
        yield
    except GraphError as error:
        raise GraphError(f"{when}: {error}") from error


def _of_commands(judged: Judged) -> list[str]:
    if judged.violations:
        return [f"{judged.violations} commands outside the limits, {judged.example}".removesuffix(", ")]
    if judged.lost > MOST_LOST * judged.commands:
        return [f"{judged.lost} commands did not reach the arm, {judged.commands} did: too few to judge"]
    return [] if judged.commands else ["the arm was sent no command: there was nothing to judge"]


def _after(time_s: float | None, lost_s: float) -> float | None:
    return None if time_s is None else max(0.0, 1e3 * (time_s - lost_s))


def _said(name: str, fault: Fault) -> bool:
    return any(name.startswith(reason) for reason in fault.reasons)


def _problem(fault: Fault, limit_ms: float, hold_ms: float | None, reason: str) -> str:
    if math.isfinite(limit_ms) and hold_ms is None:
        return "the arm never held"
    if hold_ms is not None and hold_ms > limit_ms + CLOCK_SLACK_MS:
        return f"held after {hold_ms:.0f} ms, at most {limit_ms:g}"
    if fault.reasons and not reason:
        return f"nothing was said; expected one of {', '.join(fault.reasons)}"
    return ""
