"""The residual policy's network: three tokens, a small transformer, an MLP head that starts at zero.

Legend: B batch, H W pixels, F features of a token (32), O outputs.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from training.post_training.config import ResidualConfig
from world2act_core.contract import CameraSpec, Contract

GRID = 4
"""Cells per side that a camera's features are averaged into: where something is matters to an arm."""


class PictureToken(nn.Module):
    """Small CNN 3 -> 16 -> 32 -> 32, the same for every camera, and one linear layer over all cameras' cells."""

    def __init__(self, cameras: tuple[CameraSpec, ...], features: int) -> None:
        super().__init__()
        self.names = tuple(camera.name for camera in cameras)
        sizes = (3, 16, 32, 32)
        self.convolutions = nn.ModuleList(
            [nn.Conv2d(i, o, 3, stride=2, padding=1) for i, o in zip(sizes[:-1], sizes[1:])]
        )
        cells = sum(_cells(camera.height) * _cells(camera.width) for camera in cameras)
        self.project = nn.Linear(sizes[-1] * cells, features)

    def forward(self, images: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """images: camera name -> uint8 [B, H, W, 3] -> [B, F]."""
        return self.project(torch.cat([self._cells_of(images[name]) for name in self.names], dim=-1))

    def _cells_of(self, image: torch.Tensor) -> torch.Tensor:
        x = image.permute(0, 3, 1, 2).float() * (1.0 / 127.5) - 1.0
        for convolution in self.convolutions:
            x = functional.gelu(convolution(x))
        height, width = x.shape[-2:]
        return functional.avg_pool2d(x, (_window(height), _window(width))).flatten(1)


class Block(nn.Module):
    """Pre-norm self-attention and feed-forward, without dropout."""

    def __init__(self, features: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(features)
        self.read = nn.Linear(features, 3 * features)
        self.write = nn.Linear(features, features)
        self.norm_forward = nn.LayerNorm(features)
        self.forward_layers = nn.Sequential(
            nn.Linear(features, feed_forward), nn.GELU(), nn.Linear(feed_forward, features)
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """[B, tokens, F] -> the same shape."""
        parts = self.read(self.norm_attention(tokens)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        tokens = tokens + self.write(seen.transpose(1, 2).flatten(2))
        return tokens + self.forward_layers(self.norm_forward(tokens))


class ResidualNetwork(nn.Module):
    """Pictures, state and the base chunk's code -> unbounded outputs that are exactly 0 before training."""

    def __init__(self, contract: Contract, code: int, outputs: int, config: ResidualConfig) -> None:
        super().__init__()
        width = config.token
        self.picture = PictureToken(contract.cameras, width)
        self.state = nn.Sequential(nn.Linear(contract.state_size, 64), nn.GELU(), nn.Linear(64, width))
        # The paper's code is already a token; another size is projected to one.
        self.action: nn.Module = nn.Identity() if code == width else nn.Linear(code, width)
        self.kinds = nn.Parameter(torch.randn(3, width) * 0.02)
        self.blocks = nn.ModuleList([Block(width, config.heads, config.feed_forward) for _ in range(config.layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(nn.Linear(3 * width, config.head), nn.GELU(), nn.Linear(config.head, outputs))
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, images: Mapping[str, torch.Tensor], state: torch.Tensor, base_code: torch.Tensor) -> torch.Tensor:
        """images: uint8 [B, H, W, 3] by camera; state: normalised [B, S]; base_code [B, C] -> [B, O]."""
        tokens = torch.stack([self.picture(images), self.state(state), self.action(base_code)], dim=1) + self.kinds
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens).flatten(1))


def _after_convolutions(pixels: int) -> int:
    for _ in range(3):
        pixels = (pixels + 1) // 2
    return pixels


def _window(size: int) -> int:
    return max(1, size // GRID)


def _cells(pixels: int) -> int:
    size = _after_convolutions(pixels)
    return size // _window(size)
