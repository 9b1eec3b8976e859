"""What came out: counts, agreement with true boundaries, and the figure of clip lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from training.skills.plan import PlanReport


def summarise(report: PlanReport, fps: float, settings: dict[str, Any]) -> dict[str, Any]:
    """The JSON summary: plain numbers and strings."""
    return {
        "episodes": report.episodes,
        "episodes_used": len(report.whole_frames),
        "clips": len(report.clip_frames),
        "discarded": dict(sorted(report.discarded.items())),
        "discarded_examples": report.examples,
        "cues": dict(sorted(report.cues.items())),
        "fps": fps,
        "whole_length_frames": length_statistics(report.whole_frames),
        "skill_length_frames": length_statistics(report.clip_frames),
        "agreement": report.agreement.summary(),
        "settings": settings,
    }


def length_statistics(lengths: list[int]) -> dict[str, float]:
    """Mean, standard deviation and quantiles of lengths in frames; empty for no lengths."""
    if not lengths:
        return {}
    values = np.array(lengths, np.float64)
    quantiles = np.percentile(values, [0, 25, 50, 75, 95, 100])
    names = ("min", "p25", "median", "p75", "p95", "max")
    spread = {name: float(value) for name, value in zip(names, quantiles)}
    return {"mean": round(float(values.mean()), 2), "std": round(float(values.std()), 2), **spread}


def draw_lengths(whole: list[int], clips: list[int], fps: float, path: Path) -> None:
    """Histogram of lengths in seconds, whole demonstrations against skill clips, as PNG (paper: Figure 3)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.0, 3.6), layout="constrained")
    bins = np.linspace(0.0, max([*whole, *clips]) / fps, 41).tolist()
    for lengths, label, colour in ((whole, "whole demonstrations", "#8c8c8c"), (clips, "skill clips", "#1f77b4")):
        seconds = np.array(lengths) / fps
        label = f"{label}: n = {len(lengths)}, {seconds.mean():.1f} ± {seconds.std():.1f} s"
        axes.hist(seconds, bins, alpha=0.6, color=colour, label=label)
        axes.axvline(float(np.mean(seconds)), color=colour, linestyle="--", linewidth=1.2)
    axes.set(xlabel="length [s]", ylabel="clips")
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140)
    plt.close(figure)
