"""Calibration and held-out half: every seed is in one of them only, with all of its kinds and splits."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

from training.common.errors import EvaluationError
from training.monitoring.config import CalibrateMonitorConfig
from training.monitoring.episodes import ScoredEpisode

Episodes = tuple[ScoredEpisode, ...]


def split_by_seed(episodes: Sequence[ScoredEpisode], seed: int) -> tuple[Episodes, Episodes]:
    """(calibration, held out); `seed` decides which seed goes where."""
    seeds = np.unique([episode.seed for episode in episodes])
    shuffled = np.random.default_rng(seed).permutation(seeds)
    calibration = set(shuffled[: len(shuffled) // 2].tolist())
    return (
        tuple(episode for episode in episodes if episode.seed in calibration),
        tuple(episode for episode in episodes if episode.seed not in calibration),
    )


def counts(episodes: Sequence[ScoredEpisode]) -> tuple[int, int]:
    """(failures, successes)."""
    successes = sum(episode.success for episode in episodes)
    return len(episodes) - successes, successes


def require_enough(calibration: Episodes, held_out: Episodes, config: CalibrateMonitorConfig) -> None:
    """Raise EvaluationError when a half has too few failures or successes, with how many episodes would be enough."""
    needed = (config.minimum_failures, config.minimum_successes)
    halves = {"calibration": counts(calibration), "held-out": counts(held_out)}
    if all(have >= need for half in halves.values() for have, need in zip(half, needed)):
        return
    found = " and ".join(
        f"{fails} failures, {good} successes in the {name} half" for name, (fails, good) in halves.items()
    )
    total = len(calibration) + len(held_out)
    failures, successes = counts((*calibration, *held_out))
    advice = []
    for have, need, name in ((failures, needed[0], "failed"), (successes, needed[1], "succeeded")):
        if have == 0:
            advice.append(f"none of the {total} episodes {name}: choose other --splits or --kinds")
        else:
            # A fifth more, because the halves are not exactly even.
            advice.append(f"{have} of {total} {name}: about {ceil(2.4 * need * total / have)} episodes are enough")
    raise EvaluationError(
        f"too few episodes to calibrate: {found}; each half needs {needed[0]} failures and {needed[1]} successes. "
        f"{'; '.join(advice)}. Evaluate more seeds, `python -m training evaluate --episodes N`, or splits on which the "
        "policy fails more often, --splits all"
    )
