"""Videos of any length: one sub-video per skill, each beginning with the picture that the one before ends with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from training.world_model.model import WorldModel

Handover = Literal["frame", "latent"]


def generate_composition(
    model: WorldModel,
    first_frame: torch.Tensor,
    prompts: Sequence[str],
    *,
    generator: torch.Generator | None = None,
    steps: int | None = None,
    chunks: Sequence[int] | None = None,
    handover: Handover = "frame",
) -> list[torch.Tensor]:
    """One sub-video per prompt, in order -> latents float32 [B, 16, 1 + N, h, w] each.

    first_frame: packed uint8 [H, W, 3] or [B, H, W, 3]; chunks: N per skill (default: the trained window).
    handover: "frame" decodes the last picture and encodes it as the next first one, as the paper does; "latent" passes
    the last latent itself on, which saves a decoding, but a latent of four frames stands where the model has learnt to
    expect that of one.
    """
    if not prompts:
        raise ValueError("a composition needs at least one prompt")
    if chunks is not None and len(chunks) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts but {len(chunks)} lengths")
    first = first_frame if first_frame.ndim == 4 else first_frame[None]
    parts: list[torch.Tensor] = []
    for number, prompt in enumerate(prompts):
        length = None if chunks is None else chunks[number]
        latents = model.generate(first, [prompt] * len(first), steps, generator, chunks=length)
        parts.append(latents)
        if number + 1 < len(prompts):
            first = latents[:, :, -1:] if handover == "latent" else model.decode(latents)[:, -1]
    return parts


def joined_frames(model: WorldModel, parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Decode sub-videos and join them -> packed uint8 [B, 1 + sum of 4 N, H, W, 3]; a handed-over frame comes once."""
    videos = [model.decode(latents) for latents in parts]
    return torch.cat([video if number == 0 else video[:, 1:] for number, video in enumerate(videos)], dim=1)


def generate_timed(
    model: WorldModel,
    first_frame: torch.Tensor,
    segments: Sequence[tuple[str, int]],
    generator: torch.Generator,
    steps: int | None = None,
) -> torch.Tensor:
    """A video in which each prompt lasts the given number of frames -> packed uint8 [1 + sum, H, W, 3].

    Every generation is a whole window, as trained; of the last one of a prompt only the beginning is kept. A prompt
    that lasts longer than a window gets further windows.
    """
    frames = [first_frame[None]]
    for prompt, count in segments:
        left = count
        while left > 0:
            video = model.decode(model.generate(frames[-1][-1:], [prompt], steps, generator))[0, 1:].cpu()
            frames.append(video[:left])
            left -= len(frames[-1])
    return torch.cat(frames)
