"""Keeps a graph that is up alive: notices nodes that die or hang, has the arm hold, and starts them again."""

from __future__ import annotations

import time
from collections.abc import Callable
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
NOT_NEEDED_HANG_S = 30.0
"""How long one of those may be without a report. A recorder answers a request only when the disk has (10 s at most),
and finishes an episode and a saved minute when it is deactivated: to kill it then would lose what it saves. Nothing
moves because of it, so nothing is gained by less patience."""

Tell = Callable[[str, str], None]


class GraphWatch:
    """Call `tick` for as long as the graph is wanted.

    on_death "stop": the first loss raises GraphError. "restart": the arm holds with the latched fault NODE_LOST, the
    node is started again with back-off and brought to active; GraphError when that happens too often. A node that the
    arm can do without is started again, too, but nothing holds meanwhile, and when it is lost too often the graph goes
    on without it.
    tell(name, text): what people should see. hang_s: 0 judges no node by its silence. not_needed_hang_s: the same for
    nodes of NOT_NEEDED.
    """

    def __init__(
        self, supervisor: Supervisor, on_death: OnDeath = "restart", limits: RestartLimits | None = None,
        hang_s: float = HANG_S, tell: Tell = lambda name, text: None, not_needed_hang_s: float = NOT_NEEDED_HANG_S,
    ) -> None:  # fmt: skip
        self._supervisor = supervisor
        self._on_death = on_death
        self._limits = limits or RestartLimits()
        self._tell = tell
        names = tuple(node.name for node in supervisor.graph.nodes)
        self._back_off = {name: BackOff(self._limits) for name in names}
        self._lost: dict[str, str] = {}
        """Nodes that are gone and not back yet: name -> how."""
        self._given_up: set[str] = set()
        """Nodes of NOT_NEEDED that are not started again any more."""
        limits_s = {name: not_needed_hang_s if name in NOT_NEEDED else hang_s for name in names} if hang_s else {}
        self._reports = [PeerWatch([name], limit_s) for name, limit_s in limits_s.items()]
        node = supervisor.session.node
        node.create_subscription(NodeHealth, topics.NODE_HEALTH, self._on_health, topics.reliable())

    def _on_health(self, message: NodeHealth) -> None:
        self._seen(message.node.rsplit("/", 1)[-1])

    def _seen(self, name: str) -> None:
        for watch in self._reports:
            watch.seen(name)

    def tick(self) -> None:
        """Handle what has come in, then whoever is gone. Returns after TICK_S at most when all is well."""
        self._supervisor.session.spin(TICK_S)
        self._supervisor.node_lost.release()
        self._notice()
        for name in list(self._lost):
            if name not in self._given_up:
                self._restore(name)

    def _notice(self) -> None:
        """Find out who is gone; if the arm needs one of them it holds, also while another is being started again."""
        new = {name: how for name, how in self._gone().items() if name not in self._lost}
        if not new:
            return
        if self._on_death == "stop":
            raise GraphError(next(iter(new.values())))
        self._lost.update(new)
        fault = self._supervisor.node_lost
        needed = {name: how for name, how in new.items() if name not in NOT_NEEDED}
        for name in new.keys() - needed.keys():
            fault.do_without(name, _first_line(new[name]))
        if not needed:
            return
        fault.missing.update(needed)
        fault.latch("; ".join(_first_line(how) for how in needed.values()))
        if COMMANDING not in self._lost:
            problem = fault.hold()
            if problem:
                self._tell(COMMANDING, f"could not be told to hold: {problem}")

    def _gone(self) -> dict[str, str]:
        """Every node that is dead or hangs now: name -> how."""
        gone = {node.name: node.death_notice() for node in self._supervisor.ended()}
        for watch in self._reports:
            for name in watch.lost():
                gone.setdefault(name, f"{name} has not reported for {watch.age_s(name):.1f} s: it hangs")
        return gone

    def _restore(self, name: str) -> None:
        """Start the node again until it is active.

        Raises GraphError when its limit of restarts is reached, unless the arm can do without it.
        """
        how = self._lost[name]
        while True:
            wait_s = self._back_off[name].lost()
            if wait_s is None:
                self._give_up(name, how)
                return
            self._tell(name, f"{how}\nis started again in {wait_s:g} s")
            self._pause(wait_s)
            try:
                self._bring_back(name)
                break
            except GraphError as error:
                how = str(error)
        del self._lost[name]
        self._supervisor.node_lost.is_back(name)
        self._seen(name)

    def _give_up(self, name: str, how: str) -> None:
        text = f"gave up: {name} was lost more than {self._limits.restarts} times within {self._limits.window_s:g} s"
        if name not in NOT_NEEDED:
            raise GraphError(f"{text}. {how}")
        self._given_up.add(name)
        reason = f"{text}; start the graph again to have it back. {_first_line(how)}"
        self._supervisor.node_lost.do_without(name, reason)
        self._tell(name, f"{text}: the graph goes on without it. {how}")

    def _pause(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self._supervisor.session.spin(min(TICK_S, seconds))
            self._notice()

    def _bring_back(self, name: str) -> None:
        self._supervisor.restart(name, self._tell, self._notice)
        # A new commander knows nothing of what happened: it must not move before somebody says so.
        if name == COMMANDING:
            problem = self._supervisor.node_lost.hold()
            if problem:
                raise GraphError(f"{name} is back but does not hold: {problem}")


def _first_line(text: str) -> str:
    return text.splitlines()[0].split("; its log")[0]
