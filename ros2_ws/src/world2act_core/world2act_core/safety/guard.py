"""Geometry of the arm: is the next command, and the way to rest from it, where the arm may be, and slow enough?"""

from __future__ import annotations

import math

import numpy as np

from world2act_core.robot.arm_model import ArmModel
from world2act_core.safety import checks
from world2act_core.safety.clearance import Clearance
from world2act_core.safety.motion import Candidate
from world2act_core.safety.regions import Finding, Regions
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.speed import eef_speed
from world2act_core.safety.types import Vector

_MOST_SAMPLES = 40
_SPEED_SAMPLES = 12


class Guard:
    """Judges candidates. Every one it lets pass can stop without breaking a rule, so there is always a safe way on."""

    def __init__(self, model: ArmModel, settings: SafetySettings) -> None:
        self._model = model
        self._spacing_m = 2 * settings.geometry_margin_m
        self._regions = Regions(model, settings)
        self._clearance = Clearance(model, settings)
        self._next_jacobian: Vector | None = None

    @property
    def clearance_m(self) -> float:
        """The distance that was measured last [m]; NaN before the first time."""
        return self._clearance.measured_m

    @property
    def clearance_queries(self) -> int:
        """How often the model was asked for distances."""
        return self._clearance.queries

    def start(self, position: Vector) -> None:
        """The arm begins at joint positions [N]."""
        self.jacobian = self._model.jacobian(position)
        self._regions.settle(position)
        self._clearance.settle(position, fresh=True)

    def check(self, candidate: Candidate, cap: float) -> Finding | None:
        """What is wrong with a candidate or with the way to rest from it; cap: of the end effector's speed, m/s."""
        jacobian = self._model.jacobian(candidate.state.position)
        self._next_jacobian = jacobian
        # While braking the pose hardly changes, so one jacobian does for the whole way.
        levers = np.sqrt(np.square(jacobian[:3]).sum(0))
        if levers @ candidate.brake.peak_speed() > cap:  # else no combination of the joints' speeds can be too fast
            speed = eef_speed(jacobian, candidate.brake.velocities(_SPEED_SAMPLES))
        else:
            speed = 0.0
        if speed > cap:
            text = f"the end effector would move at {speed:.3f} m/s, allowed {cap:.3f}: slow the reference down"
            return checks.SPEED, text
        positions = [candidate.state.position, *self._way_to_rest(candidate, levers)]
        return self._regions.check(positions) or self._clearance.check(positions)

    def settle(self, position: Vector, *, checked: bool) -> None:
        """The arm is at joint positions [N]; checked: this is the pose of the candidate that was checked last."""
        known = self._next_jacobian if checked else None
        self.jacobian = self._model.jacobian(position) if known is None else known
        self._regions.settle(position, checked=checked)
        self._clearance.settle(position)

    def look_at(self, position: Vector) -> Finding | None:
        """What would be wrong with joint positions [N], whatever the way there."""
        return self._regions.check([position]) or self._clearance.check([position], remember=False)

    def _way_to_rest(self, candidate: Candidate, levers: Vector) -> list[Vector]:
        """Positions on the braking path, near enough to each other that nothing thinner than the margin is missed."""
        low, high = candidate.brake.extremes
        travel_m = float(levers @ (high - low))
        return candidate.brake.sample(min(_MOST_SAMPLES, 1 + math.floor(travel_m / self._spacing_m)))
