"""A linear code of the same shape as the VAE's: principal components of the blocks of pixels that one latent covers.

A VAE from scratch first has to find out that its code is of any use: the encoder learns nothing while the decoder
ignores it, and the other way round. With a code to imitate for the first steps both are plain regressions.
"""

from __future__ import annotations

import torch

from training.world_model.linear_vae import blocks


class LinearCode:
    """Principal components of blocks of 4 x 8 x 8 pixels, each with unit variance."""

    def __init__(self, mean: torch.Tensor, directions: torch.Tensor) -> None:
        """mean: [3 * 4 * 8 * 8]; directions: [3 * 4 * 8 * 8, C], divided by each component's standard deviation."""
        self._mean, self._directions = mean, directions

    @classmethod
    def fitted(cls, pixels: torch.Tensor, size: int) -> LinearCode:
        """``size`` components of pixels [B, 3, 1 + 4 N, H, W]."""
        rows = blocks(pixels).flatten(0, -2)
        mean = rows.mean(dim=0)
        values, vectors = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        return cls(mean, vectors[:, -size:] / values[-size:].clamp(min=1e-8).sqrt())

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels [B, 3, 1 + 4 N, H, W] in [-1, 1] -> codes [B, C, 1 + N, H / 8, W / 8]."""
        codes = (blocks(pixels) - self._mean.to(pixels.device)) @ self._directions.to(pixels.device)
        return codes.permute(0, 4, 1, 2, 3)
