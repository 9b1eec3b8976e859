"""What is watched of a policy during an episode: the alignment score and the residual's size. It decides nothing."""

from __future__ import annotations

import math

import numpy as np

from world2act_core.alignment import AlignmentTracker
from world2act_core.imagined import CodeBook
from world2act_core.types import ActionChunk


class ChunkWatch:
    """Looks at every chunk of one episode."""

    def __init__(self, start: str, prompts: tuple[str, ...], codes: CodeBook | None) -> None:
        """start: name of the initial state; prompts: canonical words of the skills in order."""
        self._start = start
        self._prompts = prompts
        self._tracker = None if codes is None else AlignmentTracker(codes)
        self._scores: list[float | None] = []
        self._sizes: list[float] = []

    def see(self, chunk: ActionChunk, skill: int) -> None:
        """Take in the next inference, made for skill number ``skill``."""
        score = math.nan
        if self._tracker is not None:
            score = self._tracker.score(chunk, self._start, self._prompts[skill], skill)
        self._scores.append(None if math.isnan(score) else score)
        if not math.isnan(chunk.residual_size):
            self._sizes.append(chunk.residual_size)

    def alignment_chunks(self) -> tuple[float | None, ...] | None:
        """Per inference the cosine, None where nothing was imagined; None when no inference has one."""
        return tuple(self._scores) if any(score is not None for score in self._scores) else None

    def residual_size(self) -> float | None:
        """Mean over the inferences; None for a policy without a residual."""
        return float(np.mean(self._sizes)) if self._sizes else None
