"""The two adapters of World2Act's Stage 1: a latent frame and a chunk of actions, each to a code of 32 numbers."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from training.alignment.config import AdapterConfig

WIDTHS = (64, 128)


class VideoAdapter(nn.Module):
    """B_v: each latent frame by itself through Conv 16->64->128 (stride 2, GroupNorm, GELU), pooling, Linear -> 32.

    changes: a latent frame comes with its difference to the one before, as further channels. The paper has none; but an
    action is a change, and a small world model is surer of where things will be than of their blur within four frames.
    """

    def __init__(self, channels: int = 16, code: int = 32, changes: bool = False) -> None:
        super().__init__()
        narrow, wide = WIDTHS
        self.channels, self.code, self.changes = channels, code, changes
        self.layers = nn.Sequential(
            nn.Conv2d(2 * channels if changes else channels, narrow, 3, stride=2, padding=1),
            nn.GroupNorm(8, narrow),
            nn.GELU(),
            nn.Conv2d(narrow, wide, 3, stride=2, padding=1),
            nn.GroupNorm(8, wide),
            nn.GELU(),
        )
        self.head = nn.Linear(wide, code)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents [B, 16, 1+N, h, w] -> codes [B, N, 32]; latent 0 shows where the window begins and has no chunk."""
        shown = latents[:, :, 1:]
        if self.changes:
            shown = torch.cat([shown, shown - latents[:, :, :-1]], dim=1)
        paired = shown.transpose(1, 2)
        batch, count = paired.shape[:2]
        features = self.layers(paired.flatten(0, 1)).mean(dim=(-2, -1))
        codes: torch.Tensor = self.head(features).reshape(batch, count, self.code)
        return codes


class ActionAdapter(nn.Module):
    """B_a and D_a: a chunk of actions to a code and back. Actions are in [-1, 1], scaled by the contract's limits."""

    def __init__(self, action_size: int = 7, chunk: int = 4, code: int = 32, variational: bool = False) -> None:
        super().__init__()
        narrow, wide = WIDTHS
        self.action_size, self.chunk, self.code, self.variational = action_size, chunk, code, variational
        self.encoder = nn.Sequential(
            nn.Conv1d(action_size, narrow, 3, padding=1), nn.GELU(), nn.Conv1d(narrow, wide, 3, padding=1), nn.GELU()
        )
        self.mean = nn.Linear(wide * chunk, code)
        self.log_variance = nn.Linear(wide * chunk, code) if variational else None
        self.expand = nn.Linear(code, wide * chunk)
        self.decoder = nn.Sequential(
            nn.GELU(), nn.Conv1d(wide, narrow, 3, padding=1), nn.GELU(), nn.Conv1d(narrow, action_size, 3, padding=1)
        )

    def encode(self, actions: torch.Tensor) -> torch.Tensor:
        """Chunks [..., M, A] -> codes [..., 32] (the mean, when the code is a distribution)."""
        codes: torch.Tensor = self.mean(self._features(actions))
        return codes

    def distribution(self, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Chunks [..., M, A] -> mean and log variance [..., 32]; the latter None unless ``variational``."""
        features = self._features(actions)
        spread = None if self.log_variance is None else self.log_variance(features).clamp(-20.0, 10.0)
        return self.mean(features), spread

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes [..., 32] -> chunks [..., M, A]."""
        hidden = self.expand(codes).reshape(-1, WIDTHS[1], self.chunk)
        chunks: torch.Tensor = self.decoder(hidden).transpose(1, 2)
        return chunks.reshape(*codes.shape[:-1], self.chunk, self.action_size)

    def forward(self, actions: torch.Tensor) -> torch.Tensor:
        """As :meth:`encode`."""
        return self.encode(actions)

    def _features(self, actions: torch.Tensor) -> torch.Tensor:
        flat = actions.reshape(-1, self.chunk, self.action_size).transpose(1, 2)
        features: torch.Tensor = self.encoder(flat).flatten(1)
        return features.reshape(*actions.shape[:-2], features.shape[-1])


class Aligner(nn.Module):
    """Both adapters as one module, so that one forward pass makes everything a step needs (and DDP sees it all)."""

    def __init__(self, config: AdapterConfig, action_size: int) -> None:
        super().__init__()
        self.config = config
        self.video = VideoAdapter(config.latent_channels, config.code, config.changes)
        self.action = ActionAdapter(action_size, config.chunk, config.code, config.variational)

    def forward(
        self, latents: torch.Tensor, actions: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor]:
        """Codes of both sides and the decoded chunks.

        Args:
            latents: [B, 16, 1+N, h, w]. actions: [B, C, M, A] in [-1, 1], C >= N.
            noise: [B, C, 32] standard normal; used only by a variational adapter.
        Returns:
            video codes [B, N, 32], action codes (means) [B, C, 32], log variances [B, C, 32] or None, decoded
            chunks [B, C, M, A]: of the means, or of a draw from the distribution.
        """
        mean, spread = self.action.distribution(actions)
        drawn = mean if spread is None else mean + noise * torch.exp(0.5 * spread)
        return self.video(latents), mean, spread, self.action.decode(drawn)


def cosine(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Cosine similarity over the last dimension, in float32 at least and within [-1, 1]."""
    return functional.cosine_similarity(full_precision(first), full_precision(second), dim=-1)


def full_precision(values: torch.Tensor) -> torch.Tensor:
    """At least float32: codes come out of mixed precision, losses must not."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
