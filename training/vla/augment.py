"""Cheap random changes of pictures: shifts on the way into the batch, colours inside the network's first scaling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.vla.config import AugmentConfig


def shifted(frames: Sequence[NDArray[np.uint8]], shifts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Stack B frames uint8 [H, W, 3], each moved by its (down, right) pixels of ``shifts`` [B, 2].

    Pixels that enter at an edge repeat that edge.
    """
    height, width = frames[0].shape[:2]
    result = np.empty((len(frames), height, width, 3), np.uint8)
    for target, frame, (down, right) in zip(result, frames, shifts.tolist()):
        if down == 0 and right == 0:
            target[:] = frame
            continue
        top, left = max(down, 0), max(right, 0)
        bottom, end = height + min(down, 0), width + min(right, 0)
        target[top:bottom, left:end] = frame[top - down : bottom - down, left - right : end - right]
        target[:top] = target[top]
        target[bottom:] = target[bottom - 1]
        target[:, :left] = target[:, left : left + 1]
        target[:, end:] = target[:, end - 1 : end]
    return result


def colour_change(
    count: int, config: AugmentConfig, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Brightness, contrast and a tint as (gain, offset) [count, 3] for pixels p in [-1, 1]: gain * p + offset."""
    contrast = rng.uniform(1 - config.contrast, 1 + config.contrast, (count, 1))
    tint = rng.uniform(1 - config.colour, 1 + config.colour, (count, 3))
    # Light multiplies the pixel as a number from black upwards, so in [-1, 1] it also moves the offset.
    light = rng.uniform(1 - config.brightness, 1 + config.brightness, (count, 1)) * tint
    gain = light * contrast
    offset = contrast * (light - 1.0)
    return gain.astype(np.float32), offset.astype(np.float32)
