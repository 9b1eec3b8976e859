"""The priority of the thread that commands: taken where it is allowed, and a reason where it is not."""

from __future__ import annotations

import os
import threading

import pytest

from world2act import realtime


def in_a_thread(priority: int) -> tuple[str, int]:
    """What `take_priority` says, and the scheduling policy that its thread then has."""
    found: list[tuple[str, int]] = []

    def work() -> None:
        text = realtime.take_priority(priority)
        found.append((text, os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found[0]


def test_it_is_taken_or_it_is_said_why_not() -> None:
    text, policy = in_a_thread(1)
    assert (policy == os.SCHED_FIFO) == (text == "")
    assert text == "" or "no real-time priority 1" in text
    assert os.sched_getscheduler(0) == os.SCHED_OTHER, "this thread has not asked"


def test_a_refusal_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    text = realtime.take_priority(50)
    assert "Operation not permitted" in text and "rtprio" in text and "realtime_priority" in text


def test_a_system_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setscheduler")
    assert "no SCHED_FIFO" in realtime.take_priority(50)
