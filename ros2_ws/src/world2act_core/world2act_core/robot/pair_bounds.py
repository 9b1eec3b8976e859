"""What was once measured for every pair of parts, and what that says about the pair's distance nearby."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from world2act_core.robot.arm_model import JointValues, Vector
from world2act_core.robot.compiled import compiled

_NEVER_MEASURED_M = -1e6
_REFRESH_BELOW = 0.4
"""A pair of which less than this share is left of what was known to be free is due to be measured again."""


@compiled(
    "UniTuple(int64, 2)(float64[::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], float64, float64,"
    " float64[::1], int64[::1])"
)
def _look(
    known: Vector,
    known_at: Vector,
    levers: Vector,
    span: Vector,
    limit: float,
    refresh_below: float,
    bounds: Vector,
    near: NDArray[np.int64],
) -> tuple[int, int]:
    """Fills `bounds` [P] and the beginning of `near` [P]; how many are near, and which pair is due, or -1."""
    count, due, least = 0, -1, refresh_below
    for pair in range(known.size):
        travel = 0.0
        for joint in range(span.shape[1]):
            at = known_at[pair, joint]
            travel += levers[pair, joint] * max(at - span[0, joint], span[1, joint] - at)
        bounds[pair] = known[pair] - travel
        spare, most = bounds[pair] - limit, known[pair] - limit
        if not spare >= 0.0:
            near[count] = pair
            count += 1
        elif spare < least * most:
            due, least = pair, spare / most
    return count, due


class PairBounds:
    """A bound of each pair's distance beyond its margin, and the joint positions that it was found at.

    levers: [P, N], see `pair_levers`. Until a pair is remembered it may be anywhere.
    """

    def __init__(self, levers: Vector) -> None:
        self.levers = np.ascontiguousarray(levers)
        self._rows: list[list[float]] = levers.tolist()
        self.known = np.empty(len(levers))
        """[P] m, at `known_at` [P, N]."""
        self.known_at = np.zeros_like(self.levers)
        self.bounds = np.empty(len(levers))
        """[P] m: what the last look found: no pair is nearer than this."""
        self._near = np.empty(len(levers), dtype=np.int64)
        self.forget()

    def forget(self) -> None:
        """Nothing has been measured."""
        self.known[:] = _NEVER_MEASURED_M

    def remember(self, pair: int, position: JointValues, spare: float) -> None:
        """A pair is `spare` [m] beyond its margin, or more, at joint positions [N]."""
        self.known[pair], self.known_at[pair] = spare, position

    def look(self, span: Vector, limit: float) -> tuple[list[int], list[int]]:
        """The pairs that could be less than `limit` [m] beyond their margin while every joint is in a span [2, N].

        Also returns which of the others is due to be measured again, at most one: that of which least is left.
        """
        count, due = _look(self.known, self.known_at, self.levers, span, limit, _REFRESH_BELOW, self.bounds, self._near)
        near: list[int] = self._near[:count].tolist()
        return near, [] if due < 0 else [due]

    def travel(self, pair: int, turned: Sequence[float]) -> float:
        """So much [m] nearer a pair can come at most while the joints turn by [N] rad."""
        return sum(lever * turn for lever, turn in zip(self._rows[pair], turned))
