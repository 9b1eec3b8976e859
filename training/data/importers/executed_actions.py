"""What an arm was really told, in the policy's own units: between policy and arm there are limits."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from world2act_core.contract import Contract
from world2act_core.motion import TABLETOP_RESPONSE, GoalResponse, PoseHistory
from world2act_core.pose import action_between, pose_from_state
from world2act_core.recording.reader import Recording
from world2act_core.types import EefPose

POSE_ACTION = ("delta_position", "delta_rotation", "gripper")
NANOSECONDS = 1_000_000_000
FULL_STEP = 0.75
"""Commands that are closer together than this share of an action's step are points of a way, not its goals."""
SPAN_S = 7 * 24 * 3600.0

Action = NDArray[np.float32]


class ExecutedActions:
    """The actions [A] that the commands of one recording amount to.

    An arm without a profile is sent the goal of each action, once. An arm with a profile is sent a way, many points per
    action, that the speed and every limit of the joints, of the table and of the workspace have shaped; which of them
    did is not written for each point. There the action is the one whose goal the arm of the demonstrations would have
    had to be given to cover the same piece of the way.
    """

    def __init__(self, recording: Recording, contract: Contract, commands: Mapping[int, Any]) -> None:
        """commands: ArmCommand by stamp [ns]."""
        self._contract = contract
        self._known = tuple(dim.name for dim in contract.action) == POSE_ACTION
        self._way: _Way | None = None
        if self._known and (recording.header.robot_profile or _are_points(commands, contract.step_s)):
            self._way = _Way(commands, contract.step_s, _response(recording))

    def of(self, state: NDArray[np.float32], command: Any, stamp_ns: int, action: Action) -> Action | None:
        """What `command`, stamped `stamp_ns`, amounts to at an observed `state` [S]; `action`: what the policy wanted.

        None when the recording ends before the step does.
        """
        if self._way is not None:
            told = self._way.action(stamp_ns, float(command.gripper))
            return None if told is None else np.clip(told, self._contract.action_low, self._contract.action_high)
        if not self._known or "workspace" not in command.limit_events:
            return action
        return action_between(pose_from_state(state)[0], _pose(command), float(command.gripper))


def _are_points(commands: Mapping[int, Any], step_s: float) -> bool:
    # For recordings of a recorder that was not told the profile.
    moving = sorted(stamp for stamp, command in commands.items() if not command.holding)
    return len(moving) > 1 and float(np.median(np.diff(moving))) < FULL_STEP * step_s * NANOSECONDS


def _response(recording: Recording) -> GoalResponse:
    """How far an action takes the arm, as arm_commander was told; its default for recordings that do not say."""
    if "response" not in recording.commander:
        return TABLETOP_RESPONSE
    frequency = float(json.loads(recording.commander["response"]))
    return GoalResponse(frequency if frequency > 0 else math.inf)


def _pose(command: Any) -> EefPose:
    p, o = command.pose.position, command.pose.orientation
    return EefPose(np.array([p.x, p.y, p.z]), np.array([o.x, o.y, o.z, o.w]))


class _Way:
    """Where the arm was told to be, by time."""

    def __init__(self, commands: Mapping[int, Any], step_s: float, response: GoalResponse) -> None:
        self._step_s, self._response = step_s, response
        self._begin_ns = min(commands, default=0)
        self._poses = PoseHistory(SPAN_S)
        for stamp in sorted(commands):
            self._poses.add(self._seconds(stamp), _pose(commands[stamp]))

    def _seconds(self, stamp_ns: int) -> float:
        return (stamp_ns - self._begin_ns) / NANOSECONDS

    def action(self, stamp_ns: int, gripper: float) -> Action | None:
        """The action of the step that begins at `stamp_ns`; None when it does not end within the recording."""
        begin_s = self._seconds(stamp_ns)
        begin = self._poses.at(begin_s, 0.0)
        end = self._poses.at(begin_s + self._step_s, 0.0)
        if begin is None or end is None:
            return None
        turn = Rotation.from_quat(end.pose.quaternion) * Rotation.from_quat(begin.pose.quaternion).inv()
        covered = np.concatenate([end.pose.position - begin.pose.position, turn.as_rotvec()])
        goal = self._response.goal(covered, begin.velocity, self._step_s)
        return np.append(goal, gripper).astype(np.float32)
