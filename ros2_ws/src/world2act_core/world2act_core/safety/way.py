"""The next command and the way to rest from it, as far as somebody asks for it."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from world2act_core.safety import arithmetic
from world2act_core.safety.braking import BrakingPath
from world2act_core.safety.motion import Candidate
from world2act_core.safety.types import Joints, Vector

_MOST_SAMPLES = 40


class WayToRest:
    """Joint positions that a candidate leads to: `first`, then those on its braking path.

    Most of the time it is enough to know how far the joints turn on the way. Only near a box or another part of the arm
    are the positions in between worked out.
    """

    def __init__(self, first: Joints, brake: BrakingPath | None, levers: Vector, spacing_m: float) -> None:
        """brake: None for a way that ends where it begins. levers: [N] m per rad, spacing_m: of the samples."""
        self.first = first
        self.span: Vector = np.array((first, first)) if brake is None else brake.span
        """Lowest and highest position [2, N] of each joint on the way."""
        self._brake = brake
        self._levers, self._spacing_m = levers, spacing_m

    @classmethod
    def of(cls, candidate: Candidate, levers: Vector, spacing_m: float) -> WayToRest:
        """The way of a candidate, with samples about `spacing_m` apart."""
        return cls(candidate.state.position, candidate.brake, levers, spacing_m)

    @classmethod
    def at(cls, position: Joints) -> WayToRest:
        """No way at all: the arm rests at `position` [N]."""
        return cls(position, None, np.zeros(len(position)), math.inf)

    @property
    def last(self) -> Joints:
        """Where the arm comes to rest [N]."""
        return self.first if self._brake is None else self._brake.end

    def travel_from(self, position: Vector, levers: Vector) -> float:
        """The farthest [m] that anything gets on the way from where it is at `position` [N]; levers: [N] m per rad."""
        return arithmetic.travel(self.span, position, levers)

    @cached_property
    def rest(self) -> Vector:
        """Positions [S, N] after the first, so near to each other that nothing thinner than the margin is missed."""
        if self._brake is None:
            return np.empty((0, len(self.first)))
        travel_m = sum(lever * (high - low) for lever, (low, high) in zip(self._levers.tolist(), self.span.T.tolist()))
        return np.array(self._brake.sample(min(_MOST_SAMPLES, 1 + math.floor(travel_m / self._spacing_m))))
