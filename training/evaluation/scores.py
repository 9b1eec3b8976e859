"""What the run-time monitor sees of an episode, inference by inference: whose chunk it was, when, and its scores."""

from __future__ import annotations

import math
from typing import Any

from world2act_core.monitor import chunk_score
from world2act_core.types import ActionChunk

Scores = tuple[float | None, ...]


class ScoreLog:
    """Remembers one episode's inferences in order."""

    def __init__(self) -> None:
        self._attempts: list[int] = []
        self._seconds: list[float] = []
        self._alignment: list[float | None] = []
        self._residual: list[float | None] = []

    def see(self, chunk: ActionChunk, attempt: int) -> None:
        """Take in the next chunk; attempt: the sequencer's number of the skill's attempt that it was made for."""
        self._attempts.append(attempt)
        self._seconds.append(round(chunk.start_time_s, 6))
        self._alignment.append(_known(chunk_score(chunk, "alignment_score")))
        self._residual.append(_known(chunk_score(chunk, "residual_size")))

    @property
    def alignment_chunks(self) -> Scores | None:
        """Per inference the cosine of executed and imagined code, None where unknown; None when it always is."""
        return _any_known(self._alignment)

    @property
    def alignment(self) -> float | None:
        """Mean of the known ones."""
        return _mean(self._alignment)

    @property
    def residual_chunks(self) -> Scores | None:
        """Per inference the residual's size; None without a residual."""
        return _any_known(self._residual)

    @property
    def residual_size(self) -> float | None:
        """Mean of the known ones."""
        return _mean(self._residual)

    def to_json(self) -> dict[str, Any]:
        """All of it; chunk_attempts and chunk_seconds (since the reset) have one entry per inference."""
        return {
            "alignment": self.alignment,
            "alignment_chunks": self.alignment_chunks and list(self.alignment_chunks),
            "residual_size": self.residual_size,
            "residual_chunks": self.residual_chunks and list(self.residual_chunks),
            "chunk_attempts": self._attempts,
            "chunk_seconds": self._seconds,
        }


def _known(score: float) -> float | None:
    return score if math.isfinite(score) else None


def _any_known(scores: list[float | None]) -> Scores | None:
    return tuple(scores) if any(score is not None for score in scores) else None


def _mean(scores: list[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None
