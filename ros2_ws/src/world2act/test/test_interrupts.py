"""Ctrl-C ends a session where it can be ended: not in the middle of what the middleware does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from world2act.supervision.interrupts import deferred, raise_on_signals, uninterrupted
from world2act.supervision.session import Session


@pytest.fixture(autouse=True)
def _as_in_the_command() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    raise_on_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_outside_it_is_raised_where_it_comes(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_a_session_handles_its_event_first() -> None:
    done: list[str] = []

    def event() -> None:
        done.append("began")
        signal.raise_signal(signal.SIGINT)
        done.append("ended")
        timer.cancel()

    with Session("interrupts") as session:
        timer = session.node.create_timer(0.001, event)
        session.own(lambda: session.node.destroy_timer(timer))
        with pytest.raises(KeyboardInterrupt):
            session.wait(lambda: False, 10.0)
        assert done == ["began", "ended"]
        assert not session.wait(lambda: False, 0.1), "it was told once"


def test_it_is_told_once_and_at_the_outermost_end() -> None:
    passed = []
    with pytest.raises(KeyboardInterrupt), deferred():
        with deferred():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
        passed.append("inner")
    assert passed == ["inner"]
    with deferred():
        pass


def test_an_error_in_between_does_not_swallow_it() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, deferred():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("something else")
    assert isinstance(caught.value.__context__, ValueError)


def test_another_thread_makes_nobody_wait() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def work() -> None:
        with deferred():
            inside.set()
            go_on.wait(10.0)

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait(10.0)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    go_on.set()
    thread.join()


def test_what_must_not_be_interrupted_is_not() -> None:
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
