"""The arm of arm_commander, from profile, contract and the numbers of its parameters: path and safety filter joined."""

from __future__ import annotations

import math

from world2act.commander.thresholds import Number
from world2act.errors import ConfigurationError
from world2act_core.commanding.joint_path import JointPath, PathSettings
from world2act_core.commanding.profiled_arm import ProfiledArm
from world2act_core.commanding.safety_settings import safety_settings
from world2act_core.commanding.warm_up import warm_up
from world2act_core.contract import Contract, ContractError
from world2act_core.motion import Blend, GoalResponse
from world2act_core.robot.profile import GIVE_A_MODEL, ProfileError, RobotProfile
from world2act_core.safety.filter import SafetyFilter


def assemble_path(profile: RobotProfile, contract: Contract, number: Number) -> JointPath:
    """The way from chunks to a joint reference. Raises ConfigurationError when profile and contract do not fit."""
    if contract.robot not in profile.contract_robots:
        raise ConfigurationError(
            f"the bundle was made for the robot {contract.robot!r}, profile {profile.name} carries out bundles for "
            f"{', '.join(profile.contract_robots)}",
            "use a bundle of this robot; if the arm moves alike, add its name to the profile's contract_robots",
        )
    response = number("response")
    blend = Blend(number("blend"), number("seam_acceleration"))
    settings = PathSettings(blend, GoalResponse(response if response > 0 else math.inf))
    try:
        return JointPath(contract, profile, settings)
    except (ProfileError, ContractError) as error:
        raise ConfigurationError(
            f"profile {profile.name} and the bundle cannot be joined: {error}",
            "use a bundle whose actions move the end effector" if profile.model else GIVE_A_MODEL,
        ) from error


def assemble_arm(profile: RobotProfile, contract: Contract, number: Number, reduced: bool) -> ProfiledArm:
    """Path and filter joined. reduced: keep to the profile's reduced speed. Raises ConfigurationError."""
    path = assemble_path(profile, contract, number)
    try:
        settings = safety_settings(
            profile,
            number("speed"),
            reduced=reduced,
            stale_observation_s=number("stale_observation"),
            stale_chunk_s=number("stale_chunk"),
            stale_state_s=number("stale_state"),
            gripper_toggle_s=number("gripper_toggle"),
            tracking_error_rad=number("tracking_error"),
        )
        safety = SafetyFilter(profile.limits, settings, path.model)
        warm_up(path, contract, profile, settings)
    except ValueError as error:
        raise ConfigurationError(f"the safety filter cannot be set up: {error}", "correct the profile") from error
    return ProfiledArm(path, safety)
