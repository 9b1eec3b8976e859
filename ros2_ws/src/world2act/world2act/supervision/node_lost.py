"""What supervision says of lost nodes, published as the node `supervisor`.

A node that the arm needs: the latched fault NODE_LOST, cleared only by a service. One that it can do without: DEGRADED
until it is back, nothing holds and nothing is to be cleared.
"""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType

from world2act import topics
from world2act.health import DEGRADED, FAULT, NODE_LOST, Condition, diagnostics_message, health_message
from world2act.supervision.holding import ArmHold
from world2act.supervision.session import Session
from world2act_interfaces.msg import NodeHealth
from world2act_interfaces.srv import ClearFault

SUPERVISOR = "supervisor"
REPORT_S = 1.0


def lost_name(name: str) -> str:
    """What is said of a lost node that the arm does not need: "RECORDER_LOST"."""
    return f"{name.upper()}_LOST"


class NodeLost:
    """Nothing, or the fault NODE_LOST with what was lost; the arm holds from `latch` until somebody clears it."""

    def __init__(self, session: Session, hold: ArmHold) -> None:
        self._hold = hold
        self._reasons: list[str] = []
        self._release_wanted = False
        self._unneeded: dict[str, str] = {}
        self.missing: set[str] = set()
        """Needed nodes that are not back yet; while there is one, the fault cannot be cleared."""
        node = session.node
        self._health = node.create_publisher(NodeHealth, topics.NODE_HEALTH, topics.reliable())
        self._diagnostics = node.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, topics.reliable())
        node.create_timer(REPORT_S, self.report, clock=Clock(clock_type=ClockType.STEADY_TIME))
        node.create_service(ClearFault, topics.CLEAR_NODE_LOST, self._on_clear)

    @property
    def latched(self) -> bool:
        """Whether the fault is there."""
        return bool(self._reasons)

    @property
    def condition(self) -> Condition:
        """NODE_LOST, else RECORDER_LOST and the like while such a node is not back, else well."""
        if self._reasons:
            text = f"{self._reason}. The arm holds until the fault is cleared: `world2act clear`"
            return Condition(FAULT, NODE_LOST, "; ".join((text, *self._unneeded.values())))
        if self._unneeded:
            text = "; ".join(self._unneeded.values())
            name = next(iter(self._unneeded))
            text += f". The arm goes on without {' and '.join(self._unneeded)}"
            return Condition(DEGRADED, lost_name(name), text)
        return Condition()

    def do_without(self, name: str, how: str) -> None:
        """A node that the arm does not need is gone; said until it `is_back`."""
        self._unneeded[name] = how
        self.report()

    def is_back(self, name: str) -> None:
        """A node that was lost is active again."""
        self.missing.discard(name)
        if self._unneeded.pop(name, None) is not None:
            self.report()

    def latch(self, reason: str) -> None:
        """Name the fault; a further loss is added to what is latched already."""
        self._release_wanted = False
        if reason not in self._reasons:
            self._reasons.append(reason)
        self.report()

    def hold(self) -> str:
        """Have the arm hold because of it; returns "" or why arm_commander could not be told."""
        return self._hold.set(self._reason)

    @property
    def _reason(self) -> str:
        return "; ".join(self._reasons)

    def report(self) -> None:
        """Say on node_health and /diagnostics how supervision stands."""
        self._health.publish(health_message(f"/{SUPERVISOR}", "active", self.condition))
        self._diagnostics.publish(diagnostics_message(f"/{SUPERVISOR}", "active", self.condition, {}))

    def _on_clear(self, _: ClearFault.Request, response: ClearFault.Response) -> ClearFault.Response:
        response.fault = NODE_LOST if self.latched else ""
        response.ok = not self.missing
        if self.missing:
            response.message = (
                f"not back yet: {', '.join(sorted(self.missing))}; wait until it is active, then clear again"
            )
        elif self.latched:
            self._reasons.clear()
            self.report()
            self._release_wanted = True
        return response

    def release(self) -> None:
        """Let the arm go if somebody has cleared the fault; when arm_commander does not hear it, the fault is back.

        Not done in the service's callback, which must not wait for another service.
        """
        if not self._release_wanted:
            return
        self._release_wanted = False
        problem = self._hold.release()
        if problem:
            self.latch(f"the arm still holds: {problem}")
