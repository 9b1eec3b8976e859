"""A Cartesian reference becomes a joint reference, one tick at a time: differential inverse kinematics with mink."""

from __future__ import annotations

from dataclasses import dataclass

import mink
import mujoco
import numpy as np
import qpsolvers

from world2act_core.robot.arm_model import Vector
from world2act_core.robot.kinematics import MujocoArm
from world2act_core.robot.model_file import EEF_SITE
from world2act_core.robot.profile import RobotProfile
from world2act_core.types import EefPose

_WXYZ = [3, 0, 1, 2]
"""Our quaternions are x y z w, MuJoCo's and mink's are w x y z."""


@dataclass(frozen=True)
class IkSettings:
    """How the way to the target is weighted.

    metres_per_radian: how much position one radian of orientation is worth.
    posture_cost, posture_rate: weight of the home posture and how fast it is approached [1/s] where the target leaves
    freedom (the elbow of a seven-joint arm).
    singular_below: below this smallest singular value of the weighted Jacobian [m per rad] the arm counts as near a
    singularity; damping grows from zero there to `damping` where the value is zero.
    rotation_speed: fastest turn of the end effector [rad/s].
    reached_m, reached_rad: nearer than both, a target counts as reached.
    """

    metres_per_radian: float = 0.25
    posture_cost: float = 0.01
    posture_rate: float = 0.5
    singular_below: float = 0.03
    damping: float = 0.05
    rotation_speed: float = 2.5
    reached_m: float = 0.001
    reached_rad: float = 0.01


@dataclass(frozen=True, eq=False)
class JointReference:
    """Where the joints should be at the next tick.

    position: [N], finite, inside the joint limits, no further from the reference before than the velocity limits allow.
    manipulability: smallest singular value of the weighted Jacobian [m per rad], 0 at a singularity.
    position_error_m, rotation_error_rad: what is left to the target; infinite when the target is unusable.
    problem: why the reference stayed where it was; empty normally.
    """

    position: Vector
    manipulability: float
    near_singularity: bool
    reached: bool
    position_error_m: float
    rotation_error_rad: float
    problem: str = ""


class CartesianToJoint:
    """Follows a Cartesian reference with the joints of a profile's arm. One thread at a time.

    Keeps no state: the caller hands in the joint reference of the tick before, at the start the measured position. A
    target that jumps is approached in a straight line at the profile's `speed.max_eef`; one out of reach as far as the
    arm goes. It looks no further than one tick: where a joint limit bars the straight way it stops in front of it and
    says how much is left. Raises ProfileError when the profile has no usable model.
    """

    def __init__(self, profile: RobotProfile, settings: IkSettings | None = None) -> None:
        self.arm = MujocoArm(profile)
        self.settings = settings or IkSettings()
        model, limits = self.arm.model, self.arm.limits
        base = model.body(profile.model.base_body).id if profile.model else 0
        self._configuration = mink.Configuration(model)
        self._transform_base_to_world = self._configuration.get_transform_frame_to_world(model.body(base).name, "body")
        scale = self.settings.metres_per_radian
        self._frame = mink.FrameTask(EEF_SITE, "site", position_cost=1.0, orientation_cost=scale)
        self._posture = mink.PostureTask(model, cost=self.settings.posture_cost)
        self._posture.set_target(profile.home_position)
        names = (model.joint(index).name for index in range(model.njnt))
        self._limits = [
            mink.ConfigurationLimit(model),
            mink.VelocityLimit(model, dict(zip(names, limits.velocity.tolist(), strict=True))),
        ]
        self._low, self._high = limits.position_low, limits.position_high
        self._speed = profile.speed.max_eef
        self._weights = np.array([1.0, 1.0, 1.0, scale, scale, scale])[:, None]

    def manipulability(self, position: Vector) -> float:
        """Smallest singular value of the weighted Jacobian at joint positions [N], m per rad."""
        return float(np.linalg.svd(self._weights * self.arm.jacobian(position), compute_uv=False)[-1])

    def step(self, target: EefPose, reference: Vector, period_s: float) -> JointReference:
        """One tick of `period_s` from the joint `reference` [N] towards `target` (base frame).

        Never raises for a bad target and never returns a number that is not finite: then the reference stays. Raises
        ValueError when `reference` itself is not N finite numbers.
        """
        here = np.clip(np.asarray(reference, dtype=np.float64), self._low, self._high)
        pose, measure = self.arm.forward(here), self.manipulability(here)
        usable = np.isfinite(target.position).all() and np.linalg.norm(target.quaternion) > 0.5
        if not usable or not np.isfinite(target.quaternion).all():
            return self._stay(
                here, measure, "the target is not a pose: a number is not finite or the quaternion is zero"
            )
        try:
            self._configuration.update(here)
            self._frame.set_target(self._next(pose, target, period_s))
            self._posture.gain = min(1.0, self.settings.posture_rate * period_s)
            tasks = [self._frame, self._posture]
            problem = mink.build_ik(self._configuration, tasks, period_s, self._damping(measure), self._limits)
            step = qpsolvers.solve_problem(problem, solver="quadprog").x
        except ValueError as error:  # quadprog's word for a problem that is not convex, which damping should exclude
            return self._stay(here, measure, f"no inverse kinematics here: {error}")
        if step is None or not np.isfinite(step).all():
            return self._stay(here, measure, "no inverse kinematics here: no joint step fits inside the limits")
        position = np.clip(here + step, self._low, self._high)
        left_m, left_rad = _difference(self.arm.forward(position), target)
        reached = left_m <= self.settings.reached_m and left_rad <= self.settings.reached_rad
        return JointReference(position, measure, self._is_singular(measure), reached, left_m, left_rad)

    def _next(self, pose: EefPose, target: EefPose, period_s: float) -> mink.SE3:
        """The target, or the point of the straight way there that is one tick ahead; in MuJoCo's world frame."""
        way, turn = target.position - pose.position, _turn(pose, target)
        share = min(
            1.0,
            self._speed * period_s / max(float(np.linalg.norm(way)), 1e-9),
            self.settings.rotation_speed * period_s / max(float(np.linalg.norm(turn)), 1e-9),
        )
        quaternion = pose.quaternion[_WXYZ]
        mujoco.mju_quatIntegrate(quaternion, turn, share)
        transform_target_to_base = mink.SE3(np.concatenate([quaternion, pose.position + share * way]))
        return self._transform_base_to_world @ transform_target_to_base

    def _damping(self, measure: float) -> float:
        """Damping of the least squares: nothing away from singularities, so that tracking is exact there."""
        share = min(1.0, measure / self.settings.singular_below)
        return 1e-9 + self.settings.damping**2 * (1.0 - share**2)

    def _is_singular(self, measure: float) -> bool:
        return measure < self.settings.singular_below

    def _stay(self, here: Vector, measure: float, problem: str) -> JointReference:
        return JointReference(here, measure, self._is_singular(measure), False, np.inf, np.inf, problem)


def _turn(pose: EefPose, target: EefPose) -> Vector:
    """Rotation vector [3] (rad) from `pose` to `target`, in the frame of `pose`, at most half a turn."""
    unit = target.quaternion / np.linalg.norm(target.quaternion)
    turn = np.zeros(3)
    mujoco.mju_subQuat(turn, unit[_WXYZ], pose.quaternion[_WXYZ])
    return turn


def _difference(pose: EefPose, target: EefPose) -> tuple[float, float]:
    """Distance [m] and angle [rad] between two poses."""
    return float(np.linalg.norm(target.position - pose.position)), float(np.linalg.norm(_turn(pose, target)))
