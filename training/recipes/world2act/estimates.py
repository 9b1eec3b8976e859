"""How long the steps take on two CPU cores, in minutes: (nano, tiny).

Nano: what was measured up to the first post-trained arms on two cores of an AMD EPYC, most of it one core at a time and
halved; the arms behind them from the number of their rollouts and episodes. Tiny: as measured.
"""

from __future__ import annotations

from typing import Literal

ESTIMATES: dict[str, tuple[float, float]] = {
    "demonstrations": (16, 0.3),
    "frames": (1.5, 0.1),
    "skill-clips": (3, 0.04),
    "base-policy": (21, 0.1),
    "base-bundle": (0.2, 0.2),
    "vae": (0.3, 0.1),
    "latents": (3, 0.04),
    "world-model": (25, 0.04),
    "compare-world-models": (4, 0.04),
    "align": (0.6, 0.04),
    "align-recorded": (2, 0.04),
    "imagine-clips": (8, 0.04),
    "imagine-skill": (7, 0.04),
    "imagine-base": (8, 0.04),
    "imagine-evaluation": (6, 0.04),
    "train-world2act": (6, 0.04),
    "train-pixels": (14, 0.04),
    "train-lora": (14, 0.04),
    "train": (6, 0.04),
    "evaluate-base": (20, 0.04),
    "evaluate-base-wm": (10, 0.04),
    "evaluate-world2act-v1": (15, 0.04),
    "evaluate-world2act-v2": (15, 0.04),
    "evaluate-world2act-v1-at": (2, 0.04),
    "evaluate-world2act-v2-at": (2, 0.04),
    "evaluate-world2act-v1-50": (10, 0.04),
    "evaluate-world2act-v1-200": (10, 0.04),
    "evaluate-pixels": (15, 0.04),
    "evaluate-pixels-50": (10, 0.04),
    "evaluate-pixels-200": (10, 0.04),
    "evaluate-tasks": (3, 0.04),
    "evaluate-bundle": (5, 0.04),
    "evaluate": (10, 0.04),
    "export-residual": (0.2, 0.2),
    "measure-imagination": (1, 0.04),
    "measure-latency": (0.2, 0.04),
    "calibrate-monitor": (0.5, 0.04),
    "code-imagined": (0.5, 0.04),
    "evidence": (0.2, 0.04),
}
"""By the beginning of a step's name; the longest one that fits counts."""


def estimate(name: str, preset: Literal["nano", "tiny"]) -> float:
    """Minutes that a step takes."""
    fitting = [beginning for beginning in ESTIMATES if name == beginning or name.startswith(f"{beginning}-")]
    nano, tiny = ESTIMATES[max(fitting, key=len)]
    return nano if preset == "nano" else tiny
