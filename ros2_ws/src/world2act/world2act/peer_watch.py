"""Who has fallen silent: names, when each was last heard, and who is overdue. No ROS in here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable


class PeerWatch:
    """Watches `names`, each of which must be `seen` at least every `timeout_s` seconds (> 0).

    A watcher that was asleep itself cannot judge: when `lost` has not been asked for longer than `timeout_s`, what
    arrived meanwhile may still wait to be read, so everybody gets one more `timeout_s`. Ask often.
    """

    def __init__(self, names: Iterable[str], timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        if timeout_s <= 0.0:
            raise ValueError(f"timeout_s is {timeout_s}; it must be positive")
        self.timeout_s = timeout_s
        self._clock = clock
        self._seen_s = dict.fromkeys(names, clock())
        self._asked_s = clock()

    def seen(self, name: str) -> None:
        """`name` gave a sign of life now; names that are not watched are ignored."""
        if name in self._seen_s:
            self._seen_s[name] = self._clock()

    def age_s(self, name: str) -> float:
        """Seconds since `name` was seen (or the watch began); KeyError when it is not watched."""
        return self._clock() - self._seen_s[name]

    def restart(self) -> None:
        """Everybody counts as seen now: after a pause, or when the watcher itself begins to work."""
        self._asked_s = self._clock()
        self._seen_s = dict.fromkeys(self._seen_s, self._asked_s)

    def lost(self) -> tuple[str, ...]:
        """Names that have been silent for longer than `timeout_s`, in the order they were given."""
        now_s = self._clock()
        if now_s - self._asked_s > self.timeout_s:
            self.restart()
        self._asked_s = now_s
        return tuple(name for name, seen_s in self._seen_s.items() if now_s - seen_s > self.timeout_s)
