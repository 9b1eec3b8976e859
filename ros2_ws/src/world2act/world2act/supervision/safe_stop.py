"""How a graph that is up is taken down: first the policy stops, then the arm holds, and only then is it let go."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from world2act.errors import GraphError
from world2act.supervision.bring_up import BringUp
from world2act.supervision.holding import ArmHold
from world2act.supervision.session import Session

DECIDING = ("skill_planner", "vla_policy")
COMMANDING = "arm_commander"
PATIENCE_S = 2.0
"""A node that does not answer for so long is left to the signals that follow."""
SETTLE_S = 0.5
"""Time for the arm to come to rest before its commander is let go (real time)."""


def stop_order(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Nodes in bring-up order -> (those that decide, before the arm holds; the rest, after it), each in its order."""
    deciding = tuple(name for name in DECIDING if name in names)
    commanding = tuple(name for name in (COMMANDING,) if name in names)
    rest = tuple(name for name in reversed(names) if name not in (*deciding, *commanding))
    return deciding, (*commanding, *rest)


class SafeStop:
    """Deactivates the nodes of a graph in the safe order; whatever does not answer is passed over."""

    def __init__(self, session: Session, bring_up: BringUp, hold: ArmHold, settle_s: float = SETTLE_S) -> None:
        self._session = session
        self._bring_up = bring_up
        self._hold = hold
        self._settle_s = settle_s

    def run(self, alive: Callable[[str], bool]) -> None:
        """Stop the policy, hold, deactivate. alive(name): whether a node's process is there."""
        before, after = stop_order(self._bring_up.names)
        self._deactivate(before, alive)
        if COMMANDING in after and alive(COMMANDING) and not self._hold.set("the graph is shutting down"):
            self._session.wait(lambda: False, self._settle_s)
        self._deactivate(after, alive)

    def _deactivate(self, names: Sequence[str], alive: Callable[[str], bool]) -> None:
        for name in names:
            if alive(name):
                with contextlib.suppress(GraphError):
                    self._bring_up.deactivate(name, PATIENCE_S)
