"""Every check of the safety filter: its name, what it looks at and what happens when it finds something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from world2act_core.safety.types import Reaction


@dataclass(frozen=True)
class CheckSpec:
    """One check. `reaction` and `latched` are the defaults; `least` is the mildest reaction that may be configured."""

    name: str
    looks_at: str
    reaction: Reaction
    latched: bool
    least: Reaction


JOINT_POSITION: Final = "JOINT_POSITION"
JOINT_VELOCITY: Final = "JOINT_VELOCITY"
JOINT_ACCELERATION: Final = "JOINT_ACCELERATION"
JOINT_JERK: Final = "JOINT_JERK"
SPEED: Final = "SPEED"
WORKSPACE: Final = "WORKSPACE"
ELBOW: Final = "ELBOW"
KEEP_OUT: Final = "KEEP_OUT"
SELF_COLLISION: Final = "SELF_COLLISION"
TABLE_COLLISION: Final = "TABLE_COLLISION"
NOT_FINITE: Final = "NOT_FINITE"
SHAPE: Final = "SHAPE"
GRIPPER: Final = "GRIPPER"
COMMAND_JUMP: Final = "COMMAND_JUMP"
STALE_OBSERVATION: Final = "STALE_OBSERVATION"
STALE_CHUNK: Final = "STALE_CHUNK"
STATE_LOST: Final = "STATE_LOST"
TRACKING_ERROR: Final = "TRACKING_ERROR"
PERIOD: Final = "PERIOD"
E_STOP: Final = "E_STOP"

PRESSED: Final = "the emergency stop is pressed: release it, then clear the fault"
_CLIP, _SLOW, _HOLD, _STOP = Reaction.CLIP, Reaction.SLOW, Reaction.HOLD, Reaction.STOP

CHECKS: Final[tuple[CheckSpec, ...]] = (
    CheckSpec(JOINT_POSITION, "reference beyond a joint's position limit", _CLIP, False, _CLIP),
    CheckSpec(JOINT_VELOCITY, "reference faster than a joint may be", _CLIP, False, _CLIP),
    CheckSpec(JOINT_ACCELERATION, "reference with more acceleration than a joint may have", _CLIP, False, _CLIP),
    CheckSpec(JOINT_JERK, "reference with more jerk than a joint may have", _CLIP, False, _CLIP),
    CheckSpec(SPEED, "end effector would be faster than the cap", _SLOW, False, _SLOW),
    CheckSpec(WORKSPACE, "end effector could not stop inside its box", _CLIP, False, _CLIP),
    CheckSpec(ELBOW, "elbow could not stop inside its box", _CLIP, False, _CLIP),
    CheckSpec(KEEP_OUT, "end effector or elbow could not stop before a named box", _HOLD, True, _CLIP),
    CheckSpec(SELF_COLLISION, "arm could not stop before its own margin", _HOLD, True, _CLIP),
    CheckSpec(TABLE_COLLISION, "arm could not stop before the table's margin", _HOLD, True, _CLIP),
    CheckSpec(NOT_FINITE, "reference or gripper command with NaN or infinity", _HOLD, True, _HOLD),
    CheckSpec(SHAPE, "reference that is not one number per joint", _HOLD, True, _HOLD),
    CheckSpec(GRIPPER, "gripper command out of range, or opening and closing too often", _CLIP, False, _CLIP),
    CheckSpec(COMMAND_JUMP, "first reference away from the measured pose, later a leap", _HOLD, True, _HOLD),
    CheckSpec(STALE_OBSERVATION, "age of the newest observation", _HOLD, True, _HOLD),
    CheckSpec(STALE_CHUNK, "age of the chunk in use", _HOLD, True, _HOLD),
    CheckSpec(STATE_LOST, "joint states missing, old or broken", _HOLD, True, _HOLD),
    CheckSpec(TRACKING_ERROR, "measured pose far from the commanded one", _HOLD, True, _HOLD),
    CheckSpec(PERIOD, "control period missed, or not a number", _CLIP, False, _CLIP),
    CheckSpec(E_STOP, "emergency stop pressed", _STOP, True, _STOP),
)
BY_NAME: Final = {spec.name: spec for spec in CHECKS}
