"""Judges a quantity: does it grow (memory), did it step up and stay there (threads, files)?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from world2act.soak.slope import Slope, TooShortError, fit_slope

Vector = NDArray[np.float64]
Word = Literal["no growth", "grows", "too short", "no leak", "leak"]
BLOCK = 0.1
"""Share of the samples that the first and the last block have, for what is counted in whole numbers."""
FEWEST = 5
"""Samples in a block; a file that happens to be open in one of two samples is no leak."""
SHORTEST_H = 0.5
"""Less than half an hour of samples says nothing about growth per hour: an allocator's moods last for minutes."""


@dataclass(frozen=True)
class Growth:
    """Of memory [MiB, MiB/h]. slope: None when there were too few samples."""

    verdict: Word
    first_mib: float
    last_mib: float
    slope: Slope | None

    @property
    def failed(self) -> bool:
        """Whether this must not be."""
        return self.verdict == "grows"

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Leak:
    """Of what is counted: usual number (median) in the first and in the last block, and the most there ever was."""

    verdict: Word
    first: float
    last: float
    most: float

    @property
    def failed(self) -> bool:
        """Whether this must not be."""
        return self.verdict == "leak"

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def judge_growth(times_s: Vector, values_mib: Vector, bound_mib_per_h: float) -> Growth:
    """Whether memory grows, by the 95 % intervals of two slopes after the warm-up: of its means and of its maxima.

    No growth: both intervals include 0 or lie below it (what there is, is not above the noise), or end below
    `bound_mib_per_h` (there may be some, and it does not matter). The maxima see what the means of memory that swings
    widely (a ring buffer that is emptied at each fault) are too noisy to show.
    """
    first, last = _ends(values_mib)
    means = float(np.mean(first)), float(np.mean(last))
    hours = times_s / 3600.0
    try:
        slope = fit_slope(hours, values_mib)
    except TooShortError:
        return Growth("too short", *means, None)
    if hours[-1] - hours[0] < SHORTEST_H:
        return Growth("too short", *means, slope)
    intervals = ((slope.low, slope.high), (slope.ceiling_low, slope.ceiling_high))
    grows = any(low > 0.0 and high >= bound_mib_per_h for low, high in intervals)
    return Growth("grows" if grows else "no growth", *means, slope)


def judge_leak(values: Vector) -> Leak:
    """Whether a number went up and stayed there: in the last block it never came back to what is usual in the first."""
    first, last = _ends(values)
    if len(first) < FEWEST:
        return Leak("too short", float(np.median(first)), float(np.median(last)), float(np.nanmax(values)))
    usual, now = float(np.median(first)), float(np.median(last))
    leaks = now > usual and float(np.min(last)) > usual
    return Leak("leak" if leaks else "no leak", usual, now, float(np.nanmax(values)))


def _ends(values: Vector) -> tuple[Vector, Vector]:
    """The first and the last block of what is there. Raises ValueError when nothing is."""
    there = values[np.isfinite(values)]
    if not len(there):
        raise ValueError("there is no sample to judge")
    size = max(1, round(BLOCK * len(there)))
    return there[:size], there[-size:]
