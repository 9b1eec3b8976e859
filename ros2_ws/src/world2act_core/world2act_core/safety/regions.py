"""Boxes that end effector and elbow stay in or out of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from world2act_core.robot.arm_model import ArmModel, BoundedArmModel
from world2act_core.safety import arithmetic, checks
from world2act_core.safety.settings import Point, SafetyBox, SafetySettings
from world2act_core.safety.types import Joints, Vector
from world2act_core.safety.way import WayToRest

Finding = tuple[str, str]
"""Name of a check, and what was wrong, where and what to do."""
_ROUNDING_M = 1e-9
_HAND, _ELBOW = "end effector", "elbow"


@dataclass(frozen=True)
class _Region:
    check: str
    of: str
    label: str
    box: SafetyBox
    inside: bool

    def room(self, point: Point, margin: float) -> float:
        """How far [m] the point is from the forbidden side of the faces moved by the margin; negative: how deep in it.

        For a box to stay out of this is along the axis that keeps the point out, so the true distance is no smaller.
        """
        (x0, y0, z0), (x1, y1, z1), (x, y, z) = self.box.low, self.box.high, point
        if self.inside:
            return min(x - x0, x1 - x, y - y0, y1 - y, z - z0, z1 - z) - margin
        return max(x0 - x, x - x1, y0 - y, y - y1, z0 - z, z - z1) - margin


class Regions:
    """Judges poses of the arm against every box. An arm that begins on the wrong side may only come out."""

    def __init__(self, model: ArmModel, settings: SafetySettings) -> None:
        self._model = model
        self._margin = settings.geometry_margin_m
        # Two bounds of how far a point moves per turn; both hold.
        longest = model.levers if isinstance(model, BoundedArmModel) else np.inf
        self._levers = np.minimum(longest, np.full(len(model.joint_names), settings.reach_m))
        self._regions = _regions(settings)
        self._outside_all = [0.0] * len(self._regions)
        self._depths = self._next_depths = self._outside_all
        self._looked_at: Vector = np.zeros_like(self._levers)
        self._least_room = -math.inf

    def settle(self, position: Joints, *, checked: bool = False) -> None:
        """The arm is at joint positions [N] now: from here on it may not be deeper in any box.

        checked: these are the first positions of the last `check`.
        """
        if self._regions:
            self._depths = self._next_depths if checked else self._look(position)[0]

    def check(self, way: WayToRest) -> Finding | None:
        """What is wrong at the first positions on a way that are deeper on a wrong side than the arm is now."""
        if not self._regions:
            return None
        if self._least_room >= way.travel_from(self._looked_at, self._levers):
            self._next_depths = self._outside_all
            return None
        self._next_depths, finding = self._look(way.first)
        if finding is not None or self._least_room >= way.travel_from(self._looked_at, self._levers):
            return finding
        index, rest = -1, way.rest
        while finding is None and (index := self._next(rest, index + 1)) < len(rest):
            finding = self._look(rest[index])[1]
        return finding

    def _next(self, positions: Vector, begin: int) -> int:
        """Index of the first of positions [S, N], from `begin` on, that is worth a look; S: there is none."""
        return arithmetic.first_beyond(positions, begin, self._looked_at, self._levers, self._least_room)

    def _look(self, position: Joints | Vector) -> tuple[list[float], Finding | None]:
        """How deep [m], at most 0, joint positions [N] are in every region, and what is wrong there."""
        hand, elbow = self._model.hand_and_elbow(position)
        if not all(map(math.isfinite, (*hand, *elbow))):
            self._least_room = -math.inf
            text = f"the model puts the end effector at {hand} m, the elbow at {elbow} m: the arm stops; mend the model"
            return self._depths, (self._regions[0].check, text)
        points = {_HAND: hand, _ELBOW: elbow}
        rooms = [region.room(points[region.of], self._margin) for region in self._regions]
        self._looked_at, self._least_room = np.array(position), min(rooms)
        if self._least_room >= 0.0:
            return self._outside_all, None
        depths = [min(room, 0.0) for room in rooms]
        for region, there, here in zip(self._regions, depths, self._depths):
            if there < here - _ROUNDING_M:
                return depths, (region.check, _message(region, points[region.of]))
        return depths, None


def _regions(settings: SafetySettings) -> tuple[_Region, ...]:
    found = []
    if settings.workspace is not None:
        found.append(_Region(checks.WORKSPACE, _HAND, "leave its workspace", settings.workspace, True))
    if settings.elbow is not None:
        found.append(_Region(checks.ELBOW, _ELBOW, "leave its box", settings.elbow, True))
    for box in settings.keep_out:
        for of in (_HAND, _ELBOW):
            found.append(_Region(checks.KEEP_OUT, of, f"enter keep-out box {box.name!r}", box, False))
    return tuple(found)


def _message(region: _Region, point: Point) -> str:
    where = ", ".join(f"{x:.3f}" for x in point)
    way = "inside" if region.inside else "around it"
    return f"the {region.of} would {region.label} at ({where}) m: the arm stops before; keep the reference {way}"
