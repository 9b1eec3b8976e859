"""Ending a run at the next safe point when a person or a scheduler asks for it."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Self


class Interruption:
    """True once SIGINT or SIGTERM has come; as a context it gives the signals back at the end."""

    def __init__(self) -> None:
        self._came = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._previous[number] = signal.signal(number, self._note)
            except ValueError:  # not in the main thread (a test): whoever owns the process handles signals
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def __bool__(self) -> bool:
        return self._came

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self._came = True
