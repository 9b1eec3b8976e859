"""How well found boundaries agree with true ones: the yardstick where a dataset carries its skills' frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class BoundaryAgreement:
    """Counts over episodes; only inner boundaries, for both ends of an episode are given."""

    tolerance: int  # frames
    episodes: int = 0
    same_count: int = 0  # episodes with as many segments as true skills
    same_prompts: int = 0  # episodes with exactly the true prompts, in order
    true: int = 0
    found: int = 0
    matched: int = 0
    offsets: list[int] = field(default_factory=list)  # found minus true, of matched pairs, frames

    def add(self, true: Sequence[int], found: Sequence[int]) -> None:
        """Compare one episode's inner boundaries, both in ascending order."""
        offsets = match_boundaries(true, found, self.tolerance)
        self.episodes += 1
        self.same_count += len(true) == len(found)
        self.true += len(true)
        self.found += len(found)
        self.matched += len(offsets)
        self.offsets += offsets

    def summary(self) -> dict[str, object] | None:
        """Precision, recall, F1 and errors in frames; None when no episode had true boundaries."""
        if not self.episodes:
            return None
        precision = self.matched / self.found if self.found else 1.0
        recall = self.matched / self.true if self.true else 1.0
        errors = np.abs(self.offsets)
        return {
            "tolerance_frames": self.tolerance,
            "episodes": self.episodes,
            "same_count": self.same_count,
            "same_prompts": self.same_prompts,
            "true_boundaries": self.true,
            "found_boundaries": self.found,
            "matched": self.matched,
            "precision": round(precision, 4),
            "recall": round(recall, 4),
            "f1": round(2 * precision * recall / (precision + recall), 4) if precision + recall else 0.0,
            "mean_absolute_error_frames": round(float(errors.mean()), 3) if len(errors) else None,
            "median_offset_frames": float(np.median(self.offsets)) if self.offsets else None,
        }


def match_boundaries(true: Sequence[int], found: Sequence[int], tolerance: int) -> list[int]:
    """Differences (found - true) of the pairs that lie within ``tolerance`` frames, each boundary used once, nearest
    pairs first."""
    pairs = sorted((abs(f - t), i, j) for i, t in enumerate(true) for j, f in enumerate(found))
    used_true: set[int] = set()
    used_found: set[int] = set()
    offsets = []
    for distance, i, j in pairs:
        if distance <= tolerance and i not in used_true and j not in used_found:
            used_true.add(i)
            used_found.add(j)
            offsets.append(found[j] - true[i])
    return offsets
