"""Where the hand was lately: what a camera that works must have seen."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import ArrayLike, NDArray

Positions = NDArray[np.float64]
NOWHERE: Positions = np.empty((0, 3))
CLOSE_NS = 200_000_000
MOST = 16


class HandLog:
    """Positions of the end effector by stamp; the newest `capacity` of them."""

    def __init__(self, capacity: int = 512) -> None:
        self._entries: deque[tuple[int, Positions]] = deque(maxlen=capacity)

    def add(self, stamp_ns: int, position: ArrayLike) -> None:
        """The hand was at `position` [3] (m)."""
        self._entries.append((stamp_ns, np.asarray(position, dtype=np.float64)))

    def between(self, first_ns: int, last_ns: int) -> Positions:
        """Up to 16 positions [n, 3] of that time, the ends among them; none when nothing is known close to it."""
        if not self._entries:
            return NOWHERE
        ends = [min(self._entries, key=lambda entry: abs(entry[0] - ns)) for ns in (first_ns, last_ns)]
        if max(abs(ends[0][0] - first_ns), abs(ends[1][0] - last_ns)) > CLOSE_NS:
            return NOWHERE
        inside = [position for stamp, position in self._entries if first_ns < stamp < last_ns]
        thinned = inside[:: max(1, -(-len(inside) // (MOST - 2)))]
        return np.stack([ends[0][1], *thinned, ends[1][1]])


def distance_between(some: Positions, others: Positions) -> float:
    """Smallest distance [m] between a position of `some` [n, 3] and one of `others` [m, 3]; neither may be empty."""
    return float(np.linalg.norm(some[:, None] - others[None], axis=2).min())
