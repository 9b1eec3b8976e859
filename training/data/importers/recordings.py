"""``import-recordings``: what the robot did becomes a dataset that it can be trained on.

Reads what the node `recorder` wrote (MCAP) without ROS and writes episodes with the same columns as ``collect``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.progress import track

from training.common.errors import DatasetError
from training.data import layout
from training.data.contract_file import claim_contract
from training.data.episode import EpisodeBuffer, EpisodeInfo, SkillSegment, frame_columns
from training.data.importers.recorded_frames import Frame, Messages, frames, read_messages, stamp_ns
from training.data.lerobot_writer import discard_unfinished, read_staged, stage_episode, staged_folders
from training.data.pack import episode_rows, pack_dataset
from world2act_core.contract import Contract, ContractError
from world2act_core.recording.layout import RecordingError, finished
from world2act_core.recording.reader import Recording

DONE = 0.5
"""From this on a chunk says that its skill is complete."""
COMPOSITE = "composite"
SPLIT = "recorded"
NOT_WANTED = "buffers are not imported, with --only-successes neither are episodes that failed"


@dataclass(frozen=True)
class ImportRecordingsConfig:
    """Import recorded episodes. Running the same command again adds the new ones; buffers are left out."""

    source: Path = Path("runs/recordings")
    """A recording (.mcap), or a folder of them."""
    out: Path = Path("data/recorded")
    only_successes: bool = False
    """Leave out episodes that did not succeed."""
    max_gap: float = 0.35
    """Leave out episodes with a longer gap between two observations [s]."""


def import_recordings(config: ImportRecordingsConfig) -> None:
    """Entry point of ``python -m training import-recordings``.

    Raises :class:`DatasetError` when there is no dataset after it, with why each recording was left out.
    """
    files = _files(config.source)
    config.out.mkdir(parents=True, exist_ok=True)
    discard_unfinished(config.out)
    done = {int(row["seed"]) for row in episode_rows(config.out)}
    done |= {read_staged(folder)[0].seed for folder in staged_folders(config.out)}
    count = 0
    left_out: list[str] = []
    try:
        for path in track(files, "import"):
            try:
                recording = Recording(path)
                if recording.header.kind == "episode" and identity(recording) not in done:
                    count += _import(recording, config)
                    done.add(identity(recording))
            except (RecordingError, DatasetError) as error:
                left_out.append(str(error))
    finally:
        if (config.out / layout.CONTRACT_PATH).exists():
            pack_dataset(config.out, round(Contract.from_yaml(config.out / layout.CONTRACT_PATH).control_hz))
    said = [
        *(f"left out: {reason}" for reason in left_out),
        f"{config.out}: {count} new episodes of {len(files)} recordings",
    ]
    if not (config.out / layout.INFO_PATH).exists():
        raise DatasetError("\n".join([*said, f"no dataset was written: {NOT_WANTED}"]))
    print("\n".join(said))


def _import(recording: Recording, config: ImportRecordingsConfig) -> int:
    """Stage one episode; returns how many were: 0 for a failure that is not wanted."""
    buffer, info, fps = recorded_episode(recording, config.max_gap)
    if config.only_successes and not info.success:
        return 0
    claim_contract(_contract(recording), config.out, str(recording.path))
    stage_episode(config.out, buffer, info, fps)
    return 1


def _files(source: Path) -> list[Path]:
    files = [source] if source.is_file() else finished(source)
    if not files:
        raise DatasetError(f"no recording (*.mcap) in {source.absolute()}: give --source the recorder's folder")
    return files


def identity(recording: Recording) -> int:
    """A number that no other recording of this robot has, and that stays when files are moved: when it began [ms]."""
    return recording.header.started_ns // 1_000_000


def _contract(recording: Recording) -> Contract:
    try:
        contract = Contract.from_text(recording.header.contract, f"{recording.path}: contract")
    except ContractError as error:
        raise DatasetError(str(error)) from error
    if contract.observation_hz != contract.control_hz or contract.control_hz != round(contract.control_hz):
        raise DatasetError(
            f"{recording.path}: observation_hz {contract.observation_hz:g} and control_hz {contract.control_hz:g} must "
            "be the same whole number: a dataset has one frame per action"
        )
    return contract


def recorded_episode(recording: Recording, max_gap_s: float) -> tuple[EpisodeBuffer, EpisodeInfo, int]:
    """Frames, what is known about them, and frames per second; raises :class:`DatasetError` saying what is missing."""
    contract = _contract(recording)
    found = read_messages(recording)
    made = frames(recording, contract, found)
    gap_s = max(((b.stamp_ns - a.stamp_ns) / 1e9 for a, b in pairwise(made)), default=0.0)
    if gap_s > max_gap_s:
        raise DatasetError(f"{recording.path}: {gap_s:.2f} s without an observation, more than --max-gap {max_gap_s:g}")
    segments = _segments(recording, found, made)
    buffer = EpisodeBuffer(specification=frame_columns(contract.state_size, contract.action_size))
    _fill(buffer, made, segments, found)
    # The last chunk is executed to its end, or held after, before the judge has its say.
    end_ns = max(stamp_ns(chunk) for chunk in found.chunks.values()) + round(
        1e9 * contract.chunk_length * contract.step_s
    )
    judged = found.success(made[0].stamp_ns, end_ns)
    return buffer, _info(recording, found, segments, gap_s, judged), round(contract.control_hz)


def _segments(recording: Recording, found: Messages, made: list[Frame]) -> list[tuple[int, SkillSegment]]:
    """(skill id, frames in which it was the current one), in order. Frames that hold belong to the skill before."""
    bounds = [0]
    ids = [made[0].skill_id]
    for number, frame in enumerate(made):
        if frame.skill_id not in (-1, ids[-1]):
            bounds.append(number)
            ids.append(frame.skill_id)
    bounds.append(len(made))
    succeeded = recording.outcome.goal == "succeeded"
    segments = []
    for number, (skill_id, (start, stop)) in enumerate(zip(ids, pairwise(bounds))):
        skill = found.skills[skill_id]
        # The planner goes on to the next skill only when this one is done; an attempt that is repeated was not.
        achieved = found.skills[ids[number + 1]].index > skill.index if number + 1 < len(ids) else succeeded
        segment = SkillSegment(
            skill.kind, skill.target, skill.support or None, skill.prompt, start, stop, bool(achieved)
        )
        segments.append((skill_id, segment))
    return segments


def _fill(buffer: EpisodeBuffer, made: list[Frame], segments: list[tuple[int, SkillSegment]], found: Messages) -> None:
    nowhere = np.full(3, np.nan)
    for index, (skill_id, segment) in enumerate(segments):
        done_ns = _done_since_ns(found, skill_id) if segment.achieved else None
        for frame in made[segment.start : segment.stop]:
            buffer.add(
                frame.images,
                {
                    "observation.state": frame.state,
                    "observation.gripper": float(frame.closed),
                    "action": frame.action,
                    "executed_action": frame.executed,
                    "done": done_ns is not None and frame.stamp_ns >= done_ns,
                    "skill_index": index,
                    "target_position": nowhere,
                    "support_position": nowhere,
                },
            )


def _done_since_ns(found: Messages, skill_id: int) -> int | None:
    """Stamp of the first of the skill's last chunks that all say it is complete; None when its last one does not."""
    since: int | None = None
    for _, chunk in sorted(found.chunks.items()):
        if chunk.skill_id != skill_id:
            continue
        if chunk.done < DONE:
            since = None
        elif since is None:
            since = stamp_ns(chunk)
    return since


def _info(
    recording: Recording,
    found: Messages,
    segments: list[tuple[int, SkillSegment]],
    gap_s: float,
    judged: bool | None,
) -> EpisodeInfo:
    header, outcome = recording.header, recording.outcome
    total = max(skill.total for skill in found.skills.values())
    succeeded = outcome.goal == "succeeded"
    return EpisodeInfo(
        seed=identity(recording),
        kind=segments[0][1].kind if total == 1 else COMPOSITE,
        split=SPLIT,
        instruction=recording.instruction or segments[0][1].prompt,
        # A simulator knows better than the planner whether the task is achieved.
        success=succeeded if judged is None else judged,
        segments=tuple(segment for _, segment in segments),
        extra={
            "source_file": recording.path.name,
            "bundle_sha256": header.bundle_sha256,
            "bundle_name": header.bundle_name,
            "software": header.software,
            "goal": outcome.goal,
            "dropped_messages": outcome.dropped,
            "largest_gap_s": float(gap_s),
            "safety_events": json.dumps(outcome.safety_events),
            "robot_profile": header.robot_profile,
        },
    )
