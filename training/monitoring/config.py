"""Settings of ``calibrate-monitor``."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Literal

from training.common.errors import EvaluationError


@dataclass(frozen=True)
class CalibrateMonitorConfig:
    """Choose from which score on a skill counts as going wrong, and say how well that tells failures from successes."""

    evaluations: tuple[Path, ...] = (Path("runs/evaluation/tabletop-nano"),)
    """Folders that `training evaluate` left (evaluation.json), all of one policy under one protocol."""
    out: Path | None = None
    """Default: "monitor" in the first evaluation's folder."""
    bundle: Path | None = None
    """Bundle that gets the monitor; refused when it has other weights than the evaluated one."""
    remove: bool = False
    """Take the monitor out of --bundle and do nothing else."""
    score: Literal["alignment_score", "residual_size"] = "alignment_score"
    """What is watched: the alignment (alarm when it is low), or the residual's size (alarm when it is large)."""
    false_alarms: float = 0.05
    """Share of the successful episodes of the calibration half that may raise an alarm."""
    windows: tuple[int, ...] = (1, 2, 4, 8)
    """Numbers of chunks to average over; the one that detects most is chosen."""
    minimum_chunks: int = 2
    """Known scores of a skill's attempt before it is judged."""
    max_retries: int = 2
    """How often an alarm has a skill started again before the instruction is given up."""
    minimum_failures: int = 10
    """Failed episodes with a score that each half needs."""
    draws: int = 2000
    """Bootstrap samples for the intervals."""
    seed: int = 0
    """Of the split into halves and of the bootstrap."""

    def check(self) -> None:
        """Raise EvaluationError when a value makes no sense."""
        problems = []
        if not 0 < self.false_alarms < 1:
            problems.append(f"--false-alarms is {self.false_alarms}, it must be between 0 and 1")
        if not self.windows or min(self.windows) < 1:
            problems.append(f"--windows are {self.windows}, they must be 1 or more")
        if min(self.minimum_chunks, self.minimum_failures) < 1 or self.max_retries < 0 or self.draws < 100:
            problems.append("--minimum-chunks and --minimum-failures must be 1, --max-retries 0, --draws 100 or more")
        if problems:
            raise EvaluationError("; ".join(problems))

    @property
    def minimum_successes(self) -> int:
        """Successful episodes that each half needs: with fewer, one false alarm is above the limit already."""
        return max(10, ceil(1 / self.false_alarms))
