"""What post-training needs of its frozen parts, so that any world model, adapters and policy of this shape will do.

Legend: B batch, N action chunks of a window, M steps per chunk, A action entries, C entries of a code, T steps of a
policy's chunk, S entries of the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray


class Imagination(Protocol):
    """A frozen world model: first pictures and prompts in, latents of what would happen out."""

    sha256: str
    """Of the weights that make the latents."""
    vae_sha256: str
    """Of the weights that say what a latent means."""
    frames: int
    """Pictures of one window: 1 + 4 N."""

    def pack(self, images: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """The cameras' pictures uint8 [H, W, 3] by name -> one packed frame uint8 [h, w, 3]."""
        ...

    def unpack(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
        """Packed frames uint8 [..., h, w, 3] -> pictures by camera name; the inverse of :meth:`pack` up to size."""
        ...

    def imagine(
        self, first: NDArray[np.uint8], prompts: Sequence[Sequence[str]], generator: torch.Generator
    ) -> list[torch.Tensor]:
        """Per start, one window of latents per prompt, each going on where the one before ended.

        first: uint8 [B, h, w, 3] packed frames; prompts: B lists -> B tensors float32
        [len(prompts), 16, 1+N, h/8, w/8].
        """
        ...

    def encode(self, frames: NDArray[np.uint8]) -> torch.Tensor:
        """Packed frames uint8 [B, 1+4N, h, w, 3] -> latents float32 [B, 16, 1+N, h/8, w/8]."""
        ...

    def decode(self, latents: torch.Tensor) -> NDArray[np.uint8]:
        """Latents [B, 16, 1+N, h/8, w/8] -> packed frames uint8 [B, 1+4N, h, w, 3]."""
        ...


class VideoAdapter(Protocol):
    """The frozen B_v of Stage 1 (an ``nn.Module``)."""

    def __call__(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents [B, 16, 1+N, h/8, w/8] -> codes [B, N, C]; code j belongs to latent j+1 and action chunk j."""
        ...


class ActionAdapter(Protocol):
    """The frozen B_a and D_a of Stage 1 (an ``nn.Module``). Actions are shares of the contract's limits, [-1, 1]."""

    chunk: int
    code: int

    def encode(self, actions: torch.Tensor) -> torch.Tensor:
        """Action chunks [..., M, A] -> codes [..., C] (the mean, where the code has a distribution)."""
        ...

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes [..., C] -> action chunks [..., M, A]."""
        ...
