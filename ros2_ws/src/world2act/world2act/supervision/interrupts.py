"""Ctrl-C, SIGTERM and a closed terminal all mean the same: end, and leave nothing behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Deferral:
    """Whether a signal has to wait, and whether one does."""

    depth = 0
    waiting = False


def raise_on_signals() -> None:
    """Turn the ending signals into KeyboardInterrupt, so that every `with` block cleans up; see `deferred`."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if _Deferral.depth:
            _Deferral.waiting = True
            return
        raise KeyboardInterrupt

    for number in _SIGNALS:
        signal.signal(number, interrupt)


@contextmanager
def deferred() -> Iterator[None]:
    """Inside, those signals wait, if `raise_on_signals` handles them; KeyboardInterrupt is raised at the end.

    For what calls Python from C and takes any exception there for a mistake: rclpy makes "RuntimeError: Unable to
    convert call argument" of a Ctrl-C that comes while it turns a message into an object. Only for what is over soon.
    Python gives signals to the main thread; in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Deferral.depth += 1
    try:
        yield
    finally:
        _Deferral.depth -= 1
        if _Deferral.waiting and not _Deferral.depth:
            _Deferral.waiting = False
            raise KeyboardInterrupt


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Inside, those signals are ignored: an impatient second Ctrl-C must not leave processes behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
