"""Boxes that end effector and elbow stay in or out of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from world2act_core.robot.arm_model import ArmModel, BoundedArmModel
from world2act_core.safety import checks
from world2act_core.safety.settings import Point, SafetyBox, SafetySettings
from world2act_core.safety.types import Joints
from world2act_core.safety.way import WayToRest, travel_between

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
        longest = model.levers.tolist() if isinstance(model, BoundedArmModel) else [math.inf] * len(model.joint_names)
        self._levers = [min(lever, settings.reach_m) for lever in longest]
        self._regions = _regions(settings)
        self._needs_elbow = any(region.of == _ELBOW for region in self._regions)
        self._rooms = self._next_rooms = [0.0] * len(self._regions)

    def settle(self, position: Joints, *, checked: bool = False) -> None:
        """The arm is at joint positions [N] now: from here on it may not be deeper in any box.

        checked: these are the first positions of the last `check`.
        """
        self._rooms = self._next_rooms if checked else self._rooms_at(self._points(position))

    def check(self, way: WayToRest) -> Finding | None:
        """What is wrong at the first positions on a way that are deeper on a wrong side than the arm is now."""
        if not self._regions:
            return None
        self._next_rooms, finding = self._look(way.first)
        known_at, room = way.first, min(self._next_rooms)
        if finding is not None or room >= way.travel_from(known_at, self._levers):
            return finding
        for position in way.rest:
            if room < travel_between(position, known_at, self._levers):
                rooms, finding = self._look(position)
                if finding is not None:
                    return finding
                known_at, room = position, min(rooms)
        return None

    def _look(self, position: Joints) -> tuple[list[float], Finding | None]:
        """Room at joint positions [N] in every region, and what is wrong there."""
        points = self._points(position)
        rooms = self._rooms_at(points)
        for region, there, here in zip(self._regions, rooms, self._rooms):
            if there < min(here, 0.0) - _ROUNDING_M:
                return rooms, (region.check, _message(region, points[region.of]))
        return rooms, None

    def _rooms_at(self, points: dict[str, Point]) -> list[float]:
        return [region.room(points[region.of], self._margin) for region in self._regions]

    def _points(self, position: Joints) -> dict[str, Point]:
        """End effector and elbow, as far as there are boxes for them."""
        points: dict[str, Point] = {}
        if self._regions:
            joints = np.array(position)
            points[_HAND] = tuple(self._model.forward(joints).position.tolist())
            if self._needs_elbow:
                points[_ELBOW] = tuple(self._model.elbow(joints).tolist())
        return points


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
