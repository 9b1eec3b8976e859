"""The emergency stop as a topic: std_msgs/Bool, true is pressed. It never replaces the one in hardware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from std_msgs.msg import Bool

from world2act import topics


class EmergencyStop:
    """Whether the arm must stop now, from the messages on the e-stop topic (subscribe `latched`, hand them to `take`).

    heartbeat_s: 0: the last message counts, and none at all means released. Above 0: the sender must repeat `false` at
    least this often; silence, from the beginning on, is a stop, so that a torn cable is one.
    """

    def __init__(self, heartbeat_s: float = 0.0) -> None:
        if not heartbeat_s >= 0:
            raise ValueError(f"heartbeat_s must be 0 or more, got {heartbeat_s}")
        self._heartbeat_s = heartbeat_s
        self._pressed = False
        self._received_s: float | None = None

    def take(self, message: Bool, now_s: float) -> None:
        """A message received at `now_s` (steady clock)."""
        self._pressed, self._received_s = bool(message.data), now_s

    def reason(self, now_s: float) -> str:
        """Why the arm must stop, for a person; empty: it need not."""
        if self._pressed:
            return "the emergency stop is pressed: release it, then clear the fault"
        if self._heartbeat_s == 0.0:
            return ""
        if self._received_s is None:
            return "nothing has come from the emergency stop: is it switched on and connected?"
        age_s = now_s - self._received_s
        if age_s <= self._heartbeat_s:
            return ""
        return (
            f"nothing from the emergency stop for {age_s:.2f} s (at most {self._heartbeat_s:g} s): check its connection"
        )

    def pressed(self, now_s: float) -> bool:
        """Whether the arm must stop at `now_s`."""
        return bool(self.reason(now_s))


def listen_to_emergency_stop(node: Any, topic: str, callback: Callable[[Bool], None]) -> None:
    """Subscribe to an e-stop topic in every state of `node` (a ManagedNode), whatever its publisher's QoS.

    A subscription that wants the last value of before only matches publishers that keep it, so there are two: one for
    those, one that takes what comes from anybody. The same message may therefore come twice.
    """
    for quality in (topics.latched(), topics.stream(1)):
        node.listen(Bool, topic, callback, quality, always=True)
