"""Which frames may be cloned, with what chunk, for which skill, and how often each is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.common.errors import DatasetError
from training.data.lerobot_reader import LeRobotReader
from training.vla.config import SamplingConfig
from world2act_core.contract import Contract
from world2act_core.skill import Skill


@dataclass(frozen=True)
class FrameIndex:
    """Per-frame arrays over the whole dataset (N frames) and the frames that may be drawn (M of them)."""

    state: NDArray[np.float32]  # [N, S] robot units
    action: NDArray[np.float32]  # [N, A] robot units, the expert's clean answer
    done: NDArray[np.float32]  # [N]
    target: NDArray[np.float32]  # [N, 3] m, base frame
    support: NDArray[np.float32]  # [N, 3] m, base frame, NaN when the skill has none
    stop: NDArray[np.int64]  # [N] end of the skill segment the frame belongs to
    skill: NDArray[np.int64]  # [N] index into ``skills``, -1 outside segments
    skills: tuple[Skill, ...]
    frames: NDArray[np.int64]  # [M] frames to clone
    cumulative: NDArray[np.float64]  # [M] running sum of drawing probabilities, ending at 1
    episodes: int  # with at least one frame to clone

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """``count`` frames, drawn by weight."""
        return self.frames[
            np.searchsorted(self.cumulative, rng.random(count), side="right").clip(0, len(self.frames) - 1)
        ]

    def chunks(self, frames: NDArray[np.int64], length: int, contract: Contract) -> NDArray[np.float32]:
        """Actions [B, T, A] from each frame on; past the end of the skill the arm holds and the gripper stays."""
        steps = frames[:, None] + np.arange(length)[None]
        last = self.stop[frames][:, None] - 1
        chunk = self.action[np.minimum(steps, last)]
        after = steps > last
        for dim in contract.action:
            if dim.mode == "delta":
                part = contract.action_slice(dim.name)
                chunk[..., part] = np.where(after[..., None], 0.0, chunk[..., part])
        return chunk


def build_index(reader: LeRobotReader, total: int, contract: Contract, sampling: SamplingConfig) -> FrameIndex:
    """Index the first ``total`` frames (those that are cached). Only achieved skill segments are cloned."""
    columns = {name: reader.column(name)[:total] for name in ("observation.state", "action", "done")}
    target, support = reader.column("target_position")[:total], reader.column("support_position")[:total]
    stop = np.zeros(total, np.int64)
    skill = np.full(total, -1, np.int64)
    weight = np.zeros(total)
    skills: dict[Skill, int] = {}
    episodes = 0
    action = columns["action"].astype(np.float32)
    done = columns["done"].astype(np.float32)
    limit = sampling.max_episodes or len(reader.episodes)
    for row in reader.episodes[:limit]:
        if int(row["dataset_to_index"]) > total:
            break
        episodes += any(row["skill_achieved"])
        segments = _segments(row)
        for number, segment in enumerate(segments):
            part = slice(
                int(row["dataset_from_index"]) + segment["start"], int(row["dataset_from_index"]) + segment["stop"]
            )
            stop[part] = part.stop
            skill[part] = skills.setdefault(segment["skill"], len(skills))
            if segment["achieved"]:
                weight[part] = _weights(row, segment["skill"], action[part], done[part], contract, sampling)
                if _is_occupied(segment["skill"], [earlier["skill"] for earlier in segments[:number]]):
                    weight[part] *= sampling.occupied
    frames = np.flatnonzero(weight)
    if not len(frames):
        raise DatasetError(f"{reader.root} has no achieved skill to clone; collect more episodes")
    cumulative = np.cumsum(weight[frames] / weight[frames].sum())
    state = columns["observation.state"].astype(np.float32)
    return FrameIndex(
        state,
        action,
        done,
        target.astype(np.float32),
        support.astype(np.float32),
        stop,
        skill,
        tuple(skills),
        frames,
        cumulative,
        episodes,
    )


def _segments(row: dict[str, Any]) -> list[dict[str, Any]]:
    keys = ("skill_kinds", "skill_targets", "skill_supports", "skill_from", "skill_to", "skill_achieved")
    return [
        {"skill": Skill(kind, target, support or None), "start": start, "stop": stop, "achieved": achieved}
        for kind, target, support, start, stop, achieved in zip(*(row[key] for key in keys))
    ]


def _is_occupied(skill: Skill, earlier: list[Skill]) -> bool:
    """Whether something was put where this skill puts something."""
    return skill.kind == "place" and any(other.kind == "place" and other.support == skill.support for other in earlier)


def _weights(
    row: dict[str, Any],
    skill: Skill,
    action: NDArray[np.float32],
    done: NDArray[np.float32],
    contract: Contract,
    sampling: SamplingConfig,
) -> NDArray[np.float64]:
    """Drawing weight of each frame of one segment."""
    weight = np.full(len(action), float(getattr(sampling, skill.kind, 1.0)))
    if row["kind"] == "composite":
        weight *= sampling.composite
    gripper = action[:, contract.action_slice("gripper").start] > 0
    for change in np.flatnonzero(np.diff(gripper.astype(np.int8))):
        near = slice(max(0, change - sampling.near_frames + 1), change + 1 + sampling.near_frames)
        weight[near] = np.maximum(weight[near], weight[0] * sampling.near_gripper)
    weight[done > 0] *= sampling.done
    return weight
