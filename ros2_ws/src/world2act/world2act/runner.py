"""Runs one node as a process: spin, and on SIGINT or SIGTERM hold the arm before going."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import FrameType

import rclpy
from rclpy.executors import ShutdownException, SingleThreadedExecutor, TimeoutException
from rclpy.signals import SignalHandlerOptions

from world2act.base_node import ManagedNode
from world2act.errors import ConfigurationError
from world2act.security.joining import joining
from world2act.user_port import own_port

EXIT_OK = 0
EXIT_BUG = 1
EXIT_BAD_CONFIGURATION = 2
LOOK_FOR_STOP_S = 0.1
LAST_RESORT_S = 10
"""A node that has not ended this long after it was asked to is ended by the kernel. A supervisor waits for less, but
one that was killed waits for nobody, and a node was seen to hang while its neighbours disappeared."""


class _StopRequest:
    """Set by the first SIGINT or SIGTERM. rclpy's own handlers would close DDS before the arm was told to hold."""

    def __init__(self) -> None:
        self.requested = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._request)

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        if not self.requested and hasattr(signal, "alarm"):
            signal.alarm(LAST_RESORT_S)  # no handler: works wherever the process hangs
        self.requested = True


def run_node(make_node: Callable[[], ManagedNode], arguments: Sequence[str] | None = None) -> int:
    """Spin the node until a signal; returns the process's exit status."""
    stop = _StopRequest()
    # A node's own thread (inference) and the executor take turns: at Python's default of 5 ms a picture would wait.
    sys.setswitchinterval(0.001)
    given = None if arguments is None else list(arguments)
    try:
        with joining(), own_port():
            rclpy.init(args=given, signal_handler_options=SignalHandlerOptions.NO)
            node = make_node()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        rclpy.try_shutdown()
        return EXIT_BAD_CONFIGURATION
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        node.own_process()
        while not stop.requested and not node.failed and rclpy.ok():
            spin_in_turn(executor, node.turn)
    except Exception:
        node.fail()
    finally:
        _end(node, executor)
    return EXIT_BUG if node.failed else EXIT_OK


def spin_in_turn(executor: SingleThreadedExecutor, turn: AbstractContextManager[object]) -> None:
    """Wait for a callback for a moment, and call it back while having the `turn`; raises what it raises.

    As spin_once does, which has no place to wait for a turn in; EventsExecutor, which does less in Python, does not
    call callbacks in every rclpy.
    """
    try:
        handler, _, _ = executor.wait_for_ready_callbacks(timeout_sec=LOOK_FOR_STOP_S)
    except (TimeoutException, ShutdownException):
        return
    with turn:
        handler()
    handler.result()


def _end(node: ManagedNode, executor: SingleThreadedExecutor) -> None:
    try:
        with node.turn:
            node.trigger_shutdown()
    except Exception:
        node.get_logger().error(f"the shutdown transition failed:\n{traceback.format_exc()}")
    node.leave_process()
    executor.remove_node(node)
    executor.shutdown()
    node.destroy_node()
    rclpy.try_shutdown()
