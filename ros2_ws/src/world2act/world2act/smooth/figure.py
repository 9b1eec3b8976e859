"""Commanded position, velocity and jerk of one episode, commander beside commander."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from world2act.smooth.report import Run
from world2act_core.motion.smoothness import jerk, linear_velocity

TITLES = {
    "stepped": "stepped: a target every 0.1 s",
    "switched": "switched: interpolated, the newest chunk at once",
    "blended": "blended: interpolated, seams faded",
}
COLOURS = ("#4878a8", "#b0703c", "#6a9a58")


def draw_figure(path: Path, runs: Sequence[Run]) -> None:
    """runs: the same episode with each commander. Vertical lines: a chunk came. Jerk on a logarithmic scale."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        3, len(runs), figsize=(4.6 * len(runs), 7.2), sharex="col", sharey="row", squeeze=False
    )
    for column, run in enumerate(runs):
        _draw_column(axes[:, column], run)
    for row, label in enumerate(("commanded position [m]", "commanded velocity [m/s]", "commanded jerk [m/s³]")):
        axes[row, 0].set_ylabel(label)
    axes[0, 0].legend(fontsize=8, loc="upper right")
    figure.suptitle(f"“{runs[0].request.instruction}”, seed {runs[0].request.seed}", fontsize=10)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw_column(axes: Any, run: Run) -> None:
    trace = run.trace
    velocity = linear_velocity(trace.commanded, trace.period_s)
    jerks = np.linalg.norm(jerk(velocity, trace.period_s), axis=1)
    times = np.arange(len(trace.commanded)) * trace.period_s
    for axis, colour in enumerate(COLOURS):
        axes[0].plot(times, trace.commanded[:, axis], color=colour, linewidth=1.2, label="xyz"[axis])
        axes[1].plot(times[1:], velocity[:, axis], color=colour, linewidth=0.9)
    axes[2].semilogy(times[3:], np.maximum(jerks, 1e-1), color="#444444", linewidth=0.8)
    axes[1].set_yscale("symlog", linthresh=0.5)
    axes[1].set_yticks([-5, -1, -0.5, 0, 0.5, 1, 5], ["-5", "-1", "-0.5", "0", "0.5", "1", "5"])
    for part in axes:
        for row in trace.arrivals:
            part.axvline(row * trace.period_s, color="#cccccc", linewidth=0.6, zorder=0)
    axes[0].set_title(TITLES.get(run.commander, run.commander), fontsize=10)
    axes[2].set_xlabel("simulated time [s]")
