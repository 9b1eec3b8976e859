"""Ordered bring-up: every node is configured, first to last, and only then activated, first to last."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from world2act import topics
from world2act.errors import ConfigurationError, GraphError
from world2act.health import FAULT
from world2act.supervision.session import Session
from world2act_interfaces.msg import NodeHealth

APPEAR_S = 60.0
"""How long a node may take to start: Python and its libraries load slowly on a busy machine."""
TRANSITION_S = 120.0
"""How long one transition may take: building a world or a TensorRT engine is slow."""
UNHEARD_S = 1.0
"""A node that reports its old state, sent this long after it was asked for a transition, did not get the request."""
STATE_AFTER = {
    Transition.TRANSITION_CONFIGURE: "inactive",
    Transition.TRANSITION_ACTIVATE: "active",
    Transition.TRANSITION_DEACTIVATE: "inactive",
}

Progress = Callable[[str, str], None]
Alive = Callable[[], None]


class BringUp:
    """Takes nodes through their lifecycle by their own services, and tells why one refuses.

    process_id: gives the pid of a node, if known. Then nothing that an earlier process of the same name has said, or
    has left in DDS (a killed one's services stay visible for many seconds), is taken for the new one's.
    """

    def __init__(
        self, session: Session, names: Sequence[str], process_id: Callable[[str], int | None] = lambda name: None
    ) -> None:
        self._session = session
        self.names = tuple(names)
        self._process_id = process_id
        self.health: dict[str, NodeHealth] = {}
        self._clients: dict[str, Any] = {
            name: session.node.create_client(ChangeState, f"{name}/change_state") for name in names
        }
        session.node.create_subscription(NodeHealth, topics.NODE_HEALTH, self._on_health, topics.reliable())

    def _on_health(self, message: NodeHealth) -> None:
        self.health[message.node.rsplit("/", 1)[-1]] = message

    def run(self, progress: Progress = lambda name, state: None, alive: Alive = lambda: None) -> None:
        """Configure all, then activate all. `alive` may raise when a process has died. Raises GraphError."""
        for name in self.names:
            self._configure(name, progress, alive)
        for name in self.names:
            self._activate(name, progress, alive)

    def bring_back(self, name: str, progress: Progress, alive: Alive) -> None:
        """Take one node that was started again to active. Raises GraphError when it refuses."""
        self.health.pop(name, None)
        self._configure(name, progress, alive)
        self._activate(name, progress, alive)

    def deactivate(self, name: str, timeout_s: float) -> None:
        """Deactivate one node; GraphError when it refuses or does not answer within `timeout_s`."""
        request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
        if not self._session.call(self._clients[name], request, timeout_s).success:
            raise GraphError(f"{name} refused to be deactivated; its log says why")

    def _configure(self, name: str, progress: Progress, alive: Alive) -> None:
        progress(name, "starting")
        if not self._session.wait(self._ready(name, alive), APPEAR_S):
            raise GraphError(f"{name} did not start within {APPEAR_S:g} s; see its log")
        progress(name, "configuring")
        self._change(name, Transition.TRANSITION_CONFIGURE, alive)
        progress(name, "inactive")

    def _activate(self, name: str, progress: Progress, alive: Alive) -> None:
        self._change(name, Transition.TRANSITION_ACTIVATE, alive)
        progress(name, "active")

    def _ready(self, name: str, alive: Alive) -> Callable[[], bool]:
        def ready() -> bool:
            alive()
            pid = self._process_id(name)
            spoke = pid is None or (name in self.health and self.health[name].pid == pid)
            return spoke and bool(self._clients[name].service_is_ready())

        return ready

    def _change(self, name: str, transition: int, alive: Alive) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        deadline_s = time.monotonic() + TRANSITION_S
        while True:
            future, asked_s = self._clients[name].call_async(request), time.time()

            def settled(future: Any = future, asked_s: float = asked_s) -> bool:
                alive()
                return bool(future.done()) or self._unheard(name, transition, asked_s)

            if not self._session.wait(settled, max(0.0, deadline_s - time.monotonic())):
                raise GraphError(f"no answer from {name} within {TRANSITION_S:g} s; see its log")
            if future.done():
                break
        if future.result().success or self._state(name) == STATE_AFTER[transition]:
            return
        # The reason comes on node_health, a moment before or after the answer.
        self._session.wait(lambda: self._fault(name) != "", 2.0)
        raise GraphError(f"{name} refused to start. {self._fault(name) or 'Its log says why.'}")

    def _unheard(self, name: str, transition: int, asked_s: float) -> bool:
        """A request can be lost while DDS still connects to a process that is new."""
        health = self.health.get(name)
        if health is None or health.state == STATE_AFTER[transition] or health.level == FAULT:
            return False
        return bool(health.header.stamp.sec + 1e-9 * health.header.stamp.nanosec > asked_s + UNHEARD_S)

    def _state(self, name: str) -> str:
        return self.health[name].state if name in self.health else ""

    def _fault(self, name: str) -> str:
        health = self.health.get(name)
        return health.message if health is not None and health.level == FAULT else ""


def main() -> int:
    """`python -m world2act.supervision.bring_up <node>...`: what the launch files run after starting the nodes."""
    try:
        with Session("world2act_bring_up") as session:
            BringUp(session, sys.argv[1:]).run(progress=lambda name, state: print(f"{name}: {state}", flush=True))
    except (ConfigurationError, GraphError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
