"""Who wants the arm to hold: an operator, the supervisor, or both; nobody ends another one's hold."""

from __future__ import annotations

from world2act.health import NODE_LOST

UNNAMED = "hold was asked for"


class AskedHolds:
    """Reasons from `set_hold`. The supervisor's begin with "NODE_LOST"; every other one is an operator's."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def set(self, hold: bool, reason: str) -> None:
        """A request: hold for a reason, or no more for one of the same beginning."""
        requester = NODE_LOST if reason.partition(":")[0] == NODE_LOST else ""
        if hold:
            self._reasons[requester] = reason or UNNAMED
        else:
            self._reasons.pop(requester, None)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What is asked for now; empty: nothing."""
        return tuple(self._reasons.values())
