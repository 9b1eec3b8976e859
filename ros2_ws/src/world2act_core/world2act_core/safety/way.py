"""The next command and the way to rest from it, as far as somebody asks for it."""

from __future__ import annotations

import math
from functools import cached_property

from world2act_core.safety.braking import BrakingPath
from world2act_core.safety.motion import Candidate
from world2act_core.safety.types import Joints

_MOST_SAMPLES = 40


class WayToRest:
    """Joint positions that a candidate leads to: `first`, then those on its braking path.

    Most of the time it is enough to know how far the joints turn on the way. Only near a box or another part of the arm
    are the positions in between worked out.
    """

    def __init__(self, first: Joints, brake: BrakingPath | None, levers: Joints, spacing_m: float) -> None:
        """brake: None for a way that ends where it begins. levers: [N] m per rad, spacing_m: of the samples."""
        self.first = first
        self._brake = brake
        self._levers, self._spacing_m = levers, spacing_m
        self._low, self._high = (first, first) if brake is None else brake.extremes

    @classmethod
    def of(cls, candidate: Candidate, levers: Joints, spacing_m: float) -> WayToRest:
        """The way of a candidate, with samples about `spacing_m` apart."""
        return cls(candidate.state.position, candidate.brake, levers, spacing_m)

    @classmethod
    def at(cls, position: Joints) -> WayToRest:
        """No way at all: the arm rests at `position` [N]."""
        return cls(position, None, [], math.inf)

    @property
    def last(self) -> Joints:
        """Where the arm comes to rest [N]."""
        return self.first if self._brake is None else self._brake.end

    @property
    def span(self) -> tuple[Joints, Joints]:
        """Lowest and highest position [N] of each joint on the way."""
        return self._low, self._high

    def turn_from(self, position: Joints) -> float:
        """No position on the way is farther from `position` [N] than this: sum over the joints [rad]."""
        return sum(max(here - low, high - here) for here, low, high in zip(position, self._low, self._high))

    def travel_from(self, position: Joints, levers: Joints) -> float:
        """The same [m] with what each joint can move per turn: levers [N] m per rad."""
        ends = zip(levers, position, self._low, self._high)
        return sum(lever * max(here - low, high - here) for lever, here, low, high in ends)

    @cached_property
    def rest(self) -> list[Joints]:
        """Positions [N] after the first, so near to each other that nothing thinner than the margin is missed."""
        if self._brake is None:
            return []
        travel_m = sum(lever * (high - low) for lever, high, low in zip(self._levers, self._high, self._low))
        return self._brake.sample(min(_MOST_SAMPLES, 1 + math.floor(travel_m / self._spacing_m)))


def travel_between(first: Joints, second: Joints, levers: Joints) -> float:
    """How far [m] joints can move anything from one position [N] to another; levers: [N] m per rad."""
    return sum(lever * abs(a - b) for a, b, lever in zip(first, second, levers))


def turn_between(first: Joints, second: Joints) -> float:
    """How far [rad] all joints together turn from one position [N] to another."""
    return sum(abs(a - b) for a, b in zip(first, second))
