"""Section "executor": what a node with fast streams costs, as our nodes are and as one writes a node for rclpy."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Header

from tests.bench.results import Check, Section
from tests.bench.settings import Settings
from tests.bench.timing import compare, interleave
from world2act import topics
from world2act.beats import Beats
from world2act.runner import spin_in_turn
from world2act.sparing_node import Sparing

STREAMS = {"joints": 125.0, "beats": 140.0, "poses": 100.0}
"""Messages per second, as arm_commander has them."""
QUIET_TOPICS = 8
BEAT_S = 0.01
DEPTH = 50
HEARD_SHARE = 0.9


class _Sender:
    """Publishes the streams from a thread of its own, whose processor time nobody counts."""

    def __init__(self, context: Context) -> None:
        self.node = rclpy.create_node("sender", context=context)
        self._publishers = {name: self.node.create_publisher(Header, name, topics.stream(DEPTH)) for name in STREAMS}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        began_s, sent = time.monotonic(), dict.fromkeys(STREAMS, 0)
        while not self._ending.wait(0.002):
            for name, rate in STREAMS.items():
                while sent[name] < (time.monotonic() - began_s) * rate:
                    self._publishers[name].publish(Header())
                    sent[name] += 1

    def end(self) -> None:
        self._ending.set()
        self._thread.join()
        self.node.destroy_node()


class _Woken(LifecycleNode):
    """A node as one writes it: every message calls back."""

    def __init__(self, name: str, context: Context) -> None:
        super().__init__(name, context=context)
        self.heard = 0
        for topic in STREAMS:
            self.hear(topic)
        for number in range(QUIET_TOPICS):
            self.create_subscription(Header, f"quiet_{number}", self.on_message, topics.reliable())
            self.create_publisher(Header, f"said_{number}", topics.reliable())
        self.begin_beat()

    def begin_beat(self) -> None:
        self.create_timer(BEAT_S, self.beat, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def hear(self, topic: str) -> None:
        self.create_subscription(Header, topic, self.on_message, topics.stream(DEPTH))

    def on_message(self, _: Any) -> None:
        self.heard += 1

    def beat(self) -> None:
        """A control period with nothing to do."""


class _Ours(Sparing, _Woken):
    """The same node, which looks for its streams at its beat, and beats in a thread beside the executor's."""

    def begin_beat(self) -> None:
        """Nothing is due in the executor."""

    def hear(self, topic: str) -> None:
        self.poll(Header, topic, lambda message, _: self.on_message(message), topics.stream(DEPTH))

    def beat(self) -> None:
        self.polled.take()


def _spin_woken(node: _Woken, executor: SingleThreadedExecutor, seconds: float) -> float:
    """Let the node work for `seconds`, or a little longer; how much of that its thread had the processor."""
    busy_s, began_s = time.thread_time(), time.monotonic()
    while time.monotonic() < began_s + seconds:
        executor.spin_once(timeout_sec=0.01)
    return (time.thread_time() - busy_s) / (time.monotonic() - began_s)


def _spin_ours(node: _Woken, executor: SingleThreadedExecutor, seconds: float) -> float:
    """The same, of both threads."""
    busy_s, began_s = time.thread_time(), time.monotonic()
    turn, threads = threading.RLock(), list[int]()
    beats = Beats(turn, lambda: threads.append(threading.get_ident()), traceback.print_exc)
    beats.every(BEAT_S, node.beat)
    while time.monotonic() < began_s + seconds:
        spin_in_turn(executor, turn)
    beside_s = time.clock_gettime(time.pthread_getcpuclockid(threads[0]))
    share = (time.thread_time() - busy_s + beside_s) / (time.monotonic() - began_s)
    beats.end()
    return share


def run(settings: Settings) -> Section:
    """Measure."""
    section = Section("executor")
    context = Context()
    domain = 60 + os.getpid() % 40 if settings.domain is None else settings.domain
    rclpy.init(context=context, args=[], domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
    sender = _Sender(context)
    nodes: dict[str, _Woken] = {"ours": _Ours("ours", context), "theirs": _Woken("woken", context)}
    spins = {"ours": _spin_ours, "theirs": _spin_woken}
    executors = {name: SingleThreadedExecutor(context=context) for name in nodes}
    for name, node in nodes.items():
        executors[name].add_node(node)
    heard: dict[str, list[float]] = {name: [] for name in nodes}

    def spin(name: str) -> Callable[[], list[float]]:
        seconds = settings.pick(1.0, 0.3)

        def once() -> list[float]:
            spins[name](nodes[name], executors[name], 0.2)  # what waited while the other one worked
            before, began_s = nodes[name].heard, time.monotonic()
            share = spins[name](nodes[name], executors[name], seconds)
            heard[name].append((nodes[name].heard - before) / (time.monotonic() - began_s))
            return [share]

        return once

    try:
        spins["ours"](nodes["ours"], executors["ours"], 1.0)
        found = interleave({name: spin(name) for name in nodes}, settings.pick(15, 3))
    finally:
        for name, node in nodes.items():
            executors[name].remove_node(node)
            executors[name].shutdown()
            node.destroy_node()
        sender.end()
        rclpy.try_shutdown(context=context)
    section.rows.append(
        compare(
            "processor time per second of a node with fast streams",
            "the same node, every subscription and its timer called back by rclpy's SingleThreadedExecutor",
            found["ours"],
            found["theirs"],
            unit="ms",
            rate=False,
        )
    )
    least = HEARD_SHARE * sum(STREAMS.values())
    slowest = min(sum(rates) / len(rates) for rates in heard.values())
    section.checks.append(Check("both hear the streams", slowest, "messages/s", f">= {least:g}", slowest >= least))
    section.notes.append(
        f"{', '.join(f'{name} {rate:g}/s' for name, rate in STREAMS.items())}, {QUIET_TOPICS} quiet topics each way, "
        f"a lifecycle node's services, a beat of {1.0 / BEAT_S:g}/s; callbacks do nothing"
    )
    return section
