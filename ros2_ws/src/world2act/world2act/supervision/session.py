"""A ROS context of our own with one node and nothing global: what the command line talks to a graph with."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from world2act.errors import GraphError
from world2act.graph import graph_environment
from world2act.security.enclave import OPERATOR, enclave_arguments
from world2act.security.joining import joining
from world2act.sparing_node import SparingNode
from world2act.supervision.interrupts import deferred


def prepare_environment(domain: int | None) -> None:
    """Give this process the graph's environment; must happen before the first Session of the process."""
    os.environ.update(graph_environment(domain))


class Session:
    """`with Session("world2act_do") as session:` - a node, its executor, and waiting with a time limit.

    namespace: where its relative topic and service names lie, as in "/left_arm"; "": none. role: whose enclave it joins
    when security is on and ROS_SECURITY_ENCLAVE_OVERRIDE names no other.
    Raises ConfigurationError when security is on and this process has no keys.
    """

    def __init__(self, name: str, namespace: str = "", role: str = OPERATOR) -> None:
        self.context = Context()
        # Our Ctrl-C handling must stay Python's, so that a supervisor can end its processes.
        with joining():
            arguments = enclave_arguments(role)
            rclpy.init(context=self.context, args=arguments, signal_handler_options=SignalHandlerOptions.NO)
            self.node: Any = SparingNode(
                f"{name}_{os.getpid()}", context=self.context, namespace=namespace or None, use_global_arguments=False
            )
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self._owned: list[Callable[[], object]] = []

    @property
    def domain(self) -> int:
        """The ROS domain that it has joined."""
        return int(self.context.get_domain_id())

    def own(self, destroy: Callable[[], object]) -> None:
        """Call `destroy` before the node ends; needed for action clients, which nodes do not destroy by themselves.

        One that is left keeps DDS alive until the process ends, and then its shared memory stays behind.
        """
        self._owned.append(destroy)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the node and its context."""
        while self._owned:
            self._owned.pop()()
        self.executor.remove_node(self.node)
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)

    def spin(self, seconds: float = 0.1) -> None:
        """Handle at most one event, waiting up to `seconds` for it. A Ctrl-C counts when it has been handled."""
        with deferred():
            self.executor.spin_once(timeout_sec=seconds)

    def wait(self, condition: Callable[[], bool], timeout_s: float, step_s: float = 0.05) -> bool:
        """Spin until `condition()` holds; False when it does not within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.spin(step_s)
        return True

    def call(self, client: Any, request: Any, timeout_s: float, alive: Callable[[], None] = lambda: None) -> Any:
        """Call a service; `alive` is asked now and then and may raise. Raises GraphError when nothing answers."""
        future = client.call_async(request)

        def done() -> bool:
            alive()
            return bool(future.done())

        if not self.wait(done, timeout_s):
            raise GraphError(f"no answer from {client.srv_name} within {timeout_s:g} s; see the log of its node")
        return future.result()


def graph_nodes(session: Session, names: frozenset[str], seconds: float = 1.0) -> list[str]:
    """Full names of nodes called like ours on this domain; waits up to `seconds` for the first to appear."""
    found: list[str] = []

    def seen() -> bool:
        pairs = session.node.get_node_names_and_namespaces()
        found[:] = sorted({f"{space.rstrip('/')}/{name}" for name, space in pairs if name in names})
        return bool(found)

    session.wait(seen, seconds)
    return found
