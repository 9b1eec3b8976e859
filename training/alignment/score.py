"""The alignment score: how well executed actions agree with what the world model imagined.

Post-training maximises it, the run-time monitor watches it. Both codes must come from one pair of adapters.
"""

from __future__ import annotations

import torch

from training.alignment.adapters import ActionAdapter, VideoAdapter, cosine
from training.common.action_scale import ActionScale


def chunk_scores(video: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
    """Cosine per chunk in [-1, 1]: codes [..., N, D] twice -> [..., N]."""
    return cosine(video, action)


def alignment_score(video: torch.Tensor, action: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Mean cosine over the chunks that count, per sample, in [-1, 1]; NaN where none does.

    Args:
        video: [B, N, D] codes of imagined latents. action: [B, N, D] codes of the executed chunks.
        mask: bool [B, N]: executed and imagined (None: all).
    Returns:
        [B]
    """
    scores = chunk_scores(video, action)
    if mask is None:
        return scores.mean(dim=-1)
    return torch.where(mask, scores, torch.zeros_like(scores)).sum(-1) / mask.sum(-1)


class AlignmentScorer:
    """Scores the chunks of an episode against the latents imagined at its beginning, as they are executed."""

    def __init__(
        self,
        video: VideoAdapter,
        action: ActionAdapter,
        scale: ActionScale,
        imagined: torch.Tensor,
        valid: int | None = None,
    ) -> None:
        """``imagined``: [16, 1+N, h, w] from the world model; ``valid``: chunks of it that count (None: all N)."""
        with torch.no_grad():
            self.codes = video(imagined[None])[0]
        self._adapter, self._scale = action, scale
        self._valid = len(self.codes) if valid is None else min(valid, len(self.codes))
        self.scores: list[float] = []

    @torch.no_grad()
    def add(self, actions: torch.Tensor) -> float | None:
        """Take in the next executed chunk [M, A] in robot units; its cosine, or None past the end of the imagined."""
        place = len(self.scores)
        if place >= self._valid:
            return None
        code = self._adapter.encode(self._scale.normalise(actions)[None])[0]
        self.scores.append(float(chunk_scores(self.codes[place], code)))
        return self.scores[-1]

    @property
    def score(self) -> float | None:
        """Mean over the chunks so far; None before the first."""
        return sum(self.scores) / len(self.scores) if self.scores else None
