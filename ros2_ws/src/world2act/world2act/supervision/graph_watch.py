"""Keeps a graph that is up alive: notices nodes that die or hang, has the arm hold, and starts them again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from world2act import topics
from world2act.errors import GraphError
from world2act.peer_watch import PeerWatch
from world2act.supervision.back_off import BackOff, RestartLimits
from world2act.supervision.safe_stop import COMMANDING
from world2act.supervision.supervisor import Supervisor
from world2act_interfaces.msg import NodeHealth

OnDeath = Literal["restart", "stop"]
HANG_S = 5.0
"""A node without a report for so long hangs. Long, because a reset of the simulated world, or a busy machine, takes its
time; the arm does not wait for it: arm_commander watches the heartbeats."""
TICK_S = 0.05
NOT_NEEDED = ("recorder",)
"""Nodes the arm can do without: started again, but nothing holds."""

Tell = Callable[[str, str], None]


@dataclass(frozen=True)
class Loss:
    """A node that is gone: its name, and how."""

    name: str
    how: str


class GraphWatch:
    """Call `tick` for as long as the graph is wanted.

    on_death "stop": the first loss raises GraphError. "restart": the arm holds with the latched fault NODE_LOST, the
    node is started again with back-off and brought to active; GraphError when that happens too often.
    tell(name, text): what people should see. hang_s: 0 judges no node by its silence.
    """

    def __init__(
        self, supervisor: Supervisor, on_death: OnDeath = "restart", limits: RestartLimits | None = None,
        hang_s: float = HANG_S, tell: Tell = lambda name, text: None,
    ) -> None:  # fmt: skip
        self._supervisor = supervisor
        self._on_death = on_death
        self._limits = limits or RestartLimits()
        self._tell = tell
        self._names = tuple(node.name for node in supervisor.graph.nodes)
        self._back_off = {name: BackOff(self._limits) for name in self._names}
        needed = [name for name in self._names if name not in NOT_NEEDED]
        self._reports = PeerWatch(needed, hang_s) if hang_s else None
        if self._reports is not None:
            node = supervisor.session.node
            node.create_subscription(NodeHealth, topics.NODE_HEALTH, self._on_health, topics.reliable())

    def _on_health(self, message: NodeHealth) -> None:
        if self._reports is not None:
            self._reports.seen(message.node.rsplit("/", 1)[-1])

    def tick(self) -> None:
        """Handle what has come in, then whoever is gone. Returns after TICK_S at most when all is well."""
        self._supervisor.session.spin(TICK_S)
        self._supervisor.node_lost.release()
        losses = self._losses()
        if not losses:
            return
        if self._on_death == "stop":
            raise GraphError(losses[0].how)
        needed = [loss for loss in losses if loss.name not in NOT_NEEDED]
        if needed:
            self._hold(needed)
        for loss in losses:
            self._restore(loss)
        if self._reports is not None:
            self._reports.restart()

    def _losses(self) -> list[Loss]:
        losses = [Loss(node.name, node.death_notice()) for node in self._supervisor.ended()]
        dead = {loss.name for loss in losses}
        silent = self._reports.lost() if self._reports is not None else ()
        for name in silent:
            if name not in dead and self._reports is not None:
                losses.append(Loss(name, f"{name} has not reported for {self._reports.age_s(name):.1f} s: it hangs"))
        return losses

    def _hold(self, losses: list[Loss]) -> None:
        fault = self._supervisor.node_lost
        fault.latch("; ".join(_first_line(loss.how) for loss in losses))
        if all(loss.name != COMMANDING for loss in losses):
            problem = fault.hold()
            if problem:
                self._tell(COMMANDING, f"could not be told to hold: {problem}")

    def _restore(self, loss: Loss) -> None:
        """Start the node again until it is active. Raises GraphError when its limit of restarts is reached."""
        fault, how = self._supervisor.node_lost, loss.how
        fault.repairing = loss.name
        while True:
            wait_s = self._back_off[loss.name].lost()
            if wait_s is None:
                raise GraphError(
                    f"gave up: {loss.name} was lost more than {self._limits.restarts} times within "
                    f"{self._limits.window_s:g} s. {how}"
                )
            self._tell(loss.name, f"{how}\nis started again in {wait_s:g} s")
            self._supervisor.session.wait(lambda: False, wait_s)
            try:
                self._bring_back(loss.name)
                break
            except GraphError as error:
                how = str(error)
        fault.repairing = ""

    def _bring_back(self, name: str) -> None:
        self._supervisor.restart(name, self._tell)
        # A new commander knows nothing of what happened: it must not move before somebody says so.
        if name == COMMANDING:
            problem = self._supervisor.node_lost.hold()
            if problem:
                raise GraphError(f"{name} is back but does not hold: {problem}")


def _first_line(text: str) -> str:
    return text.splitlines()[0].split("; its log")[0]
