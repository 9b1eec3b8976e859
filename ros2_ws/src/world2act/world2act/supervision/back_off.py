"""How soon a node that was lost is started again, and when to give up. No ROS and no processes in here."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RestartLimits:
    """The first restart comes after `first_s`, each further one `factor` times later, at most `longest_s`.

    More than `restarts` losses of one node within `window_s` are no accident any more. restarts 0: give up at once.
    """

    first_s: float = 0.5
    factor: float = 2.0
    longest_s: float = 10.0
    restarts: int = 5
    window_s: float = 120.0

    def __post_init__(self) -> None:
        if self.first_s < 0 or self.factor < 1 or self.longest_s < self.first_s or self.window_s <= 0:
            raise ValueError(f"{self} makes no sense: need 0 <= first_s <= longest_s, factor >= 1, window_s > 0")
        if self.restarts < 0:
            raise ValueError(f"restarts is {self.restarts}; it must be 0 (never restart) or more")


class BackOff:
    """The losses of one node, and what follows from them."""

    def __init__(self, limits: RestartLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._losses: deque[float] = deque()

    def lost(self) -> float | None:
        """The node was lost now -> seconds to wait before it is started again; None: it is to be given up."""
        now_s = self._clock()
        self._losses.append(now_s)
        while now_s - self._losses[0] > self._limits.window_s:
            self._losses.popleft()
        if len(self._losses) > self._limits.restarts:
            return None
        wait_s = self._limits.first_s * self._limits.factor ** (len(self._losses) - 1)
        return min(wait_s, self._limits.longest_s)
