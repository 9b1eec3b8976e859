"""What the middleware has to say about a node's topics, asked for now and then instead of waited for."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from rclpy.event_handler import EventHandler
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node


def look_for_qos_events(node: Node, events: list[EventHandler[Any]]) -> None:
    """Call back for each of `events` (incompatible QoS or type, messages lost) that has come since the last look.

    rclpy would wait for two of them per publisher and per subscription. None of them is urgent.
    """
    if not events or not node.context.ok():
        return
    with ExitStack() as in_use:
        for event in events:
            in_use.enter_context(event)
        in_use.enter_context(node.context.handle)
        wait_set = _rclpy.WaitSet(0, 0, 0, 0, 0, len(events), node.context.handle)
        wait_set.clear_entities()
        for event in events:
            event.add_to_wait_set(wait_set)
        wait_set.wait(0)
        ready = [event for event in events if event.is_ready(wait_set)]
        told = [(event, event.take_data()) for event in ready]
    for event, data in told:
        if data:
            event.callback(data)
