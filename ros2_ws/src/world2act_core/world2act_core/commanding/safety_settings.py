"""What a robot's profile says about safety, in the safety filter's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from world2act_core.robot.profile import RobotProfile
from world2act_core.safety import checks
from world2act_core.safety.settings import KeepOut, SafetyBox, SafetySettings

# An arm that works on a table is led to it all the time: it stops there and goes on.
_OURS: Mapping[str, Any] = {checks.TABLE_COLLISION: {"reaction": "clip", "latched": False}}


def safety_settings(
    profile: RobotProfile, speed_scale: float = 1.0, reduced: bool = False, **thresholds: float
) -> SafetySettings:
    """Settings for the profile's arm.

    Args:
        speed_scale: share of the joints' and the end effector's speed, (0, 1].
        reduced: the end effector's cap is the profile's `reduced_eef` (first run with a bundle).
        thresholds: fields of SafetySettings in seconds, radians or metres that differ from those of the profile's
            `safety` and from their defaults.
    Raises:
        ValueError: a number makes no sense.
    """
    workspace = profile.workspace
    cap = profile.speed.reduced_eef if reduced else profile.speed.max_eef
    return SafetySettings.model_validate(
        {
            "speed_scale": speed_scale,
            "max_eef_speed": max(cap * speed_scale, 1e-3),
            "workspace": SafetyBox(low=workspace.low, high=workspace.high),
            "keep_out": [KeepOut(name=box.name, low=box.low, high=box.high) for box in workspace.keep_out],
            "clearance_margin_m": 0.001,  # on top of the profile's margins, which the model of the arm takes off
            "elbow": profile.safety.elbow and SafetyBox(low=profile.safety.elbow.low, high=profile.safety.elbow.high),
            "overrides": {**_OURS, **{name: each.model_dump() for name, each in profile.safety.reactions.items()}},
            **_thresholds(profile),
            **thresholds,
        }
    )


def _thresholds(profile: RobotProfile) -> dict[str, float]:
    """The numbers under the profile's `safety` that the filter knows; others are for whoever runs it."""
    given = profile.safety.model_dump(exclude_none=True)
    return {name: value for name, value in given.items() if name in SafetySettings.model_fields and name != "elbow"}
