"""Figures of the evidence: success against trajectories and tasks, and against the alignment score."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.common.disk import write_bytes_atomically
from training.evidence.clusters import clusters_of, rate_interval
from training.evidence.measurements import Claim, Measurements
from training.evidence.score_claims import (
    Pairs,
    ScorePredictsCheckpoint,
    ScorePredictsSuccess,
    checkpoint_points,
    scored_episodes,
)
from training.evidence.success_claims import Rising
from training.evidence.world2act import PIXELS, V1
from world2act_core.statistics import wilson_interval

COLOURS = {V1: "#1f77b4", PIXELS: "#d62728"}
NAMES = {V1: "World2Act v1", PIXELS: "pixel-space"}
BINS = 5


def write_plots(measured: Measurements, claims: Sequence[Claim], folder: Path) -> list[Path]:
    """Write every figure of these claims that there are measurements for; returns their paths."""
    import matplotlib

    matplotlib.use("Agg")
    rising = [claim for claim in claims if isinstance(claim, Rising)]
    curves = [claim for claim in rising if claim.group != "unseen-tasks"]
    tasks = [claim for claim in rising if claim.group == "unseen-tasks"]
    made = [
        _levels(measured, curves, "post-training trajectories", folder / "world2act-trajectories.png"),
        _levels(measured, tasks, "tasks seen in post-training", folder / "world2act-unseen-tasks.png"),
        _scores(measured, claims, folder / "world2act-score.png"),
    ]
    return [path for path in made if path is not None]


def _levels(measured: Measurements, claims: Sequence[Rising], label: str, path: Path) -> Path | None:
    """One panel per group, one line per method, over those levels that were measured."""
    from matplotlib import pyplot

    lines = [(claim, _points(measured, claim)) for claim in claims]
    lines = [(claim, points) for claim, points in lines if len(points) > 1]
    if not lines:
        return None
    groups = list(dict.fromkeys(claim.group for claim, _ in lines))
    figure, panels = pyplot.subplots(
        1, len(groups), figsize=(4.2 * len(groups), 3.4), squeeze=False, sharey=True, layout="constrained"
    )
    for claim, points in lines:
        axes = panels[0][groups.index(claim.group)]
        method = next((name for name in COLOURS if name in claim.arms), "")
        levels, rates, low, high = (np.array(column) for column in zip(*points))
        aside = 0.03 if method == PIXELS else 0.0  # intervals of two methods must not hide each other
        places = [claim.levels.index(level) + aside for level in levels]
        spread = 100 * np.abs(np.stack([rates - low, high - rates]))
        axes.errorbar(
            places, 100 * rates, spread, marker="o", capsize=3, label=NAMES.get(method), color=COLOURS.get(method)
        )
        axes.set_xticks(range(len(claim.levels)), list(map(str, claim.levels)))
        axes.set(xlabel=label, title=claim.group)
    panels[0][0].set_ylabel("success (%), 95 % interval")
    if any(name in claim.arms for claim, _ in lines for name in COLOURS):
        panels[0][0].legend()
    return _save(figure, path)


def _points(measured: Measurements, claim: Rising) -> list[tuple[int, float, float, float]]:
    """(level, rate, low, high) of every arm of a claim that was measured."""
    points = []
    for name, level in zip(claim.arms, claim.levels):
        episodes = measured.shared((name,), claim.group)
        if episodes:
            successes = measured.arms[name].successes(episodes)
            interval = rate_interval(successes, clusters_of(episodes))
            points.append((level, sum(successes) / len(episodes), *interval))
    return points


def _scores(measured: Measurements, claims: Sequence[Claim], path: Path) -> Path | None:
    """Success by fifths of the episodes' scores; success against mean score over checkpoints."""
    from matplotlib import pyplot

    episodes = [
        p for c in claims if isinstance(c, ScorePredictsSuccess) for p in scored_episodes(measured, c.arm, c.group)
    ]
    points = [
        p
        for c in claims
        if isinstance(c, ScorePredictsCheckpoint)
        for p in checkpoint_points(measured, c.arms, c.group)
    ]
    if not episodes and not points:
        return None
    figure, panels = pyplot.subplots(1, 2, figsize=(8.4, 3.4), sharey=True, layout="constrained")
    for score, rate, low, high in _binned(episodes):
        panels[0].errorbar(score, 100 * rate, [[100 * (rate - low)], [100 * (high - rate)]], fmt="o", color="#1f77b4")
    if points:
        panels[1].scatter([score for score, _ in points], [100 * rate for _, rate in points], color="#1f77b4")
    panels[0].set(xlabel="alignment score, fifths of the episodes", ylabel="success (%), 95 % interval")
    panels[1].set(xlabel="mean alignment score, checkpoints")
    return _save(figure, path)


def _binned(pairs: Pairs) -> list[tuple[float, float, float, float]]:
    """(mean score, success rate, low, high) of equally many episodes each, by rising score."""
    ordered = sorted(pairs)
    parts = [part for part in np.array_split(np.array(ordered).reshape(-1, 2), BINS) if len(part)]
    rows = []
    for part in parts:
        good = int(part[:, 1].sum())
        rows.append((float(part[:, 0].mean()), good / len(part), *wilson_interval(good, len(part))))
    return rows


def _save(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=140)
    pyplot.close(figure)
    write_bytes_atomically(path, buffer.getvalue())
    return path
