"""Callbacks at fixed intervals, in a thread that does nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass


@dataclass(eq=False)
class Beat:
    """One callback and the interval at which it comes."""

    period_s: float
    callback: Callable[[], None]
    due_s: float
    ended: bool = False

    def reset(self) -> None:
        """Next a whole period from now."""
        self.due_s = time.monotonic() + self.period_s

    def advance(self, now_s: float) -> None:
        """To the next time on the grid that is still to come: what was missed is not made up for."""
        self.due_s += (1 + int((now_s - self.due_s) / self.period_s)) * self.period_s


class Beats:
    """Calls back one at a time and only while nobody else has the `turn`, whichever is due first.

    A turn of rclpy's executor costs a multiple of what a control period does, because it puts all that a node has into
    a new wait set each time. ros2_control's controller_manager, too, has its loop in a thread beside its executor's.
    Here both take turns, so that no callback needs to know in which of them it runs.
    """

    def __init__(
        self, turn: AbstractContextManager[object], begin: Callable[[], None], failed: Callable[[], None]
    ) -> None:
        """Start the thread: it calls `begin` first, and `failed` in the handler of an exception that ends it."""
        self._turn, self._begin, self._failed = turn, begin, failed
        self._beats: list[Beat] = []
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="beats", daemon=True)
        self._thread.start()

    def every(self, period_s: float, callback: Callable[[], None]) -> Beat:
        """Call back every `period_s` seconds (> 0) from now on, first in `period_s`."""
        if not period_s > 0.0:
            raise ValueError(f"a period of {period_s} s: give one above 0")
        beat = Beat(period_s, callback, time.monotonic() + period_s)
        with self._changed:
            self._beats.append(beat)
            self._changed.notify()
        return beat

    def remove(self, beat: Beat) -> None:
        """Not again; asked by whoever has the turn, `beat` is not called after this either."""
        with self._changed:
            beat.ended = True
            self._beats.remove(beat)

    def end(self) -> None:
        """No more; waits for what is under way. Not for callbacks, nor for whoever has the turn."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._begin()
            while (beat := self._next()) is not None:
                with self._turn:
                    if not beat.ended:
                        beat.callback()
        except Exception:
            self._failed()

    def _next(self) -> Beat | None:
        """The next one, when it is due; None at the end."""
        with self._changed:
            while not self._ended:
                beat = min(self._beats, key=_due, default=None)
                now_s = time.monotonic()
                if beat is not None and beat.due_s <= now_s:
                    beat.advance(now_s)
                    return beat
                self._changed.wait(None if beat is None else beat.due_s - now_s)
        return None


def _due(beat: Beat) -> float:
    return beat.due_s
