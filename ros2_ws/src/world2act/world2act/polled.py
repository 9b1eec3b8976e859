"""Subscriptions that a node looks into when it wants to, instead of being woken by every message."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from rclpy.subscription import Subscription


class PolledSubscriptions(Container[Subscription]):
    """Streams at 100 Hz and more, read in one go when a node's own beat comes: the middleware keeps them until then.

    A turn of rclpy's executor costs a multiple of what most callbacks do. A node with a beat of its own (a control
    period, a picture, a file to write) has no need of being woken in between; users of rclcpp take() for that reason.
    Give such a subscription a queue for the longest time between two looks: what does not fit is lost, oldest first.
    """

    def __init__(self) -> None:
        self._callbacks: dict[Subscription[Any], Callable[[Any, dict[str, Any]], None]] = {}

    def add(self, subscription: Subscription[Any], callback: Callable[[Any, dict[str, Any]], None]) -> None:
        """Hand what is taken from `subscription`, and the middleware's information on it, to `callback`."""
        self._callbacks[subscription] = callback

    def remove(self, subscription: Subscription[Any]) -> None:
        """Look into it no more; KeyError when it was never added."""
        del self._callbacks[subscription]

    def __contains__(self, subscription: object) -> bool:
        return subscription in self._callbacks

    def take(self) -> None:
        """Call back for all that waits, topic by topic in the order in which they were added."""
        for subscription, callback in self._callbacks.items():
            for message, info in _waiting(subscription):
                callback(message, info)

    def take_in_order(self) -> None:
        """The same in the order in which the middleware received them, whatever their topics."""
        found = [
            (info.get("received_timestamp") or 0, callback, message, info)
            for subscription, callback in self._callbacks.items()
            for message, info in _waiting(subscription)
        ]
        for _, callback, message, info in sorted(found, key=lambda entry: entry[0]):
            callback(message, info)

    def discard(self) -> None:
        """Throw away all that waits: it is from a time in which nobody listened."""
        for subscription in self._callbacks:
            _waiting(subscription)


def _waiting(subscription: Subscription[Any]) -> list[tuple[Any, dict[str, Any]]]:
    """What waits now; no more than its queue holds, so that a flood cannot keep the node here."""
    found: list[tuple[Any, dict[str, Any]]] = []
    with subscription.handle:
        while len(found) < max(1, subscription.qos_profile.depth):
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
            if taken is None:
                break
            found.append(taken)
    return found
