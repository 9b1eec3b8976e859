"""Checks of what comes in: is it a reference, is it fresh, does it begin where the arm is?"""

from __future__ import annotations

import math

import numpy as np

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety import checks
from world2act_core.safety.regions import Finding
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.types import Joints, MotionRequest, Situation


def as_joints(values: object, limits: JointLimits) -> Joints:
    """A copy, N floats; raises ValueError with what is wrong when it is something else or not finite."""
    try:
        joints = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"is {type(values).__name__}, not {limits.size} numbers") from None
    if joints.shape != (limits.size,):
        raise ValueError(f"has shape {joints.shape}, need ({limits.size},): one per joint {list(limits.names)}")
    numbers: Joints = joints.tolist()
    return numbers


def as_numbers(request: MotionRequest) -> MotionRequest:
    """The same request with every scalar as a float; NaN for what is no number."""
    scalars = (_number(value) for value in (request.gripper, request.observation_age_s, request.chunk_age_s))
    return MotionRequest(request.position, *scalars)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


def not_finite(joints: Joints, limits: JointLimits) -> str:
    """Names of the joints whose value is NaN or infinite, with the value; empty: none."""
    if all(map(math.isfinite, joints)):
        return ""
    return ", ".join(f"{name} is {value}" for name, value in zip(limits.names, joints) if not math.isfinite(value))


def beginning(position: object, limits: JointLimits, settings: SafetySettings) -> Joints:
    """A measured position [N] that commands may begin at; raises ValueError when they may not."""
    joints = as_joints(position, limits)
    if bad := not_finite(joints, limits):
        raise ValueError(f"the start is not finite: {bad}")
    spans = zip(limits.position_low.tolist(), joints, limits.position_high.tolist())
    outside = [max(low - here, here - high) for low, here, high in spans]
    joint = outside.index(max(outside))
    if outside[joint] > settings.limit_slack_rad:
        raise ValueError(
            f"{limits.names[joint]} is measured at {joints[joint]:.4g} rad, {outside[joint]:.4g} outside its limits "
            f"(allowed: {settings.limit_slack_rad:g}): is the order of the joints right? Move it back by hand"
        )
    return joints


def is_older(age_s: float, limit_s: float) -> bool:
    """Whether an age is beyond the limit or makes no sense (NaN, or far in the future: a clock has jumped)."""
    return not -limit_s <= age_s <= limit_s


def measured(situation: Situation, limits: JointLimits, settings: SafetySettings) -> tuple[Joints | None, str]:
    """The measured position [N], and why it cannot be used (then None)."""
    advice = "the arm holds; is the arm's driver running?"
    if situation.position is None:
        return None, f"no joint states have come: {advice}"
    try:
        joints = as_joints(situation.position, limits)
    except ValueError as error:
        return None, f"the measured position {error}: {advice}"
    if bad := not_finite(joints, limits):
        return None, f"measured, not finite: {bad}: {advice}"
    if is_older(situation.state_age_s, settings.stale_state_s):
        return None, (
            f"the joint states are {situation.state_age_s:.3f} s old, limit {settings.stale_state_s:g} s: {advice}"
        )
    return joints, ""


def wanted(request: MotionRequest, limits: JointLimits) -> tuple[Joints | None, Finding | None]:
    """The reference [N] when there is a usable one, and what is wrong with the request."""
    advice = "the arm holds; see what vla_policy and the kinematics send"
    if not math.isfinite(request.gripper):
        return None, (checks.NOT_FINITE, f"the gripper command is {request.gripper}: {advice}")
    if request.position is None:
        return None, None
    try:
        joints = as_joints(request.position, limits)
    except ValueError as error:
        return None, (checks.SHAPE, f"the reference {error}: {advice}")
    if bad := not_finite(joints, limits):
        return None, (checks.NOT_FINITE, f"the reference is not finite: {bad}: {advice}")
    return joints, None


def stale(request: MotionRequest, settings: SafetySettings) -> list[Finding]:
    """What is too old to act on."""
    found = []
    for name, what, age_s, limit_s, source in (
        (checks.STALE_OBSERVATION, "observation", request.observation_age_s, settings.stale_observation_s, "cameras"),
        (checks.STALE_CHUNK, "action chunk", request.chunk_age_s, settings.stale_chunk_s, "vla_policy"),
    ):
        if is_older(age_s, limit_s):
            text = f"the newest {what} is {age_s:.3f} s old, limit {limit_s:g} s: the arm holds; see {source}"
            found.append((name, text))
    return found


def farthest(first: Joints, second: Joints, limits: JointLimits) -> tuple[str, float]:
    """The joint in which two positions [N] differ most, and by how much (>= 0)."""
    apart = [abs(a - b) for a, b in zip(first, second)]
    most = max(apart)
    return limits.names[apart.index(most)], most
