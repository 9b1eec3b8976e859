"""Distance of the arm to itself and to the table, asked for only when it can have become too small.

No point of the arm moves farther than the sum over the joints of |turn| times `reach`, so a distance that was measured
once bounds every distance nearby. Only when that bound reaches the margin is the model asked again.
"""

from __future__ import annotations

import math

import numpy as np

from world2act_core.robot.arm_model import ArmModel
from world2act_core.safety import checks
from world2act_core.safety.regions import Finding
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.types import Vector

_HORIZON_M = 0.1
"""How far the model looks beyond the margin: the farther, the longer one answer lasts, and the more it costs."""
_ROUNDING_M = 1e-9


class Clearance:
    """Judges poses of the arm by distance. An arm that begins too near may only come away."""

    def __init__(self, model: ArmModel, settings: SafetySettings) -> None:
        self._model = model
        self._margin = settings.clearance_margin_m
        self._reach_m = settings.reach_m
        self._anchor = np.zeros(0)
        self._near_m = math.nan
        self._least_m = math.inf
        self.measured_m = math.nan
        """What the model said last [m]; NaN before the first answer."""
        self.queries = 0

    def settle(self, position: Vector, *, fresh: bool = False) -> None:
        """The arm is at joint positions [N] now; `fresh`: forget what was known and measure here."""
        if fresh or self._least_m < self._margin:
            self._measure(position)
            self._least_m = self.measured_m

    def check(self, positions: list[Vector], *, remember: bool = True) -> Finding | None:
        """The first of these joint positions [N] that is too near.

        remember: the first one is the next command, and what is measured there bounds what comes after.
        """
        if self._far_enough(positions):
            return None
        for index, position in enumerate(positions):
            distance, what = self._measure(position, anchor=remember and index == 0)
            name = checks.TABLE_COLLISION if "table" in what.lower() else checks.SELF_COLLISION
            if distance < min(self._margin, self._least_m) - _ROUNDING_M:
                return name, (
                    f"{what} would be {1e3 * (self._margin - distance):.1f} mm nearer than is allowed: the arm stops "
                    "before; lead the reference away from it"
                )
            if index == 0 and self._far_enough(positions):
                return None
        return None

    def _far_enough(self, positions: list[Vector]) -> bool:
        turned = max(float(np.abs(position - self._anchor).sum()) for position in positions)
        return self._near_m - self._reach_m * turned >= self._margin

    def _measure(self, position: Vector, anchor: bool = True) -> tuple[float, str]:
        self.queries += 1
        distance, what = self._model.clearance(position, self._margin + _HORIZON_M)
        if distance < self._margin:
            # MuJoCo's distance of a mesh is at times far too small (never too large) when it may look far, and right
            # when it may not. See docs/safety.md.
            distance, what = max((distance, what), self._model.clearance(position, self._margin))
        if not math.isfinite(distance):
            distance, what = -math.inf, f"{what or 'unknown parts'} (the model gave no distance)"
        if anchor:
            self._anchor, self._near_m, self.measured_m = position.copy(), distance, distance
        return distance, what
