"""The emergency stop as a topic: std_msgs/Bool, true is pressed. It never replaces the one in hardware."""

from __future__ import annotations

from std_msgs.msg import Bool


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
