"""Where arm_commander's thresholds come from: given on the node, else the profile's `safety`, else the default."""

from __future__ import annotations

from collections.abc import Callable

from world2act.commander.parameters import JOINT_COMMANDER
from world2act.parameters import ParameterValues
from world2act_core.robot.profile import RobotProfile

Number = Callable[[str], float]
"""The value of a parameter by its name; see `commander/parameters.py`."""

PROFILE_FIELDS = {
    "stale_observation": "stale_observation_s",
    "stale_chunk": "stale_chunk_s",
    "stale_state": "stale_state_s",
    "tracking_error": "tracking_error_rad",
    "gripper_toggle": "gripper_toggle_s",
    "first_chunk": "first_chunk_s",
    "peer_timeout": "peer_timeout_s",
    "e_stop_heartbeat": "e_stop_heartbeat_s",
}
"""Parameter -> field of the profile's `safety` that stands in for it."""
_DEFAULTS = {parameter.name: parameter.default for parameter in JOINT_COMMANDER}


def node_numbers(profile: RobotProfile, values: ParameterValues) -> Number:
    """Numbers by the names of a node's parameters; what somebody gave the node wins over the profile."""

    def number(name: str) -> float:
        found = None if values.is_given(name) else _of_profile(profile, name)
        return values.number(name) if found is None else found

    return number


def default_numbers(profile: RobotProfile) -> Number:
    """The same for a node that is given nothing, as the graph starts it."""

    def number(name: str) -> float:
        found = _of_profile(profile, name)
        return float(_DEFAULTS[name]) if found is None else found  # type: ignore[arg-type]

    return number


def _of_profile(profile: RobotProfile, name: str) -> float | None:
    return getattr(profile.safety, PROFILE_FIELDS[name]) if name in PROFILE_FIELDS else None
