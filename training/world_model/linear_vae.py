"""A video autoencoder that is fitted instead of trained: principal components of the pixels that one latent covers.

For a table with things of four pixels on it and minutes of two CPU cores, a convolutional VAE of 16 channels is worse
than this: after ten minutes it has learnt the arm and lost the cubes (docs/experiments.md). It has the interface of
diffusers' autoencoders, and their timing: latent 0 is of one frame, each later one of four, and none of later frames.

Legend: B clips, C latent channels, T = 1 + 4 N frames, P = 3 * 4 * 8 * 8 numbers of a block of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from training.world_model.config import CHUNK
from training.world_model.picture_error import emphasised

CELL = 8
"""Pixels per side of the block that one latent covers."""
BLOCK = 3 * CHUNK * CELL * CELL


@dataclass(frozen=True)
class Emphasis:
    """What a latent should rather keep than other changes of the same size. See ``picture_error.emphasised``."""

    fine: float = 0.25
    colour: float = 4.0
    motion: float = 2.0
    """Of changes within a latent's four frames."""


PLAIN = Emphasis(fine=1.0, colour=1.0, motion=1.0)
"""Every pixel counts the same: plain principal components."""


class LinearVae(nn.Module):
    """Codes are ``encoder @ (pixels - mean)``, pixels ``decoder @ code + mean``, block by block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(BLOCK), requires_grad=False)
        self.encoder = nn.Parameter(torch.zeros(channels, BLOCK), requires_grad=False)
        self.decoder = nn.Parameter(torch.zeros(BLOCK, channels), requires_grad=False)
        self.config = SimpleNamespace(latents_mean=[0.0] * channels, latents_std=[1.0] * channels)

    def register_to_config(self, **values: Any) -> None:
        """As diffusers' models: set entries of :attr:`config`."""
        self.config = SimpleNamespace(**{**vars(self.config), **values})

    def encode(self, pixels: torch.Tensor) -> Any:
        """Pixels [B, 3, T, H, W] in [-1, 1]; ``.latent_dist.mode()`` of the result is [B, C, 1 + N, H / 8, W / 8]."""
        codes = ((blocks(pixels) - self.mean) @ self.encoder.T).permute(0, 4, 1, 2, 3).contiguous()
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: codes))

    def decode(self, codes: torch.Tensor) -> Any:
        """Codes [B, C, 1 + N, h, w]; ``.sample`` of the result is [B, 3, T, 8 h, 8 w]."""
        return SimpleNamespace(sample=pixels_of(codes.permute(0, 2, 3, 4, 1) @ self.decoder.T + self.mean))


@torch.no_grad()
def fit_linear_vae(pixels: torch.Tensor, channels: int, emphasis: Emphasis) -> LinearVae:
    """The components of pixels [B, 3, T, H, W] that matter most under ``emphasis``, and the least squares back."""
    vae = LinearVae(channels)
    rows = blocks(pixels).flatten(0, -2).double()
    mean = rows.mean(dim=0)
    covariance = (rows - mean).T @ (rows - mean) / len(rows)
    weights = _emphasis_matrix(emphasis).double()
    values, vectors = torch.linalg.eigh(weights @ covariance @ weights.T)
    encoder = (vectors[:, -channels:] / values[-channels:].clamp(min=1e-8).sqrt()).T @ weights
    # Regression of pixels on codes.
    decoder = covariance @ encoder.T @ torch.linalg.inv(encoder @ covariance @ encoder.T)
    for parameter, value in ((vae.mean, mean), (vae.encoder, encoder), (vae.decoder, decoder)):
        parameter.copy_(value)
    return vae


def blocks(pixels: torch.Tensor) -> torch.Tensor:
    """[B, 3, 1 + 4 N, H, W] -> [B, 1 + N, H / 8, W / 8, P]; the first frame counts four times."""
    whole = torch.cat([pixels[:, :, :1].expand(-1, -1, CHUNK - 1, -1, -1), pixels], dim=2)
    cut = whole.unflatten(4, (-1, CELL)).unflatten(3, (-1, CELL)).unflatten(2, (-1, CHUNK))  # B 3 L t h y w x
    return cut.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4)


def pixels_of(values: torch.Tensor) -> torch.Tensor:
    """The inverse of :func:`blocks`; of the first block's four frames the last is the frame."""
    cut = values.unflatten(4, (3, CHUNK, CELL, CELL)).permute(0, 4, 1, 5, 2, 6, 3, 7)  # B 3 L t h y w x
    return cut.flatten(6, 7).flatten(4, 5).flatten(2, 3)[:, :, CHUNK - 1 :]


def _emphasis_matrix(emphasis: Emphasis) -> torch.Tensor:
    """[P, P]: a block of pixels -> the same block with what matters made larger."""
    units = torch.eye(BLOCK).reshape(BLOCK, 3, CHUNK, CELL, CELL)
    seen = emphasised(units, emphasis.fine, emphasis.colour)
    still = seen.mean(dim=2, keepdim=True)
    return (still + emphasis.motion * (seen - still)).flatten(1).T
