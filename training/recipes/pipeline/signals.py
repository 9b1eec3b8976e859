"""Whether a signal has come while somebody else's handlers were in place."""

from __future__ import annotations

import signal
import socket
from types import TracebackType
from typing import Self

from training.common.interrupt import as_ctrl_c

ENDING = (signal.SIGINT, signal.SIGTERM)


class SignalWatch:
    """Notices SIGINT and SIGTERM whatever handler a step installs: a step that is asked to stop may return normally.

    Python writes the number of every signal that it handles into the wake-up descriptor. SIGTERM raises
    KeyboardInterrupt, as SIGINT does, where a step has no handler of its own.
    """

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self._before = None
        try:
            self._before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
            self._terminate = signal.signal(signal.SIGTERM, as_ctrl_c)
        except ValueError:  # not in the main thread (a test): whoever owns the process handles signals
            pass
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.set_wakeup_fd(self._before)
            signal.signal(signal.SIGTERM, self._terminate)
        self._reader.close()
        self._writer.close()

    def came(self) -> bool:
        """Whether one has come since the last question."""
        try:
            return bool(set(self._reader.recv(4096)) & set(ENDING))
        except BlockingIOError:
            return False
