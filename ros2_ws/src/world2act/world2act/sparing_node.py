"""Nodes that ask little of rclpy's executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.event_handler import EventHandler
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from rclpy.waitable import Waitable

from world2act.polled import PolledSubscriptions
from world2act.qos_events import look_for_qos_events

LOOK_FOR_EVENTS_S = 1.0


class Sparing(Node):
    """For nodes with fast streams: QoS events are looked for instead of waited for, and streams can be polled.

    In every turn rclpy's executor puts all that a node has into a new wait set, one by one and in Python; what that
    costs says `python -m tests.bench --only executor`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.polled = PolledSubscriptions()
        super().__init__(*arguments, **options)

    def poll(
        self, message_type: type, topic: str, callback: Callable[[Any, dict[str, Any]], None], qos: QoSProfile,
        **options: Any,
    ) -> Callable[[], None]:  # fmt: skip
        """Subscribe without being woken: `callback(message, info)` is called by `self.polled.take()`.

        For streams; see PolledSubscriptions. `options` are create_subscription's. Returns what ends it.
        """
        subscription = self.create_subscription(message_type, topic, _not_woken, qos, **options)
        self.polled.add(subscription, callback)

        def end() -> None:
            self.polled.remove(subscription)
            self.destroy_subscription(subscription)

        return end

    @property
    def subscriptions(self) -> Iterator[Subscription[Any]]:
        """What the executor waits for; polled ones are not among them."""
        return (each for each in super().subscriptions if each not in self.polled)

    @property
    def waitables(self) -> Iterator[Waitable[Any]]:
        """What the executor waits for besides messages, services and timers; QoS events are not among them."""
        return (each for each in super().waitables if not isinstance(each, EventHandler))

    def look_for_qos_events(self) -> None:
        """Warn of incompatible QoS and the like, and count lost messages, where something came since the last look."""
        look_for_qos_events(self, [each for each in super().waitables if isinstance(each, EventHandler)])


class SparingNode(Sparing):
    """A plain node of this kind, which looks for QoS events by itself."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.create_timer(LOOK_FOR_EVENTS_S, self.look_for_qos_events, clock=Clock(clock_type=ClockType.STEADY_TIME))


def _not_woken(_: Any) -> None:
    raise AssertionError("a polled subscription was put into a wait set")
