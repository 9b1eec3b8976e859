"""The picture of a soak: memory of each process, what is open, and gaps, over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from world2act.soak.meters import MEMORY
from world2act.soak.table import TIME, Series

Vector = NDArray[np.float64]


def draw_figure(path: Path, samples: Series, warm_up_s: float) -> None:
    """PNG. The grey part is the warm-up, which is not judged."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(4, 1, figsize=(10, 12), sharex=True)
    minutes = samples[TIME] / 60.0
    names = [column.removesuffix(MEMORY) for column in samples if column.endswith(MEMORY)]
    for name in names:
        memory = samples[name + MEMORY]
        axes[0].plot(minutes, memory - _after(samples, memory, warm_up_s)[0], linewidth=0.9, label=name)
        axes[1].plot(minutes, samples[f"{name}.threads"], linewidth=0.9)
        axes[2].plot(minutes, samples[f"{name}.fds"], linewidth=0.9)
    for topic in ("commands", "observations", "progress"):
        axes[3].semilogy(minutes, np.maximum(samples[f"{topic}.gap_s"], 1e-3), linewidth=0.9, label=topic)
    labels = ("own memory since the warm-up [MiB]", "threads", "open files", "longest gap [s]")
    for axis, label in zip(axes, labels):
        _finish(axis, label, warm_up_s)
    _fit_memory(axes[0], samples, names, warm_up_s)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="upper center", ncols=len(names), fontsize=8)
    axes[3].legend(fontsize=8, loc="upper right", ncols=3)
    axes[3].set_xlabel("minutes")
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _after(samples: Series, values: Vector, warm_up_s: float) -> Vector:
    """The values after the warm-up, or 0 when there is none."""
    found = values[(samples[TIME] >= warm_up_s) & np.isfinite(values)]
    return found if len(found) else np.zeros(1)


def _fit_memory(axis: Any, samples: Series, names: Sequence[str], warm_up_s: float) -> None:
    """What fills during the warm-up must not make everything after it flat."""
    parts = [_after(samples, samples[name + MEMORY], warm_up_s) for name in names]
    low, high = min(np.min(part - part[0]) for part in parts), max(np.max(part - part[0]) for part in parts)
    margin = 0.1 * (high - low) + 0.5
    axis.set_ylim(low - margin, high + margin)


def _finish(axis: Any, label: str, warm_up_s: float) -> None:
    axis.set_ylabel(label)
    axis.axvspan(0.0, warm_up_s / 60.0, color="#eeeeee", zorder=0)
    axis.grid(alpha=0.3)
