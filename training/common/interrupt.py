"""Ctrl-C and SIGTERM as a request: the run ends after the current step, with a checkpoint."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self


def as_ctrl_c(number: int, frame: FrameType | None) -> None:
    """A handler with which another signal (SIGTERM) ends a command as Ctrl-C does."""
    raise KeyboardInterrupt


class Interrupted:
    """True once SIGINT or SIGTERM has come; as a context it gives the signals back at the end."""

    def __init__(self) -> None:
        self._came = False
        self._previous = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._previous[number] = signal.signal(number, self._note)
            except ValueError:  # not in the main thread (a test): whoever owns the process handles signals
                break

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def __bool__(self) -> bool:
        return self._came

    def restore(self) -> None:
        """Give the signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self._came = True
