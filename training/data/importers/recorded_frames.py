"""From a recording's messages to the frames of an episode: what was seen, what was done, for which skill."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.common.errors import DatasetError
from training.data.importers.executed_actions import NANOSECONDS, ExecutedActions
from world2act_core.contract import Contract
from world2act_core.images import fit_images
from world2act_core.recording.reader import Recording
from world2act_core.types import Observation

TOPICS = ("observation", "action_chunk", "arm_command", "skill", "episode_status")
SAME_STAMP_NS = 1_000
"""Stamps that have been through float seconds are off by up to 240 ns; observations are milliseconds apart."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One observation and what was done at it. action: float32 [A], the policy's within the contract's limits, or what
    holding means; executed: what the arm was told. images: uint8 [H, W, 3] as the contract says."""

    stamp_ns: int
    images: dict[str, NDArray[np.uint8]]
    state: NDArray[np.float32]
    action: NDArray[np.float32]
    executed: NDArray[np.float32]
    closed: bool
    skill_id: int


@dataclass
class Messages:
    """The messages of one plan, decoded, by what they are looked up with."""

    observations: dict[int, Any] = field(default_factory=dict)  # stamp [ns] -> Observation
    chunks: dict[int, Any] = field(default_factory=dict)  # sequence -> ActionChunk
    commands: dict[int, Any] = field(default_factory=dict)  # stamp [ns] -> ArmCommand
    skills: dict[int, Any] = field(default_factory=dict)  # id -> Skill
    statuses: list[Any] = field(default_factory=list)  # EpisodeStatus, from a simulator

    def success(self, from_ns: int, to_ns: int) -> bool | None:
        """What the simulator's judge said last in [from_ns, to_ns] of the episode that began there; None: no judge."""
        during = [status for status in self.statuses if from_ns <= stamp_ns(status) <= to_ns]
        same = [status for status in during if status.seed == during[0].seed]
        return bool(same[-1].success) if same else None


def read_messages(recording: Recording) -> Messages:
    """Those of the recorded plan. :class:`DatasetError` when there are none, or chunks are of another bundle."""
    found = Messages()
    plan = recording.header.plan_id
    for topic, message in recording.decoded(TOPICS):
        if topic == "observation":
            found.observations[stamp_ns(message)] = message
        elif topic == "arm_command":
            found.commands.setdefault(stamp_ns(message), message)
        elif topic == "episode_status":
            found.statuses.append(message)
        elif topic == "skill" and message.active:
            plan = plan or message.plan_id
            if message.plan_id == plan:
                found.skills[message.id] = message
        elif topic == "action_chunk" and message.plan_id == plan:
            if message.bundle_hash != recording.header.bundle_sha256:
                raise DatasetError(
                    f"{recording.path}: chunk {message.sequence} is of bundle {message.bundle_hash}, the recorder was "
                    f"given {recording.header.bundle_sha256}: start recorder and vla_policy with the same bundle"
                )
            found.chunks[message.sequence] = message
    if not found.skills or not found.chunks:
        raise DatasetError(f"{recording.path} holds no skill that the policy carried out")
    return found


def stamp_ns(message: Any) -> int:
    """The header's stamp [ns]."""
    return time_ns(message.header.stamp)


def time_ns(time: Any) -> int:
    """builtin_interfaces/Time [ns]."""
    return int(time.sec) * NANOSECONDS + int(time.nanosec)


def frames(recording: Recording, contract: Contract, found: Messages) -> list[Frame]:
    """Observations from the first to the last one at which the arm was moved by this plan, each with what was done.

    Raises :class:`DatasetError` when there are none or a picture or state does not fit the contract.
    """
    made = list(_all_frames(recording, contract, found))
    moved = [number for number, frame in enumerate(made) if frame.skill_id >= 0]
    if not moved:
        raise DatasetError(f"{recording.path}: the arm was never moved by a recorded chunk at a recorded observation")
    return made[moved[0] : moved[-1] + 1]


def _all_frames(recording: Recording, contract: Contract, found: Messages) -> Iterator[Frame]:
    period_ns = round(NANOSECONDS / contract.control_hz)
    executed_actions = ExecutedActions(recording, contract, found.commands)
    stamps = sorted(found.commands)
    gripper = contract.action_slice("gripper").start if _has_gripper(contract) else None
    action = executed = np.zeros(contract.action_size, np.float32)
    for stamp in sorted(found.observations):
        message = found.observations[stamp]
        state = np.asarray(message.state, np.float32)
        if state.shape != (contract.state_size,) or not np.isfinite(state).all():
            raise DatasetError(f"{recording.path}: the state at {stamp} ns is not {contract.state_size} finite numbers")
        closed = gripper is not None and bool(executed[gripper] > 0)
        command = _command_at(found, stamps, stamp, period_ns)
        row = None if command is None else _chunk_row(found, command)
        wanted = None if row is None else np.clip(row, contract.action_low, contract.action_high)
        told = None if wanted is None else executed_actions.of(state, command, stamp_ns(command), wanted)
        if wanted is not None and told is not None:
            action, executed, skill_id = wanted, told, int(found.chunks[command.chunk_sequence].skill_id)
        else:
            action, executed, skill_id = hold_action(contract, action), hold_action(contract, executed), -1
        yield Frame(stamp, _pictures(recording, contract, message, state), state, action, executed, closed, skill_id)


def _command_at(found: Messages, stamps: list[int], stamp: int, period_ns: int) -> Any:
    """The first command sent at an observation or within one control period after it; None when none was.

    In lockstep that is the command with the observation's own stamp.
    """
    place = bisect.bisect_left(stamps, stamp)
    if place == len(stamps) or stamps[place] - stamp >= period_ns:
        return None
    return found.commands[stamps[place]]


def _chunk_row(found: Messages, command: Any) -> NDArray[np.float32] | None:
    """The action [A] behind a command; None while it holds, or when its chunk belongs to another plan."""
    chunk = found.chunks.get(command.chunk_sequence)
    if chunk is None or command.holding or command.chunk_index < 0:
        return None
    # A policy that was restarted counts anew: the stamp tells its chunks apart.
    if abs(stamp_ns(chunk) - time_ns(command.observation_stamp)) > SAME_STAMP_NS:
        return None
    rows = np.asarray(chunk.data, np.float32).reshape(chunk.horizon, chunk.action_size)
    return rows[command.chunk_index]


def hold_action(contract: Contract, last: NDArray[np.float32]) -> NDArray[np.float32]:
    """What "stay" is, as an action [A]: no delta, and absolute values as they were."""
    held = last.copy()
    for dim in contract.action:
        if dim.mode == "delta":
            held[contract.action_slice(dim.name)] = 0.0
    return held


def _pictures(
    recording: Recording, contract: Contract, message: Any, state: NDArray[np.float32]
) -> dict[str, NDArray[np.uint8]]:
    """Preprocessed as for the policy, by the same code."""
    images = {name: _picture(image) for name, image in zip(message.camera_names, message.images)}
    try:
        fitted = fit_images(Observation(0.0, images, state), contract.cameras)
    except ValueError as error:
        raise DatasetError(f"{recording.path}: {error}") from error
    return {camera.name: fitted[f"image_{camera.name}"][0] for camera in contract.cameras}


def _picture(image: Any) -> NDArray[np.uint8]:
    """rgb8 or bgr8 message -> uint8 [H, W, 3] rgb."""
    rows = np.frombuffer(image.data, np.uint8).reshape(image.height, image.step)[:, : 3 * image.width]
    picture = rows.reshape(image.height, image.width, 3)
    return picture[..., ::-1] if image.encoding == "bgr8" else picture


def _has_gripper(contract: Contract) -> bool:
    return any(dim.name == "gripper" for dim in contract.action)
