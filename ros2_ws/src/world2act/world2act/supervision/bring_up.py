"""Ordered bring-up: every node is configured, first to last, and only then activated, first to last."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from world2act import topics
from world2act.errors import GraphError
from world2act.health import FAULT
from world2act.supervision.session import Session
from world2act_interfaces.msg import NodeHealth

APPEAR_S = 60.0
"""How long a node may take to start: Python and its libraries load slowly on a busy machine."""
TRANSITION_S = 120.0
"""How long one transition may take: building a world or a TensorRT engine is slow."""

Progress = Callable[[str, str], None]


class BringUp:
    """Takes nodes through their lifecycle by their own services, and tells why one refuses."""

    def __init__(self, session: Session, names: Sequence[str]) -> None:
        self._session = session
        self.names = tuple(names)
        self.health: dict[str, NodeHealth] = {}
        self._clients: dict[str, Any] = {
            name: session.node.create_client(ChangeState, f"{name}/change_state") for name in names
        }
        session.node.create_subscription(NodeHealth, topics.NODE_HEALTH, self._on_health, topics.reliable())

    def _on_health(self, message: NodeHealth) -> None:
        self.health[message.node.rsplit("/", 1)[-1]] = message

    def run(self, progress: Progress = lambda name, state: None, alive: Callable[[], None] = lambda: None) -> None:
        """Configure all, then activate all. `alive` may raise when a process has died. Raises GraphError."""
        for name in self.names:
            progress(name, "starting")
            if not self._session.wait(self._ready(name, alive), APPEAR_S):
                raise GraphError(f"{name} did not start within {APPEAR_S:g} s; see its log")
            progress(name, "configuring")
            self._change(name, Transition.TRANSITION_CONFIGURE, alive)
            progress(name, "inactive")
        for name in self.names:
            self._change(name, Transition.TRANSITION_ACTIVATE, alive)
            progress(name, "active")

    def _ready(self, name: str, alive: Callable[[], None]) -> Callable[[], bool]:
        def ready() -> bool:
            alive()
            return bool(self._clients[name].service_is_ready())

        return ready

    def _change(self, name: str, transition: int, alive: Callable[[], None]) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        if self._session.call(self._clients[name], request, TRANSITION_S, alive).success:
            return
        # The reason comes on node_health, a moment before or after the answer.
        self._session.wait(lambda: self._fault(name) != "", 2.0)
        raise GraphError(f"{name} refused to start. {self._fault(name) or 'Its log says why.'}")

    def _fault(self, name: str) -> str:
        health = self.health.get(name)
        return health.message if health is not None and health.level == FAULT else ""


def main() -> int:
    """`python -m world2act.supervision.bring_up <node>...`: what the launch files run after starting the nodes."""
    with Session("world2act_bring_up") as session:
        try:
            BringUp(session, sys.argv[1:]).run(progress=lambda name, state: print(f"{name}: {state}", flush=True))
        except GraphError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
