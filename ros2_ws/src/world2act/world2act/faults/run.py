"""Makes faults one after the other while the arm moves, and judges what happened."""

from __future__ import annotations

import math
import time

from world2act.errors import GraphError
from world2act.faults.bench import Bench
from world2act.faults.fault import Fault, Result

CLOCK_SLACK_MS = 1.0


def run_fault(bench: Bench, fault: Fault, patience: float = 1.0) -> Result:
    """One fault: move, break, watch, repair, move again. patience: factor on how long the arm may take to hold."""
    try:
        bench.move()
    except GraphError as error:
        return _failed(fault, f"before the fault: {error}")
    bench.names.clear()
    bench.held_s = None
    lost_s = time.time()
    try:
        fault.inject(bench)
    except GraphError as error:
        return _failed(fault, f"could not be made: {error}")
    bench.spin(fault.waits_s)
    # A request to the simulated arm takes a moment to arrive; the arm says when it did.
    lost_s = max(lost_s, float(bench.referee.get("injected_s", 0.0)))
    held_s, commanded_s, moved_s = bench.held_s, bench.last_commanded_motion_s, bench.last_motion_s
    violations = bench.violations
    reason = ", ".join(sorted(name for name in bench.names if _said(name, fault)))
    fault.undo(bench)
    # A commander that is gone says nothing and sends nothing: its last command ends at rest by itself.
    if "arm_commander" in fault.name:
        held_s = commanded_s
    hold_ms, rest_ms = _after(held_s, lost_s), _after(moved_s, lost_s)
    began_s = time.monotonic()
    problem = _problem(fault, patience * fault.limit_ms, hold_ms, reason, violations)
    try:
        bench.move()
    except GraphError as error:
        problem = problem or f"afterwards: {error}"
    recovery_s = time.monotonic() - began_s
    return Result(fault.name, not problem, hold_ms, rest_ms, reason, violations, recovery_s, problem)


def _after(time_s: float | None, lost_s: float) -> float | None:
    return None if time_s is None else max(0.0, 1e3 * (time_s - lost_s))


def _said(name: str, fault: Fault) -> bool:
    return any(name.startswith(reason) for reason in fault.reasons)


def _problem(fault: Fault, limit_ms: float, hold_ms: float | None, reason: str, violations: int) -> str:
    if violations:
        return f"{violations} commands outside the limits"
    if math.isfinite(limit_ms) and hold_ms is None:
        return "the arm never held"
    if hold_ms is not None and hold_ms > limit_ms + CLOCK_SLACK_MS:
        return f"held after {hold_ms:.0f} ms, at most {limit_ms:g}"
    if fault.reasons and not reason:
        return f"nothing was said; expected one of {', '.join(fault.reasons)}"
    return ""


def _failed(fault: Fault, problem: str) -> Result:
    return Result(fault.name, False, None, None, "", 0, 0.0, problem)
