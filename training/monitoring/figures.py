"""The two pictures of a calibration: ROC curves, and the score over time of failures and successes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.common.disk import write_bytes_atomically
from training.monitoring.calibrate import Calibrated, by_success, show_area
from training.monitoring.judgements import Judgements, sign_of
from training.monitoring.separation import roc_curve

COLOURS = {"failed": "#c83c32", "succeeded": "#3caa50"}
FEWEST = 3
"""Moments with fewer episodes than this are not drawn."""


def draw_roc(result: Calibrated, path: Path) -> None:
    """ROC curves of both halves over whole episodes, with the operating point."""
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(figsize=(4.6, 4.4), layout="constrained")
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle=":")
    labels = {"calibration": "calibration half", "held_out": f"held out: AUC {show_area(result.auc)}"}
    for name, colour in (("calibration", "#8c8c8c"), ("held_out", "#1f77b4")):
        failures, successes = by_success(getattr(result.halves, name))
        curve = roc_curve(np.array([one.worst for one in failures]), np.array([one.worst for one in successes]))
        axes.plot(*curve, color=colour, drawstyle="steps-post", label=labels[name])
    if result.detection is not None:
        point = (result.detection.false_alarms.rate, result.detection.detection.rate)
        axes.plot(*point, "o", color="#1f77b4", label="at the threshold")
    axes.set(xlabel="false alarms / successes", ylabel="detected / failures", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_title(f"{result.monitor.score}, mean of {result.monitor.window}", fontsize=10)
    axes.legend(fontsize=7, loc="lower right")
    _save(figure, pyplot, path)


def draw_scores(result: Calibrated, path: Path) -> None:
    """Running mean over the time since the episode's start: median and quartiles of failures and of successes."""
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(figsize=(7.0, 3.6), layout="constrained")
    sign = sign_of(result.monitor.score)
    failures, successes = by_success((*result.halves.calibration, *result.halves.held_out))
    for name, judged in (("succeeded", successes), ("failed", failures)):
        seconds, low, middle, high = _bands(judged, sign)
        axes.fill_between(seconds, low, high, color=COLOURS[name], alpha=0.2, linewidth=0)
        axes.plot(seconds, middle, color=COLOURS[name], label=f"{name}: n = {len(judged)}")
    if result.monitor.threshold is not None:
        axes.axhline(result.monitor.threshold, color="#222222", linewidth=1, linestyle="--", label="threshold")
    axes.set(xlabel="since the episode's start [s]", ylabel=f"{result.monitor.score}, mean of {result.monitor.window}")
    axes.set_title("median and quartiles of the episodes", fontsize=10)
    axes.legend(fontsize=7)
    _save(figure, pyplot, path)


def _bands(judged: Sequence[Judgements], sign: float) -> tuple[Any, Any, Any, Any]:
    """Moments (s) that enough episodes have, and quartiles of the running mean there."""
    moments: dict[float, list[float]] = {}
    for one in judged:
        for second, value in zip(one.seconds, one.signed):
            moments.setdefault(round(float(second), 1), []).append(sign * float(value))
    seconds = sorted(second for second, values in moments.items() if len(values) >= FEWEST)
    quartiles = np.array([np.percentile(moments[second], [25, 50, 75]) for second in seconds]).reshape(-1, 3)
    return seconds, quartiles[:, 0], quartiles[:, 1], quartiles[:, 2]


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, pyplot: Any, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    pyplot.close(figure)
    write_bytes_atomically(path, buffer.getvalue())
