"""What the safety filter and the commander ask a kinematic model of an arm; `kinematics.py` answers with MuJoCo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from world2act_core.types import EefPose

Vector = NDArray[np.float64]
JointValues = Vector | Sequence[float]
"""One number per joint [N]: an array, or the list that the safety filter has."""
Point = tuple[float, float, float]


class ArmModel(Protocol):
    """Geometry of one arm with N joints. Nothing here keeps a state between calls that changes an answer."""

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The N joints, in the order of every vector below."""
        ...

    def forward(self, position: JointValues) -> EefPose:
        """Pose of the end effector in the base frame at joint positions [N]."""
        ...

    def hand_and_elbow(self, position: JointValues) -> tuple[Point, Point]:
        """Where the end effector and the elbow are, m, base frame."""
        ...

    def jacobian(self, position: JointValues) -> Vector:
        """[6, N]: linear (m/s) over angular (rad/s) end-effector velocity, base frame, per joint velocity."""
        ...

    def clearance(self, position: JointValues, limit: float) -> tuple[float, str]:
        """How much farther [m] the arm is from itself and the table than it has to be, and from what there.

        Negative when a margin is not kept; (`limit`, "") when nothing is nearer.
        """
        ...


@runtime_checkable
class BoundedArmModel(ArmModel, Protocol):
    """An arm model that can tell without measuring everything that many positions are clear."""

    @property
    def levers(self) -> Vector:
        """[N] m per rad: end effector and elbow move at most by the sum over the joints of lever times |turn|."""
        ...

    def clear_between(self, here: JointValues, there: JointValues, span: Vector, limit: float) -> bool:
        """Whether `clearance` is surely `limit` or more wherever every joint is in its span: lowest and highest [2, N].

        here, there: joint positions [N] where distances may be measured, best the ends of a way in that span.
        """
        ...

    def first_near(self, positions: Vector, limit: float) -> int:
        """Index of the first of joint positions [S, N] at which `clearance` may be below `limit`; S: there is none."""
        ...


@runtime_checkable
class SlopedArmModel(ArmModel, Protocol):
    """An arm model that can tell which way leads away from what is near."""

    def clearance_slope(self, position: JointValues) -> Vector:
        """[N] m/rad: how `clearance` changes with each joint at joint positions [N]; zeros where nothing is near."""
        ...
