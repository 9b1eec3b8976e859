"""How wrong a picture is, for a video of small coloured things on a speckled table.

A plain difference of pixels is mostly about the speckles of stone and wood, which nobody can predict and nothing
depends on; a code of few numbers then keeps those and loses a cube of four pixels. Colour, and brightness over small
areas, are what tells things from the table.

Legend: B clips, T frames, H x W pixels.
"""

from __future__ import annotations

import torch
from torch.nn import functional

AREA = 4
"""Pixels per side over which speckles average out."""
MOVED = 0.1
"""Change of colour or of an area's brightness, on a scale of 2, from which on something has moved there."""


def emphasised(pictures: torch.Tensor, fine: float, colour: float) -> torch.Tensor:
    """Pictures (or differences of them) [B, 3, T, H, W] with colours made ``colour`` times as strong, and ``fine``
    times as much of what sets a pixel's brightness apart from its area's."""
    brightness = pictures.mean(dim=1, keepdim=True)
    areas = _areas(brightness)
    return areas + fine * (brightness - areas) + colour * (pictures - brightness)


def visible_error(difference: torch.Tensor, fine: float, colour: float) -> torch.Tensor:
    """Error [B, 1, T, H, W] of pictures that are wrong by ``difference`` [B, 3, T, H, W]."""
    return emphasised(difference, fine, colour).abs().mean(dim=1, keepdim=True)


def moving(pixels: torch.Tensor) -> torch.Tensor:
    """1.0 where a video [B, 3, T, H, W] differs from its first frame, else 0.0: [B, 1, T, H, W]."""
    change = pixels - pixels[:, :, :1]
    brightness = change.mean(dim=1, keepdim=True)
    seen = torch.maximum(_areas(brightness).abs(), (change - brightness).abs().amax(dim=1, keepdim=True))
    return (seen > MOVED).float()


def _areas(values: torch.Tensor) -> torch.Tensor:
    """Mean of every area, at each of its pixels; same shape."""
    means = functional.avg_pool3d(values, (1, AREA, AREA))
    return means.repeat_interleave(AREA, dim=3).repeat_interleave(AREA, dim=4)
