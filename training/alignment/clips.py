"""The windows of video latents that alignment reads, whoever made them.

A window is 1 + M * N frames of one episode from frame ``start`` on. A causal VAE turns it into 1 + N latents: latent 0
covers frame ``start`` alone; latent k >= 1 covers the M frames start + M (k - 1) + 1 .. start + M k, which are what the
actions of frames start + M (k - 1) .. start + M k - 1 led to. So action chunk j pairs with latent j + 1, and latent 0
with none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch


@dataclass(frozen=True)
class WindowInfo:
    """Where a window is and what it shows."""

    episode: int  # row of the dataset
    start: int  # frame of the episode
    valid_frames: int  # frames from the start to where padding begins
    task: str  # the instruction
    source: int  # seed of the demonstration; skill clips cut from one demonstration share it


class LatentClips(Protocol):
    """Windows of latents of one VAE, all of the same shape."""

    @property
    def vae(self) -> str:
        """Hash of the VAE that made the latents."""

    @property
    def origin(self) -> str | None:
        """Hash of all that decides the latents; None where it is not known."""

    @property
    def holdout_every(self) -> int | None:
        """``--holdout-every`` of the model that made the latents; None where it is not known."""

    @property
    def chunks(self) -> int:
        """N: latents per window after the first."""

    def __len__(self) -> int:
        """Number of windows."""

    def info(self, index: int) -> WindowInfo:
        """Where window ``index`` is, without reading its latents."""

    def latents(self, index: int) -> torch.Tensor:
        """float32 [16, 1 + N, h, w] of window ``index``, about zero mean and unit variance."""


class MemoryClips:
    """Windows that are already in memory: for tests and for latents that were just generated."""

    holdout_every: int | None = None

    def __init__(self, infos: Sequence[WindowInfo], latents: torch.Tensor, vae: str, origin: str | None = None) -> None:
        """``latents`` [W, 16, 1 + N, h, w] belong to ``infos`` (W of them)."""
        if len(infos) != len(latents):
            raise ValueError(f"{len(infos)} windows described, latents of {len(latents)} given")
        self._infos, self._latents, self._vae = list(infos), latents, vae
        self.origin = origin

    @property
    def vae(self) -> str:
        """Hash of the VAE that made the latents."""
        return self._vae

    @property
    def chunks(self) -> int:
        """N: latents per window after the first."""
        return int(self._latents.shape[2]) - 1

    def __len__(self) -> int:
        return len(self._infos)

    def info(self, index: int) -> WindowInfo:
        """Where window ``index`` is."""
        return self._infos[index]

    def latents(self, index: int) -> torch.Tensor:
        """float32 [16, 1 + N, h, w]."""
        return self._latents[index]
