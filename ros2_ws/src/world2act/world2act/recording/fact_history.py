"""How another node was set, and since when: a recording begins with what held at its first message."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

Facts = dict[str, str]
"""Parameter -> value (JSON)."""


class FactHistory:
    """The facts of one node over the last `keep_ns`. Nothing is known before the first `answer`."""

    def __init__(self, keep_ns: int) -> None:
        self._keep_ns = keep_ns
        self._known: deque[tuple[int, Facts]] = deque()  # since [ns], oldest first

    @property
    def known(self) -> bool:
        """Whether the node has ever answered."""
        return bool(self._known)

    @property
    def newest(self) -> Facts:
        """What holds now; empty when nothing is known."""
        return self._known[-1][1] if self._known else {}

    def at(self, time_ns: int) -> Facts:
        """What held at `time_ns`: before the first answer, what that said."""
        held = self._known[0][1] if self._known else {}
        for since_ns, facts in self._known:
            if since_ns <= time_ns:
                held = facts
        return held

    def answer(self, facts: Facts, now_ns: int) -> bool:
        """The node has said all of it. Whether anything is new."""
        if self._known and facts == self.newest:
            return False
        self._known.append((now_ns, facts))
        # The last one that is older stays: it held at the beginning of what is kept.
        while len(self._known) > 1 and self._known[1][0] <= now_ns - self._keep_ns:
            self._known.popleft()
        return True

    def change(self, changed: Mapping[str, str], now_ns: int) -> None:
        """Some parameters were set; those that nobody asked for are left out."""
        if self._known:
            named = {name: value for name, value in changed.items() if name in self.newest}
            self.answer({**self.newest, **named}, now_ns)
