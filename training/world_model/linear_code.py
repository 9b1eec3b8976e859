"""A linear code of the same shape as the VAE's: principal components of the blocks of pixels that one latent covers.

A VAE from scratch first has to find out that its code is of any use: the encoder learns nothing while the decoder
ignores it, and the other way round. With a code to imitate for the first steps both are plain regressions.
"""

from __future__ import annotations

import torch

from training.world_model.config import CHUNK

CELL = 8
"""Pixels per side of the block that one latent covers."""


class LinearCode:
    """Principal components of blocks of 4 x 8 x 8 pixels, each with unit variance."""

    def __init__(self, mean: torch.Tensor, directions: torch.Tensor) -> None:
        """mean: [3 * 4 * 8 * 8]; directions: [3 * 4 * 8 * 8, C], divided by each component's standard deviation."""
        self._mean, self._directions = mean, directions

    @classmethod
    def fitted(cls, pixels: torch.Tensor, size: int) -> LinearCode:
        """``size`` components of pixels [B, 3, 1 + 4 N, H, W]."""
        blocks = _blocks(pixels).flatten(0, -2)
        mean = blocks.mean(dim=0)
        values, vectors = torch.linalg.eigh((blocks - mean).T @ (blocks - mean) / len(blocks))
        return cls(mean, vectors[:, -size:] / values[-size:].clamp(min=1e-8).sqrt())

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels [B, 3, 1 + 4 N, H, W] in [-1, 1] -> codes [B, C, 1 + N, H / 8, W / 8]."""
        codes = (_blocks(pixels) - self._mean.to(pixels.device)) @ self._directions.to(pixels.device)
        return codes.permute(0, 4, 1, 2, 3)


def _blocks(pixels: torch.Tensor) -> torch.Tensor:
    """[B, 3, 1 + 4 N, H, W] -> [B, 1 + N, H / 8, W / 8, 3 * 4 * 8 * 8]; the first frame counts four times."""
    whole = torch.cat([pixels[:, :, :1].expand(-1, -1, CHUNK - 1, -1, -1), pixels], dim=2)
    cut = whole.unflatten(4, (-1, CELL)).unflatten(3, (-1, CELL)).unflatten(2, (-1, CHUNK))  # B 3 L t h y w x
    return cut.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4)
