"""How long the steps take on two CPU cores, in minutes: (nano, tiny).

Nano: from the times that the single commands are documented with and from timings of one training step; nobody has
watched a whole run yet. Tiny: as measured.
"""

from __future__ import annotations

from typing import Literal

ESTIMATES: dict[str, tuple[float, float]] = {
    "demonstrations": (25, 0.3),
    "frames": (2, 0.1),
    "skill-clips": (3, 0.04),
    "base-policy": (42, 0.1),
    "base-bundle": (1, 0.2),
    "vae": (16, 0.1),
    "latents": (9, 0.04),
    "world-model": (43, 0.04),
    "compare-world-models": (7, 0.04),
    "align": (6, 0.04),
    "imagine-clips": (9, 0.04),
    "imagine-skill": (7, 0.04),
    "imagine-base": (8, 0.04),
    "imagine-evaluation": (6, 0.04),
    "train-world2act": (14, 0.04),
    "train-pixels": (18, 0.04),
    "train-lora": (20, 0.04),
    "train": (14, 0.04),
    "evaluate-base": (28, 0.04),
    "evaluate-base-wm": (17, 0.04),
    "evaluate-world2act-v1": (23, 0.04),
    "evaluate-world2act-v2": (23, 0.04),
    "evaluate-world2act-v1-at": (3, 0.04),
    "evaluate-world2act-v2-at": (3, 0.04),
    "evaluate-world2act-v1-50": (17, 0.04),
    "evaluate-world2act-v1-200": (17, 0.04),
    "evaluate-pixels": (23, 0.04),
    "evaluate-pixels-50": (17, 0.04),
    "evaluate-pixels-200": (17, 0.04),
    "evaluate-tasks": (5, 0.04),
    "evaluate-bundle": (10, 0.04),
    "evaluate": (17, 0.04),
    "export-residual": (1, 0.2),
    "measure-imagination": (3, 0.04),
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
