"""The latched fault of supervision: NODE_LOST, published as the node `supervisor`, cleared only by a service."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType

from world2act import topics
from world2act.health import FAULT, OK, Condition, diagnostics_message, health_message
from world2act.supervision.holding import ArmHold
from world2act.supervision.session import Session
from world2act_interfaces.msg import NodeHealth
from world2act_interfaces.srv import ClearFault

NODE_LOST = "NODE_LOST"
SUPERVISOR = "supervisor"
REPORT_S = 1.0


class NodeLost:
    """Nothing, or the fault NODE_LOST with what was lost; the arm holds from `latch` until somebody clears it."""

    def __init__(self, session: Session, hold: ArmHold) -> None:
        self._hold = hold
        self._reasons: list[str] = []
        self._release_wanted = False
        self.condition = Condition()
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
        return self.condition.level != OK

    def latch(self, reason: str) -> None:
        """Name the fault; a further loss is added to what is latched already."""
        self._release_wanted = False
        if reason not in self._reasons:
            self._reasons.append(reason)
        text = f"{self._reason}. The arm holds until the fault is cleared: `world2act clear`"
        self.condition = Condition(FAULT, NODE_LOST, text)
        self.report()

    def hold(self) -> str:
        """Have the arm hold because of it; returns "" or why arm_commander could not be told."""
        return self._hold.set(f"{NODE_LOST}: {self._reason}")

    @property
    def _reason(self) -> str:
        return "; ".join(self._reasons)

    def report(self) -> None:
        """Say on node_health and /diagnostics how supervision stands."""
        self._health.publish(health_message(f"/{SUPERVISOR}", "active", self.condition))
        self._diagnostics.publish(diagnostics_message(f"/{SUPERVISOR}", "active", self.condition, {}))

    def _on_clear(self, _: ClearFault.Request, response: ClearFault.Response) -> ClearFault.Response:
        response.fault = self.condition.name
        response.ok = not self.missing
        if self.missing:
            response.message = (
                f"not back yet: {', '.join(sorted(self.missing))}; wait until it is active, then clear again"
            )
        elif self.latched:
            self._reasons.clear()
            self.condition = Condition()
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
