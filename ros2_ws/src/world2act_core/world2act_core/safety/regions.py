"""Boxes that end effector and elbow stay in or out of."""

from __future__ import annotations

from dataclasses import dataclass

from world2act_core.robot.arm_model import ArmModel
from world2act_core.safety import checks
from world2act_core.safety.settings import Point, SafetyBox, SafetySettings
from world2act_core.safety.types import Vector

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

    def depth(self, point: Point, margin: float) -> float:
        """How far [m] the point is on the forbidden side of the faces moved by the margin; 0 when it is not."""
        box = self.box
        if self.inside:
            over = (max(low + margin - x, x - high + margin) for low, high, x in zip(box.low, box.high, point))
            return max(0.0, *over)
        under = (min(x - low + margin, high + margin - x) for low, high, x in zip(box.low, box.high, point))
        return max(0.0, min(under))


class Regions:
    """Judges poses of the arm against every box. An arm that begins on the wrong side may only come out."""

    def __init__(self, model: ArmModel, settings: SafetySettings) -> None:
        self._model = model
        self._margin = settings.geometry_margin_m
        self._regions = _regions(settings)
        self._needs_elbow = any(region.of == _ELBOW for region in self._regions)
        self._depths = self._next_depths = [0.0] * len(self._regions)

    def settle(self, position: Vector, *, checked: bool = False) -> None:
        """The arm is at joint positions [N] now: from here on it may not be deeper in any box.

        checked: these are the first positions of the last `check`.
        """
        self._depths = self._next_depths if checked else self._judge(position)[1]

    def check(self, positions: list[Vector]) -> Finding | None:
        """The first of these joint positions [N] that is deeper on a wrong side than the arm is now."""
        for index, position in enumerate(positions):
            points, depths = self._judge(position)
            if index == 0:
                self._next_depths = depths
            for region, there, here in zip(self._regions, depths, self._depths):
                if there > here + _ROUNDING_M:
                    return region.check, _message(region, points[region.of])
        return None

    def _judge(self, position: Vector) -> tuple[dict[str, Point], list[float]]:
        points = self._points(position)
        return points, [region.depth(points[region.of], self._margin) for region in self._regions]

    def _points(self, position: Vector) -> dict[str, Point]:
        """End effector and elbow, as far as there are boxes for them."""
        points: dict[str, Point] = {}
        if self._regions:
            points[_HAND] = tuple(self._model.forward(position).position.tolist())
        if self._needs_elbow:
            points[_ELBOW] = tuple(self._model.elbow(position).tolist())
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
