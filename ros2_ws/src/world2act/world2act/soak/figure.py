"""The picture of a soak: memory of each process, what is open, and gaps, over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from world2act.soak.table import TIME, Series


def draw_figure(path: Path, samples: Series, warm_up_s: float) -> None:
    """PNG. The grey part is the warm-up, which is not judged."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(4, 1, figsize=(10, 12), sharex=True)
    minutes = samples[TIME] / 60.0
    names = [column.removesuffix(".uss_mib") for column in samples if column.endswith(".uss_mib")]
    for name in names:
        memory = samples[f"{name}.uss_mib"]
        axes[0].plot(minutes, memory - _reference(samples, memory, warm_up_s), linewidth=0.9, label=name)
        axes[1].plot(minutes, samples[f"{name}.threads"], linewidth=0.9)
        axes[2].plot(minutes, samples[f"{name}.fds"], linewidth=0.9)
    for topic in ("commands", "observations", "progress"):
        axes[3].semilogy(minutes, np.maximum(samples[f"{topic}.gap_s"], 1e-3), linewidth=0.9, label=topic)
    labels = ("USS since the warm-up [MiB]", "threads", "open files", "longest gap [s]")
    for axis, label in zip(axes, labels):
        _finish(axis, label, warm_up_s)
    axes[0].legend(fontsize=8, loc="upper left", ncols=4)
    axes[3].legend(fontsize=8, loc="upper left", ncols=3)
    axes[3].set_xlabel("minutes")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _reference(samples: Series, memory: Any, warm_up_s: float) -> float:
    """What the process had at the end of the warm-up: what came after it is what matters."""
    after = memory[samples[TIME] >= warm_up_s]
    after = after[np.isfinite(after)]
    return float(after[0]) if len(after) else 0.0


def _finish(axis: Any, label: str, warm_up_s: float) -> None:
    axis.set_ylabel(label)
    axis.axvspan(0.0, warm_up_s / 60.0, color="#eeeeee", zorder=0)
    axis.grid(alpha=0.3)
