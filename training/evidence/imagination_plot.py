"""Curves of ``measure-imagination`` over the place of a chunk in its clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PANELS = (
    ("error", "mean error of a chunk (share of the limits)"),
    ("cosine", "cosine with the expert's code"),
    ("retrieval", "own chunk found among all clips'"),
)


def write_curves(path: Path, report: dict[str, Any]) -> None:
    """One panel per measure, one line per source."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(PANELS), figsize=(12.5, 3.6), layout="constrained")
    for axes, (measure, title) in zip(panels, PANELS):
        for source, values in report[measure].items():
            points = [(place + 1, value) for place, value in enumerate(values["by_place"]) if value is not None]
            axes.plot(*zip(*points), marker="o", markersize=3, label=source)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("chunk of the skill")
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    panels[0].legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
