"""Pairs of latents and action chunks: one crop decides both, so they cannot drift apart in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from training.alignment.actions import ActionSource
from training.alignment.clips import LatentClips, WindowInfo


@dataclass(frozen=True)
class Crop:
    """Which part of which window: ``chunks`` action chunks from chunk ``first`` on and the latents they led to."""

    window: int
    first: int
    chunks: int


@dataclass(frozen=True)
class Pairs:
    """A batch. Chunk j of a sample pairs with its latent j + 1; where the masks are False there is padding."""

    latents: torch.Tensor  # [B, 16, 1+N, h, w]
    actions: torch.Tensor  # [B, C, M, A] in [-1, 1], C >= N
    paired: torch.Tensor  # bool [B, N] latent and chunk are both of real frames
    present: torch.Tensor  # bool [B, C] the chunk is of real frames
    sources: torch.Tensor  # int64 [B] seed of the demonstration
    tasks: torch.Tensor  # int64 [B] equal numbers: the same task

    def to(self, device: torch.device) -> Pairs:
        """The same batch with what the network reads on ``device``; sources and tasks stay on the CPU."""
        names = ("latents", "actions", "paired", "present")
        return replace(self, **{name: getattr(self, name).to(device, non_blocking=True) for name in names})


def valid_chunks(info: WindowInfo, chunk: int) -> int:
    """Chunks of a window whose frames are all real: chunk j needs the frame that its last action led to, M (j + 1)."""
    return max(0, (info.valid_frames - 1) // chunk)


def make_pairs(
    clips: LatentClips,
    actions: ActionSource,
    crops: Sequence[Crop],
    tasks: Sequence[int],
    chunk: int,
    action_chunks: int = 0,
) -> Pairs:
    """Read the crops.

    Args:
        clips: latents. actions: of the same dataset. crops: all with the same ``chunks`` N.
        tasks: task number of each crop. chunk: M, actions per chunk.
        action_chunks: C, or 0 for as many as latents.
    """
    latents, chunks, paired, present = [], [], [], []
    for crop in crops:
        info = clips.info(crop.window)
        count = max(crop.chunks, action_chunks)
        start = info.start + crop.first * chunk
        latents.append(clips.latents(crop.window)[:, crop.first : crop.first + 1 + crop.chunks])
        chunks.append(actions.chunks(info.episode, start, count, chunk))
        # The latents' own padding counts, not the episode's end alone: a window may stop short of it.
        left = valid_chunks(info, chunk) - crop.first
        real = (actions.length(info.episode) - start) // chunk
        paired.append(torch.arange(crop.chunks) < min(left, real))
        present.append(torch.arange(count) < real)
    return Pairs(
        torch.stack(latents).float(),
        torch.from_numpy(np.stack(chunks)),
        torch.stack(paired),
        torch.stack(present),
        torch.tensor([clips.info(crop.window).source for crop in crops]),
        torch.tensor(list(tasks)),
    )
