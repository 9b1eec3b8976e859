"""The project's own world model and adapters as the frozen parts of post-training; imported when they are opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.post_training.frozen import freeze, module_hash, weights_hash
from world2act_core.contract import Contract


def open_imagination(folder: Path, device: torch.device, steps: int = 0) -> WorldModelImagination:
    """A trained world model, frozen. steps: denoising steps (0: as the model says)."""
    from training.world_model.model import load_world_model

    return WorldModelImagination(load_world_model(folder).to(device), steps)


def open_adapters(
    folder: Path, contract: Contract | None = None, vae: str | None = None
) -> tuple[nn.Module, nn.Module, Any]:
    """B_v and B_a of a Stage 1 run, frozen, with what is known about them.

    Raises CheckpointError when they are of another contract or VAE.
    """
    from training.alignment.load import load_adapters

    video, action, info = load_adapters(folder, contract, vae)
    return freeze(video), freeze(action), info


class WorldModelImagination:
    """:class:`~training.post_training.interfaces.Imagination` by ``training.world_model``."""

    def __init__(self, model: Any, steps: int = 0) -> None:
        """model: a ``WorldModel``; steps: denoising steps (0: its own number)."""
        self._model = model
        self._steps = steps or None
        self.frames = int(model.info.frames)
        self.vae_sha256 = str(model.vae.hash)
        self.sha256 = world_model_hash(model)

    def pack(self, images: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Cameras' pictures uint8 [..., H, W, 3] -> packed frame uint8 [..., h, w, 3]."""
        from training.world_model.views import pack

        packed: NDArray[np.uint8] = pack(images, self._model.info.layout)
        return packed

    def unpack(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
        """Packed frames uint8 [..., h, w, 3] -> pictures by camera name, in the size of their cells."""
        layout = self._model.info.layout
        views: dict[str, NDArray[np.uint8]] = {}
        for i, row in enumerate(layout.rows):
            for j, name in enumerate(row):
                if name in layout.cameras:
                    top, left = i * layout.cell_height, j * layout.cell_width
                    views[name] = frames[..., top : top + layout.cell_height, left : left + layout.cell_width, :]
        return views

    @torch.no_grad()
    def imagine(
        self, first: NDArray[np.uint8], prompts: Sequence[Sequence[str]], generator: torch.Generator
    ) -> list[torch.Tensor]:
        """Window after window, all starts side by side; see the protocol."""
        frames = torch.from_numpy(first)
        windows: list[list[torch.Tensor]] = [[] for _ in prompts]
        for turn in range(max(map(len, prompts))):
            rows = [row for row, texts in enumerate(prompts) if len(texts) > turn]
            texts = [prompts[row][turn] for row in rows]
            latents = self._model.generate(frames[rows], texts, self._steps, generator).cpu()
            for row, window in zip(rows, latents):
                windows[row].append(window)
            following = [i for i, row in enumerate(rows) if len(prompts[row]) > turn + 1]
            if following:
                # A latent covers four frames, the first one of a window covers one: the next window needs a picture.
                last = self._model.decode(latents[following])[:, -1].cpu()
                frames = frames.clone()
                frames[[rows[i] for i in following]] = last
        return [torch.stack(row) for row in windows]

    @torch.no_grad()
    def encode(self, frames: NDArray[np.uint8]) -> torch.Tensor:
        """Packed frames uint8 [B, 1+4N, h, w, 3] -> latents [B, 16, 1+N, h/8, w/8]."""
        latents: torch.Tensor = self._model.encode(torch.from_numpy(frames)).cpu()
        return latents

    def decode(self, latents: torch.Tensor) -> NDArray[np.uint8]:
        """Latents [B, 16, 1+N, h, w] -> packed frames uint8 [B, 1+4N, H, W, 3]."""
        frames: NDArray[np.uint8] = self._model.decode(latents).cpu().numpy()
        return frames


def world_model_hash(model: Any) -> str:
    """SHA-256 of everything that makes a ``WorldModel``'s latents: transformer, VAE and how they are sampled."""
    parts = {"transformer": module_hash(model.transformer), "vae": str(model.vae.hash), "info": repr(model.info)}
    return weights_hash({f"{key}={value}": torch.zeros(0) for key, value in parts.items()})
