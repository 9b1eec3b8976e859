"""Writing clips: the source's columns and video, cut, as episodes of a new dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.common.disk import require_free_space
from training.common.errors import DatasetError
from training.data import layout
from training.data.episode import EpisodeInfo, SkillSegment, frame_columns
from training.data.lerobot_reader import LeRobotReader, file_number
from training.data.lerobot_writer import MINIMUM_FREE_BYTES, camera_summary, frames_table, stage_encoded
from training.data.video import cut_video
from training.skills.plan import EpisodePlan
from world2act_core.contract import Contract

STATISTICS_FRAMES = 6


def stage_clip(reader: LeRobotReader, plan: EpisodePlan, position: int, contract: Contract, out: Path) -> Path:
    """Write clip ``position`` of ``plan`` under ``out``; whole or not at all.

    Each frame keeps its columns; ``skill_index`` becomes 0, for the clip is one skill.
    """
    part, prompt = plan.segments[position], plan.prompts[position]
    row = plan.row
    require_free_space(out, MINIMUM_FREE_BYTES)
    specification = frame_columns(contract.state_size, contract.action_size)
    cut = {name: plan.columns[name][part.start : part.stop] for name in specification}
    cut["skill_index"] = np.zeros(len(part), np.int64)
    videos, cameras = {}, {}
    for camera in reader.cameras:
        start = _first_frame(reader, row, camera) + part.start
        path = reader.video_path(file_number(row), camera)
        try:
            videos[camera] = cut_video(path, start, start + len(part), reader.fps)
        except (OSError, ValueError) as error:
            raise DatasetError(f"cannot cut {path}: {error}; the source dataset is damaged") from error
        cameras[camera] = camera_summary(_some_frames(reader, row, camera, part.start, part.stop))
    info = EpisodeInfo(
        seed=plan.clip_seeds()[position],
        kind=prompt.kind,
        split=str(row["split"]),
        instruction=prompt.text,
        success=bool(row["success"]),
        segments=(SkillSegment(prompt.kind, prompt.target, prompt.support, prompt.text, 0, len(part), True),),
        objects=tuple(row["objects"]),
        extra={
            "source_episode": int(row["episode_index"]),
            "source_instruction": str(row["instruction"]),
            "source_from": part.start,
            "source_to": part.stop,
            "source_position": position,
            "cue": part.cue,
        },
    )
    return stage_encoded(out, info, frames_table(cut, specification), videos, cameras)


def _first_frame(reader: LeRobotReader, row: dict[str, Any], camera: str) -> int:
    return round(float(row[f"videos/{layout.video_key(camera)}/from_timestamp"]) * reader.fps)


def _some_frames(
    reader: LeRobotReader, row: dict[str, Any], camera: str, start: int, stop: int
) -> list[NDArray[np.uint8]]:
    """A few frames of the clip for its statistics."""
    first = int(row["dataset_from_index"])
    chosen = np.unique(np.linspace(start, stop - 1, min(STATISTICS_FRAMES, stop - start)).round().astype(int))
    return [reader.frame(first + int(i), camera) for i in chosen]
