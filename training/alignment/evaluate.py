"""Measures a pair of adapters on the fixed held-out set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from training.alignment.adapters import Aligner
from training.alignment.batches import BatchSource
from training.alignment.losses import chunk_errors, masked_mean
from training.alignment.retrieval import Retrieval, ShiftProfile, retrieval, shift_profile
from training.alignment.score import alignment_score


@dataclass(frozen=True)
class Evaluation:
    """What the adapters can do on windows of episodes they have not seen."""

    retrieval: Retrieval
    shifts: ShiftProfile
    score: float  # mean alignment score of a window
    reconstruction: float  # mean squared error of a chunk, normalised units
    windows: int

    def to_json(self) -> dict[str, Any]:
        """Everything under its name."""
        return {
            "windows": self.windows,
            "retrieval": self.retrieval.to_json(),
            "shift_profile": self.shifts.to_json(),
            "alignment_score": self.score,
            "reconstruction": self.reconstruction,
        }

    def line(self) -> str:
        """One line for a person."""
        top1, top5, within = self.retrieval.top1, self.retrieval.top5, self.retrieval.within_top1
        low, high = top1.interval
        best = self.shifts.best
        shift = "not measured: windows too short" if best is None else f"{best:+d}"
        return (
            f"held out: top-1 {top1.rate:.3f} [{low:.3f}, {high:.3f}] (chance {top1.chance:.3f}, n {top1.n})  "
            f"top-5 {top5.rate:.3f} (chance {top5.chance:.3f})  within window {within.rate:.3f} "
            f"(chance {within.chance:.3f})  best shift {shift}  score {self.score:.3f}  "
            f"reconstruction {self.reconstruction:.4f}"
        )


@torch.no_grad()
def evaluate(aligner: Aligner, source: BatchSource, windows: int, device: torch.device) -> Evaluation | None:
    """Codes of the held-out set and what they retrieve; None when nothing is held out."""
    aligner.eval()
    parts: list[tuple[torch.Tensor, ...]] = []
    for batch in source.held_out(windows):
        pairs = batch.to(device)
        count = pairs.paired.shape[1]
        action = aligner.action.encode(pairs.actions)
        errors = chunk_errors(aligner.action.decode(action), pairs.actions)
        kept = (aligner.video(pairs.latents), action[:, :count], pairs.paired, errors, pairs.present)
        parts.append(tuple(part.cpu() for part in kept))
    aligner.train()
    if not parts:
        return None
    video, action, paired, errors, present = (torch.cat(column) for column in zip(*parts))
    score = alignment_score(video, action, paired)
    return Evaluation(
        retrieval(video, action, paired),
        shift_profile(video, action, paired),
        float(score.nanmean()),
        float(masked_mean(errors, present)),
        len(video),
    )
