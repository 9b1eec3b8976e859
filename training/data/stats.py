"""Minimum, maximum, mean, standard deviation and count of every feature, per episode and over a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Statistics = dict[str, list[object]]


def column_statistics(values: NDArray[np.generic]) -> Statistics:
    """Statistics over axis 0 of [N, ...], ignoring NaN (an all-NaN component gives 0 with count 0)."""
    flat = values.reshape(len(values), -1).astype(np.float64)
    known = ~np.isnan(flat)
    count = known.sum(axis=0)
    safe = np.maximum(count, 1)
    mean = np.where(known, flat, 0).sum(axis=0) / safe
    std = np.sqrt(np.where(known, (flat - mean) ** 2, 0).sum(axis=0) / safe)
    lowest = np.where(count > 0, np.where(known, flat, np.inf).min(axis=0), 0.0)
    highest = np.where(count > 0, np.where(known, flat, -np.inf).max(axis=0), 0.0)
    return {
        "min": lowest.tolist(),
        "max": highest.tolist(),
        "mean": mean.tolist(),
        "std": std.tolist(),
        "count": [int(count.max(initial=0))],
    }


def image_statistics(frames: Sequence[NDArray[np.uint8]], samples: int = 6) -> Statistics:
    """Statistics per channel of RGB frames uint8 [H, W, 3], in [0, 1] and shape [3, 1, 1] as LeRobot keeps them."""
    chosen = np.linspace(0, len(frames) - 1, min(samples, len(frames))).round().astype(int)
    pixels = np.stack([frames[i] for i in chosen]).reshape(-1, 3) / 255.0
    result = column_statistics(pixels)
    shaped: Statistics = {name: [[[v]] for v in result[name]] for name in ("min", "max", "mean", "std")}
    shaped["count"] = [len(chosen)]
    return shaped


def merge_statistics(parts: Iterable[Statistics]) -> Statistics:
    """Statistics of the union of disjoint sets of frames from the statistics of each."""
    rows = list(parts)
    weight = np.array([row["count"][0] for row in rows], dtype=np.float64)
    total = max(weight.sum(), 1.0)
    mean = np.stack([np.asarray(row["mean"], dtype=np.float64) for row in rows])
    std = np.stack([np.asarray(row["std"], dtype=np.float64) for row in rows])
    shaped = weight.reshape(-1, *[1] * (mean.ndim - 1))
    merged_mean = (shaped * mean).sum(axis=0) / total
    variance = (shaped * (std**2 + (mean - merged_mean) ** 2)).sum(axis=0) / total
    known = weight > 0 if (weight > 0).any() else np.ones_like(weight, dtype=bool)
    return {
        "min": np.stack([np.asarray(row["min"], dtype=np.float64) for row in rows])[known].min(axis=0).tolist(),
        "max": np.stack([np.asarray(row["max"], dtype=np.float64) for row in rows])[known].max(axis=0).tolist(),
        "mean": merged_mean.tolist(),
        "std": np.sqrt(variance).tolist(),
        "count": [int(weight.sum())],
    }
