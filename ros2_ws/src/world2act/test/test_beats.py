"""Callbacks at fixed intervals: what is due first, one at a time, only in turn, and a bug in one is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from rclpy.node import Node
from std_msgs.msg import Header

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.beats import Beat, Beats

PATIENCE_S = 20.0


def until(condition: Callable[[], bool]) -> bool:
    """Whether it came true in time."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < end_s:
        time.sleep(0.002)
    return condition()


class Running:
    """Beats, the turn that they wait for, and what became of them."""

    def __init__(self) -> None:
        self.turn = threading.RLock()
        self.begun_in: list[str] = []
        self.failures = 0
        self.beats = Beats(self.turn, lambda: self.begun_in.append(threading.current_thread().name), self._fail)

    def _fail(self) -> None:
        self.failures += 1


@pytest.fixture
def running() -> Iterator[Running]:
    found = Running()
    yield found
    found.beats.end()


def test_what_was_missed_is_left_out_and_the_grid_is_kept() -> None:
    beat = Beat(0.1, lambda: None, due_s=1.0)
    beat.advance(1.0)
    assert beat.due_s == pytest.approx(1.1)
    beat.advance(1.46)
    assert beat.due_s == pytest.approx(1.5)


def test_each_comes_at_its_interval_in_the_one_thread(running: Running) -> None:
    calls: list[tuple[str, str]] = []
    running.beats.every(0.002, lambda: calls.append(("fast", threading.current_thread().name)))
    running.beats.every(0.02, lambda: calls.append(("slow", threading.current_thread().name)))
    assert until(lambda: len([name for name, _ in calls if name == "slow"]) >= 3)
    assert len([name for name, _ in calls if name == "fast"]) > 3
    assert {thread for _, thread in calls} == {"beats"} and running.begun_in == ["beats"]


def test_nothing_is_called_while_another_has_the_turn(running: Running) -> None:
    calls: list[float] = []
    with running.turn:
        beat = running.beats.every(0.001, lambda: calls.append(time.monotonic()))
        time.sleep(0.05)
        assert not calls
    assert until(lambda: bool(calls))
    with running.turn:
        running.beats.remove(beat)  # it may be waiting for this very turn
        count = len(calls)
    time.sleep(0.05)
    assert len(calls) == count


def test_a_bug_in_a_callback_is_told_once_and_ends_them(running: Running) -> None:
    calls: list[int] = []

    def break_down() -> None:
        calls.append(1)
        raise RuntimeError("a bug")

    running.beats.every(0.001, break_down)
    assert until(lambda: running.failures == 1)
    time.sleep(0.02)
    assert (len(calls), running.failures) == (1, 1)


@pytest.mark.parametrize("period_s", [0.0, -1.0, float("nan")])
def test_an_interval_that_is_none_is_refused(running: Running, period_s: float) -> None:
    with pytest.raises(ValueError, match="give one above 0"):
        running.beats.every(period_s, lambda: None)


class Beating(ManagedNode):
    """Notes in which thread it is called back."""

    def setup(self) -> None:
        self.threads: set[str] = set()
        self.every(0.005, lambda: self.threads.add(threading.current_thread().name))


def test_a_node_with_a_process_of_its_own_beats_beside_the_executor_and_a_stuck_one_is_silent(ros) -> None:
    node = ros.add(Beating("beating", context=ros.context))
    heard: list[str] = []
    listener = ros.add(Node("listener", context=ros.context))
    listener.create_subscription(Header, topics.HEARTBEAT, lambda m: heard.append(m.frame_id), topics.heartbeat())
    node.own_process()
    with node.turn:
        node.trigger_configure()
        node.trigger_activate()
    assert ros.until(lambda: len(heard) > 3) and node.threads == {"beats"}
    with node.turn:  # as in a callback that does not return
        ros.spin(0.2)
        heard.clear()
        ros.spin(0.3)
        assert not heard
    assert ros.until(lambda: bool(heard))
    with node.turn:
        node.trigger_shutdown()
    node.leave_process()
    node.threads.clear()
    ros.spin(0.05)
    assert not node.threads
