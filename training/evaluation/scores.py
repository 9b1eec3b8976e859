"""What the run-time monitor sees of an episode, inference by inference: whose chunk it was, when, and its scores."""

from __future__ import annotations

import math
from typing import Any

from world2act_core.monitor import chunk_score
from world2act_core.types import ActionChunk


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

    def to_json(self) -> dict[str, Any]:
        """Per inference: attempt, time since the reset (s), scores (None where unknown); and the scores' means."""
        return {
            "alignment": _mean(self._alignment),
            "alignment_chunks": self._alignment,
            "residual_size": _mean(self._residual),
            "residual_chunks": self._residual,
            "chunk_attempts": self._attempts,
            "chunk_seconds": self._seconds,
        }


def _known(score: float) -> float | None:
    return score if math.isfinite(score) else None


def _mean(scores: list[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None
