"""Which clips a source dataset yields: segmentation, prompts and checks, before any video is touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.lerobot_reader import LeRobotReader, file_number
from training.skills.agreement import BoundaryAgreement
from training.skills.config import SkillsConfig
from training.skills.decompose import AtomicPrompt, Decomposer, Discarded
from training.skills.motion import TrajectorySource
from training.skills.segment import Segment, segment

CLIPS_PER_EPISODE = 100  # a clip's seed is its demonstration's seed times this, plus its position
SHOWN_EXAMPLES = 5


@dataclass(frozen=True)
class EpisodePlan:
    """The clips of one demonstration (a row of the source's ``meta/episodes``)."""

    row: dict[str, Any]
    segments: tuple[Segment, ...]
    prompts: tuple[AtomicPrompt, ...]
    columns: dict[str, NDArray[Any]]  # of every frame of the demonstration, [T, ...]

    def clip_seeds(self) -> list[int]:
        """One number per clip, unique in the dataset."""
        return [int(self.row["seed"]) * CLIPS_PER_EPISODE + i for i in range(len(self.segments))]


@dataclass
class PlanReport:
    """Counts over everything that was looked at."""

    agreement: BoundaryAgreement
    episodes: int = 0
    discarded: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    cues: Counter[str] = field(default_factory=Counter)
    whole_frames: list[int] = field(default_factory=list)
    clip_frames: list[int] = field(default_factory=list)

    def add_discarded(self, row: dict[str, Any], error: Discarded) -> None:
        """Count an episode that yields nothing and keep the first few as examples."""
        self.discarded[error.reason] += 1
        kept = self.examples.setdefault(error.reason, [])
        if len(kept) < SHOWN_EXAMPLES:
            kept.append(f"episode {row['episode_index']}: {error.detail}")

    def add_plan(self, plan: EpisodePlan) -> None:
        """Count an episode that yields clips, and compare it with what is known about its skills."""
        self.whole_frames.append(int(plan.row["length"]))
        self.clip_frames += [len(part) for part in plan.segments]
        self.cues.update(part.cue for part in plan.segments)
        if _has_true_skills(plan.row):
            self.agreement.same_prompts += [p.text for p in plan.prompts] == list(plan.row["skills"])


def plan_clips(
    reader: LeRobotReader, source: TrajectorySource, decomposer: Decomposer, config: SkillsConfig, minimum: int
) -> Generator[tuple[EpisodePlan | None, PlanReport]]:
    """Look at every demonstration in order; gives its clips (None: discarded) and the running report.

    ``minimum``: frames a clip must have. Prompts are asked for ``config.llm.parallel`` demonstrations at a time.
    However it ends, the ``decomposer`` is closed: nobody waits for an answer that is not wanted any more.
    """
    report = PlanReport(BoundaryAgreement(config.tolerance_frames))
    rows = iter(reader.episodes[: config.max_episodes])
    columns = _EpisodeColumns(reader)
    ahead = config.llm.parallel if config.decomposer == "llm" else 1
    with ThreadPoolExecutor(ahead) as pool:

        def start(row: dict[str, Any]) -> tuple[dict[str, Any], Future[EpisodePlan]]:
            values = columns.of(row)
            parts = tuple(segment(source.read(values, reader.fps), config.segmentation))
            if _has_true_skills(row) and row["success"]:
                report.agreement.add(list(row["skill_from"])[1:], [part.start for part in parts[1:]])
            return row, pool.submit(_plan, row, parts, values, decomposer, reader.fps, config, minimum)

        waiting: list[tuple[dict[str, Any], Future[EpisodePlan]]] = []
        try:
            for row in islice(rows, 2 * ahead):
                waiting.append(start(row))  # one by one: an interrupt finds those that are asked already
            while waiting:
                row, answer = waiting.pop(0)
                report.episodes += 1
                try:
                    plan: EpisodePlan | None = answer.result()
                except Discarded as error:
                    report.add_discarded(row, error)
                    plan = None
                if plan:
                    report.add_plan(plan)
                yield plan, report
                waiting += [start(row) for row in islice(rows, 1)]
        finally:
            for _, answer in waiting:
                answer.cancel()
            decomposer.close()


def _plan(
    row: dict[str, Any],
    segments: tuple[Segment, ...],
    columns: dict[str, NDArray[Any]],
    decomposer: Decomposer,
    fps: float,
    config: SkillsConfig,
    minimum: int,
) -> EpisodePlan:
    if not row["success"] and not config.include_failed:
        raise Discarded("failed_demonstration", str(row["instruction"]))
    shortest = min(len(part) for part in segments)
    if shortest < minimum:
        raise Discarded("too_short", f"a clip of {shortest} frames; a chunk has {minimum}")
    if len(segments) > CLIPS_PER_EPISODE:
        raise Discarded("count_mismatch", f"{len(segments)} segments, more than {CLIPS_PER_EPISODE}")
    return EpisodePlan(row, segments, decomposer.decompose(str(row["instruction"]), segments, fps), columns)


def _has_true_skills(row: dict[str, Any]) -> bool:
    """Rows of `collect` carry every skill's frames; imported demonstrations have one entry of kind "whole"."""
    return "skill_from" in row and "whole" not in row["skill_kinds"]


class _EpisodeColumns:
    """The columns of one episode after another, each of the dataset's files read once."""

    def __init__(self, reader: LeRobotReader) -> None:
        self._reader = reader
        self._number = -1
        self._columns: dict[str, NDArray[Any]] = {}
        self._first = 0

    def of(self, row: dict[str, Any]) -> dict[str, NDArray[Any]]:
        if file_number(row) != self._number:
            self._number = file_number(row)
            self._columns = self._reader.file_columns(self._number)
            self._first = int(np.min(self._columns["index"]))
        start = int(row["dataset_from_index"]) - self._first
        return {name: values[start : start + int(row["length"])] for name, values in self._columns.items()}
