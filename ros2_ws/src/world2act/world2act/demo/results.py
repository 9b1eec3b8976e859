"""What the demonstration leaves behind: summary.json and a figure."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from world2act_core.files import atomic_write_text
from world2act_core.statistics import wilson_interval


@dataclass(frozen=True)
class EpisodeResult:
    """One episode. success: judged from physics state; error: how the instruction ended ("NONE": every skill done).

    seconds: on the graph's clock, simulated in lockstep; wall_seconds: on the wall's.
    """

    instruction: str
    skills: list[str]
    seed: int
    success: bool
    seconds: float
    wall_seconds: float
    error: str
    message: str


@dataclass(frozen=True)
class DemoResult:
    """All of it. latencies_ms: picture -> command, wall clock; inference_ms: the network alone."""

    episodes: list[EpisodeResult]
    latencies_ms: list[float]
    inference_ms: list[float]
    lockstep: bool
    bundle: str
    bundle_hash: str
    facts: dict[str, Any] = field(default_factory=dict)


def environment_facts() -> dict[str, Any]:
    """The machine and versions a result was made with."""
    import mujoco
    import onnxruntime

    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "mujoco": mujoco.__version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
        "mujoco_gl": os.environ.get("MUJOCO_GL", "egl"),
    }


def write_summary(path: Path, result: DemoResult) -> None:
    """summary.json: `episodes`, success with its Wilson interval, latencies, and what it was measured with."""
    successes = sum(episode.success for episode in result.episodes)
    summary = {
        "episodes": [asdict(episode) for episode in result.episodes],
        "success": _rate(successes, len(result.episodes)),
        "by_instruction": {
            instruction: _rate(*counts) for instruction, counts in by_instruction(result.episodes).items()
        },
        "mode": "lockstep" if result.lockstep else "realtime",
        "picture_to_command_ms": _percentiles(result.latencies_ms),
        "inference_ms": _percentiles(result.inference_ms),
        "bundle": {"path": result.bundle, "manifest_sha256": result.bundle_hash},
        "environment": result.facts,
    }
    atomic_write_text(path, json.dumps(summary, indent=2) + "\n")


def by_instruction(episodes: Sequence[EpisodeResult]) -> dict[str, tuple[int, int]]:
    """Instruction -> (successes, episodes), in the order they were first given."""
    counts: dict[str, tuple[int, int]] = {}
    for episode in episodes:
        good, total = counts.get(episode.instruction, (0, 0))
        counts[episode.instruction] = (good + episode.success, total + 1)
    return counts


def _rate(successes: int, total: int) -> dict[str, Any]:
    low, high = wilson_interval(successes, total)
    return {"successes": successes, "n": total, "rate": successes / total, "interval": [low, high]}


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {f"p{q}": round(float(np.percentile(values, q)), 3) for q in (50, 95, 99)} | {"n": len(values)}


def draw_figure(path: Path, result: DemoResult) -> None:
    """demo.png: success with its 95 % Wilson interval per instruction; histogram of picture -> command."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 4.2), gridspec_kw={"width_ratios": [3, 2]})
    counts = by_instruction(result.episodes)
    names = list(counts)
    rates = [good / total for good, total in counts.values()]
    bounds = [wilson_interval(good, total) for good, total in counts.values()]
    rows = np.arange(len(names))[::-1]
    errors = [
        [max(0.0, rate - low) for rate, (low, _) in zip(rates, bounds, strict=True)],
        [max(0.0, high - rate) for rate, (_, high) in zip(rates, bounds, strict=True)],
    ]
    left.barh(rows, rates, color="#4878a8", height=0.6)
    left.errorbar(rates, rows, xerr=errors, fmt="none", ecolor="#222222", capsize=3)
    left.set_yticks(rows, [f"{name}  (n={counts[name][1]})" for name in names], fontsize=8)
    left.set_xlim(0, 1.02)
    left.set_xlabel("success, with 95 % Wilson interval")
    if result.latencies_ms:
        right.hist(result.latencies_ms, bins=40, color="#b0703c")
        middle = float(np.median(result.latencies_ms))
        right.axvline(middle, color="#222222", linewidth=1, label=f"median {middle:.1f} ms")
        right.legend(fontsize=8)
    right.set_xlabel("picture to arm command [ms, wall clock]")
    right.set_ylabel("commands")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
