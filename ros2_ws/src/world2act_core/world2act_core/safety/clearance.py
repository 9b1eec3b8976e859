"""Distance of the arm to itself and to the table, asked for only when it can have become too small.

No point of the arm moves farther than the sum over the joints of |turn| times `reach`, so a distance that was measured
once bounds every distance nearby. Only when that bound reaches the margin is the model asked again.
"""

from __future__ import annotations

import math

import numpy as np

from world2act_core.robot.arm_model import ArmModel, BoundedArmModel, SlopedArmModel
from world2act_core.safety import arithmetic, checks
from world2act_core.safety.regions import Finding
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.types import Joints, Vector
from world2act_core.safety.way import WayToRest

_HORIZON_M = 0.1
"""How far the model looks beyond the margin: the farther, the longer one answer lasts, and the more it costs."""
_ROUNDING_M = 1e-9
_PERIODS_UNMEASURED = 10


class Clearance:
    """Judges poses of the arm by distance. An arm that begins too near may only come away."""

    def __init__(self, model: ArmModel, settings: SafetySettings) -> None:
        self._model = model
        self._bounded = model if isinstance(model, BoundedArmModel) else None
        self._sloped = model if isinstance(model, SlopedArmModel) else None
        self._margin = settings.clearance_margin_m
        self._levers: Vector = np.full(len(model.joint_names), settings.reach_m)
        self._anchor: Vector = np.zeros_like(self._levers)
        self._near_m = math.nan
        self._least_m = math.inf
        self._since_measured = 0
        self._looked_closely = False
        self.measured_m = math.nan
        """What the model said last [m]; NaN before the first answer."""
        self.queries = 0

    def settle(self, position: Joints, *, fresh: bool = False) -> None:
        """The arm is at joint positions [N] now; `fresh`: forget what was known and measure here.

        What is measured is what others see, so it is measured now and then even if nobody here needs it: not in a
        period that had to look closely for itself, unless there are too many of these.
        """
        unmeasured = _PERIODS_UNMEASURED * (2 if self._looked_closely else 1)
        if fresh or self._least_m < self._margin or self._since_measured >= unmeasured:
            self._remember(position, self._measure(position)[0])
            self._least_m = self.measured_m

    def check(self, way: WayToRest, *, remember: bool = True) -> Finding | None:
        """What is wrong at the first joint positions [N] on a way that are too near.

        remember: the way begins at the next command, and what is measured there bounds what comes after.
        """
        self._looked_closely = False
        if self._near_m - way.travel_from(self._anchor, self._levers) >= self._margin:
            return None
        if remember:
            self._since_measured += 1
            if self._is_clear(way):
                return None
            self._looked_closely = True
        positions, index, finding = np.vstack([way.first, way.rest]), -1, None
        while finding is None and (index := self._next_near(positions, index + 1)) < len(positions):
            distance, what = self._measure(positions[index])
            if remember and index == 0:
                self._remember(way.first, distance)
            finding = self._judge(distance, what)
        return finding

    def slope(self, position: Joints) -> Joints | None:
        """[N] m/rad: how the distance at joint positions [N] changes with each joint; None: the model cannot say."""
        if self._sloped is None:
            return None
        slope = self._sloped.clearance_slope(position)
        is_one = slope.shape == (len(position),) and np.isfinite(slope).all() and slope.any()
        return slope.tolist() if is_one else None

    def _is_clear(self, way: WayToRest) -> bool:
        """Whether the model knows, or learns by measuring once, that a whole way keeps the margin."""
        return self._bounded is not None and self._bounded.clear_between(way.first, way.last, way.span, self._margin)

    @property
    def _allowed_m(self) -> float:
        return min(self._margin, self._least_m) - _ROUNDING_M

    def _judge(self, distance: float, what: str) -> Finding | None:
        if distance >= self._allowed_m:
            return None
        name = checks.TABLE_COLLISION if "table" in what.lower() else checks.SELF_COLLISION
        return name, (
            f"{what} would be {1e3 * (self._margin - distance):.1f} mm nearer than is allowed: the arm stops "
            "before; lead the reference away from it"
        )

    def _next_near(self, positions: Vector, begin: int) -> int:
        """Index of the first of positions [S, N], from `begin` on, that is worth measuring; S: there is none."""
        if self._bounded is not None and begin < len(positions):
            return begin + self._bounded.first_near(positions[begin:], self._margin)
        room = self._near_m - self._margin
        return arithmetic.first_beyond(positions, begin, self._anchor, self._levers, room)

    def _remember(self, position: Joints, distance: float) -> None:
        self._anchor, self._near_m, self.measured_m = np.array(position), distance, distance
        self._since_measured = 0

    def _measure(self, position: Joints | Vector) -> tuple[float, str]:
        self.queries += 1
        distance, what = self._model.clearance(position, self._margin + _HORIZON_M)
        if distance < self._margin:
            # MuJoCo's distance of a mesh is at times far too small (never too large) when it may look far, and right
            # when it may not. See docs/safety.md.
            distance, what = max((distance, what), self._model.clearance(position, self._margin))
        if not math.isfinite(distance):
            return -math.inf, f"{what or 'unknown parts'} (the model gave no distance)"
        return distance, what
