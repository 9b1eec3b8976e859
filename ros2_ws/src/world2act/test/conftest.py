"""A ROS context on a domain of its own for every test that needs one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from world2act.graph import graph_environment

os.environ.update(graph_environment())
_NUMBERS = count(os.getpid() % 50)


class Ros:
    """Context, executor, and waiting."""

    def __init__(self, domain: int) -> None:
        self.context = Context()
        rclpy.init(context=self.context, args=[], domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.nodes: list = []

    def add(self, node):
        """Spin `node` too."""
        self.executor.add_node(node)
        self.nodes.append(node)
        return node

    def until(self, condition, seconds: float = 15.0) -> bool:
        """Spin until `condition()`; False after `seconds`."""
        import time

        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.executor.spin_once(timeout_sec=0.02)
        return True

    def spin(self, seconds: float) -> None:
        """Spin for a while."""
        self.until(lambda: False, seconds)

    def close(self) -> None:
        """End everything."""
        for node in self.nodes:
            self.executor.remove_node(node)
            node.destroy_node()
        self.executor.shutdown()
        rclpy.try_shutdown(context=self.context)


@pytest.fixture
def ros() -> Iterator[Ros]:
    """A fresh ROS context; domains 50 to 99 so that a graph somebody runs is not disturbed."""
    session = Ros(50 + next(_NUMBERS) % 50)
    yield session
    session.close()
