"""Timing two or more things in turns (A B A B ...), so that the noise of a shared machine hits all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.bench.results import Better, Row

Side = Callable[[], Sequence[float]]
"""Does a block of work and returns the seconds of each repetition in it."""


@dataclass(frozen=True)
class Samples:
    """Seconds per repetition, one list per round."""

    rounds: tuple[tuple[float, ...], ...]

    @property
    def values(self) -> list[float]:
        """All rounds in one list [s]."""
        return [value for block in self.rounds for value in block]

    @property
    def median(self) -> float:
        """Median over everything [s]."""
        return float(np.median(self.values))

    def quartiles(self) -> tuple[float, float]:
        """(q25, q75) over everything [s]."""
        low, high = np.percentile(self.values, [25, 75])
        return float(low), float(high)


def interleave(sides: Mapping[str, Side], rounds: int) -> dict[str, Samples]:
    """Run one block of each side, in order, `rounds` times."""
    collected: dict[str, list[tuple[float, ...]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            collected[name].append(tuple(side()))
    return {name: Samples(tuple(blocks)) for name, blocks in collected.items()}


def timed(work: Callable[[], object], repeat: int = 1) -> list[float]:
    """Seconds of each of `repeat` calls."""
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return seconds


def round_ratios(ours: Samples, theirs: Samples) -> tuple[float, float]:
    """Quartiles of how many times faster ours was, round by round."""
    ratios = [float(np.median(b)) / float(np.median(a)) for a, b in zip(ours.rounds, theirs.rounds)]
    low, high = np.percentile(ratios, [25, 75])
    return float(low), float(high)


def compare(
    name: str,
    alternative: str,
    ours: Samples,
    theirs: Samples,
    *,
    unit: str,
    rate: bool,
    at_least: float | None = None,
) -> Row:
    """A row from two sides measured in turns.

    rate: figures are repetitions per second; otherwise milliseconds per repetition. at_least: the ratio to reach.
    """
    better: Better = "higher" if rate else "lower"
    row = Row(
        name=name,
        alternative=alternative,
        unit=unit,
        ours=_in_unit(ours.median, rate),
        theirs=_in_unit(theirs.median, rate),
        better=better,
        n_ours=len(ours.values),
        n_theirs=len(theirs.values),
        spread_ours=_spread(ours, rate),
        spread_theirs=_spread(theirs, rate),
        ratio_quartiles=round_ratios(ours, theirs),
    )
    if at_least is None:
        return row
    return Row(**{**vars(row), "target": f">= {at_least:g}x", "met": row.ratio >= at_least})


def _in_unit(seconds: float, rate: bool) -> float:
    return 1.0 / seconds if rate else 1e3 * seconds


def _spread(samples: Samples, rate: bool) -> tuple[float, float]:
    low, high = sorted(_in_unit(seconds, rate) for seconds in samples.quartiles())
    return low, high
