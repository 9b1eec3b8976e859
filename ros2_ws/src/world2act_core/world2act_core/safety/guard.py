"""Geometry of the arm: is the next command, and the way to rest from it, where the arm may be, and slow enough?"""

from __future__ import annotations

import numpy as np

from world2act_core.robot.arm_model import ArmModel
from world2act_core.safety import arithmetic, checks
from world2act_core.safety.clearance import Clearance
from world2act_core.safety.motion import Candidate
from world2act_core.safety.regions import Finding, Regions
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.types import Joints, Vector
from world2act_core.safety.way import WayToRest

_SPEED_SAMPLES = 12


class Guard:
    """Judges candidates. Every one it lets pass can stop without breaking a rule, so there is always a safe way on."""

    def __init__(self, model: ArmModel, settings: SafetySettings) -> None:
        self._model = model
        self._spacing_m = 2 * settings.geometry_margin_m
        self._regions = Regions(model, settings)
        self._clearance = Clearance(model, settings)
        self._next_rows: Vector | None = None

    @property
    def clearance_m(self) -> float:
        """The distance that was measured last [m]; NaN before the first time."""
        return self._clearance.measured_m

    @property
    def clearance_queries(self) -> int:
        """How often the model was asked for distances."""
        return self._clearance.queries

    def start(self, position: Joints) -> None:
        """The arm begins at joint positions [N]. Raises ValueError when the model's Jacobian is not [6, N] numbers."""
        self._here = position
        self.rows = self._rows(position)
        # Looked at once, here: the compiled arithmetic looks at no index.
        if self.rows.shape != (3, len(position)):
            raise ValueError(f"the model's Jacobian is {self.rows.shape[1]} wide, need {len(position)}: one per joint")
        if not np.isfinite(self.rows).all():
            raise ValueError(f"the model's Jacobian is not finite at joint positions {position}: is the model right?")
        self._regions.settle(position)
        self._clearance.settle(position, fresh=True)

    def check(self, candidate: Candidate, cap: float) -> Finding | None:
        """What is wrong with a candidate or with the way to rest from it; cap: of the end effector's speed, m/s."""
        rows = self._next_rows = self._rows(candidate.state.position)
        brake, levers = candidate.brake, np.empty(rows.shape[1])
        # While braking the pose hardly changes, so one Jacobian does for the whole way. NaN is no speed below the cap.
        if not arithmetic.fastest_braking(rows, brake.start.values, brake.jerk, levers) <= cap:
            fastest = arithmetic.fastest_eef(rows, brake.velocities(_SPEED_SAMPLES))
            if not fastest <= cap:
                text = f"the end effector would move at {fastest:.3f} m/s, allowed {cap:.3f}: slow the reference down"
                return checks.SPEED, text
        way = WayToRest.of(candidate, levers, self._spacing_m)
        return self._regions.check(way) or self._clearance.check(way)

    def way_out(self, finding: Finding, candidate: Candidate) -> Joints | None:
        """[N] m/rad: how each joint leads away from what was found about a candidate; None: not known."""
        if finding[0] not in (checks.SELF_COLLISION, checks.TABLE_COLLISION):
            return None
        return self._clearance.slope(candidate.state.position)

    def settle(self, position: Joints, *, checked: bool) -> None:
        """The arm is at joint positions [N]; checked: this is the pose of the candidate that was checked last."""
        known = self._next_rows if checked else None
        if known is not None:
            self.rows = known
            self._regions.settle(position, checked=True)
        elif position != self._here:
            self.rows = self._rows(position)
            self._regions.settle(position)
        self._here = position
        self._clearance.settle(position)

    def look_at(self, position: Joints) -> Finding | None:
        """What would be wrong with joint positions [N], whatever the way there."""
        there = WayToRest.at(position)
        return self._regions.check(there) or self._clearance.check(there, remember=False)

    def _rows(self, position: Joints) -> Vector:
        """How the end effector moves along x, y and z at joint positions [N]: [3, N] m/s per joint velocity."""
        return np.array(self._model.jacobian(position)[:3], dtype=np.float64)
