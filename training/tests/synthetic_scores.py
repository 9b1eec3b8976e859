"""Evaluations with made-up scores, in the files that ``training evaluate`` leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from training.evaluation.rollout import Episode, EpisodeOutcome, RolloutConfig
from training.evaluation.scores import ScoreLog
from world2act_core.types import ActionChunk

STEP_S = 0.4
Draw = Callable[[np.random.Generator, bool, int], Sequence[float]]


def tells(rng: np.random.Generator, success: bool, count: int) -> Sequence[float]:
    """Scores that are lower in failures."""
    return rng.normal(0.7 if success else 0.3, 0.15, count)


def says_nothing(rng: np.random.Generator, success: bool, count: int) -> Sequence[float]:
    """Scores that are the same in failures, whatever their length."""
    return rng.normal(0.5, 0.15, count)


def score_log(scores: Sequence[float], attempts: Sequence[int] | None = None) -> ScoreLog:
    """The log of an episode whose chunks had these alignment scores."""
    log = ScoreLog()
    numbers = [0] * len(scores) if attempts is None else attempts
    for i, (score, attempt) in enumerate(zip(scores, numbers)):
        log.see(scored_chunk(STEP_S * i, score), attempt)
    return log


def scored_chunk(start_s: float, score: float) -> ActionChunk:
    """A chunk with an alignment score and half of it as the residual's size."""
    chunk = ActionChunk(0, start_s, 0.1, np.zeros((8, 7), np.float32))
    object.__setattr__(chunk, "alignment_score", score)
    object.__setattr__(chunk, "residual_size", score / 2)
    return chunk


def write_evaluation(
    folder: Path,
    draw: Draw = tells,
    failures: int = 60,
    successes: int = 100,
    lengths: tuple[int, int] = (20, 20),
    first_seed: int = 0,
    weights: str = "1" * 64,
    **protocol: Any,
) -> Path:
    """evaluation.json in ``folder``; lengths: chunks of failures and of successes."""
    rng = np.random.default_rng(first_seed)
    rows = []
    outcomes = rng.permutation([False] * failures + [True] * successes)
    for seed, success in enumerate(outcomes.tolist(), start=first_seed):
        count = lengths[int(success)]
        ending = "finished" if success else "timeout"
        outcome = EpisodeOutcome(
            Episode("pick", "seen", seed), "pick up the can", ("pick up the can",), success, (success,), ending,
            STEP_S * (count - 1), count, 0, scores=score_log(draw(rng, success, count)),
        )  # fmt: skip
        rows.append(outcome.to_json())
    files = {"policy.onnx": weights, "contract.yaml": "2" * 64, "card.md": "3" * 64}
    report = {
        "bundle": {"name": "made-up", "sha256": "4" * 64, "files": files},
        "protocol": {**asdict(RolloutConfig()), "robot": "Panda", **protocol},
        "episodes": rows,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(report))
    return folder
