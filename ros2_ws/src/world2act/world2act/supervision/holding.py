"""Asking arm_commander to hold, from outside."""

from __future__ import annotations

from world2act import topics
from world2act.errors import GraphError
from world2act.health import NODE_LOST
from world2act.supervision.session import Session
from world2act_interfaces.srv import SetHold

PATIENCE_S = 1.0
ATTEMPTS = 3
"""A request can be lost while DDS still connects to a commander that is new; asking twice does no harm."""


class ArmHold:
    """A client of arm_commander's `set_hold`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._client = session.node.create_client(SetHold, topics.SET_HOLD)

    def set(self, reason: str) -> str:
        """Make the arm hold; returns "" or what went wrong. Never raises: whoever asks has worse to deal with."""
        return self._ask(SetHold.Request(hold=True, reason=f"{NODE_LOST}: {reason}"))

    def release(self) -> str:
        """The supervisor's reason to hold is over, an operator's may go on; returns "" or what went wrong."""
        return self._ask(SetHold.Request(hold=False, reason=NODE_LOST))

    def _ask(self, request: SetHold.Request) -> str:
        if not self._client.service_is_ready():
            return "arm_commander's set_hold is not there"
        problem = ""
        for _ in range(ATTEMPTS):
            try:
                answer = self._session.call(self._client, request, PATIENCE_S)
            except GraphError as error:
                problem = str(error)
                continue
            return "" if answer.ok else str(answer.message)
        return problem
