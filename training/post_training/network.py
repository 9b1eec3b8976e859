"""The residual policy's network: three tokens, a small transformer, an MLP head that starts at zero.

Legend: B batch, H W pixels, F features of a token (32), O outputs.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from training.common.errors import TrainingError
from training.post_training.config import ResidualConfig
from world2act_core.contract import CameraSpec, Contract

PATCH = 4
"""Pixels per side that the first convolution sees at once, as the nano policy does: beside a policy of 1.6 ms three
convolutions over every pixel would take a quarter of its time."""
SMALLEST = 20
"""Pixels per side of which the last convolution has one cell left."""
GRID = 4
"""About so many cells per side are left of a camera's picture: where something is matters to an arm."""


class PictureToken(nn.Module):
    """Small CNN 3 -> 16 -> 32 -> 32, the same for every camera, and one linear layer over all cameras' cells."""

    def __init__(self, cameras: tuple[CameraSpec, ...], features: int) -> None:
        """Raises TrainingError for pictures that are too small."""
        super().__init__()
        small = [f"{c.name} {c.width}x{c.height}" for c in cameras if min(c.width, c.height) < SMALLEST]
        if small:
            raise TrainingError(f"the residual sees {', '.join(small)}: it needs at least {SMALLEST} pixels per side")
        self.names = tuple(camera.name for camera in cameras)
        # A picture is read as one plane of 3 W columns, as it lies in memory: pixel by pixel, its three colours.
        self.first = nn.Conv2d(1, 16, (PATCH, 3 * PATCH), stride=(PATCH, 3 * PATCH))
        self.second = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.third = nn.Conv2d(32, 32, 3, stride=3)
        cells = sum(_cells(camera.height) * _cells(camera.width) for camera in cameras)
        self.project = nn.Linear(32 * cells, features)

    def forward(self, images: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """images: camera name -> uint8 [B, H, W, 3] -> [B, F]."""
        pictures = [images[name] for name in self.names]
        if all(picture.shape == pictures[0].shape for picture in pictures):
            pictures = [torch.stack(pictures, dim=1)]  # one pass over all of them
        cells = [self._cells_of(picture.flatten(0, -4)).unflatten(0, picture.shape[:-3]) for picture in pictures]
        return self.project(torch.cat([part.flatten(1) for part in cells], dim=-1))

    def _cells_of(self, image: torch.Tensor) -> torch.Tensor:
        """uint8 [N, H, W, 3] -> [N, 32, rows, columns]."""
        weight, bias = self.first.weight, self.first.bias
        assert bias is not None
        # Pixels are meant in [-1, 1]. Scaling the weights instead is the same, and they are fewer than the pixels.
        scaled, shifted = weight * (1.0 / 127.5), bias - weight.sum(dim=(1, 2, 3))
        plane = image.flatten(2)[:, None].to(weight.dtype)
        x = functional.relu(functional.conv2d(plane, scaled, shifted, stride=self.first.stride))
        x = functional.relu(self.third(functional.relu(self.second(x))))
        window = _window(x.shape[-2]), _window(x.shape[-1])
        return x if window == (1, 1) else functional.avg_pool2d(x, window)


class Block(nn.Module):
    """Pre-norm self-attention and feed-forward, without dropout."""

    def __init__(self, features: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.heads = heads
        self.size = features // heads
        self.norm_attention = nn.LayerNorm(features)
        self.read = nn.Linear(features, 3 * features)
        self.write = nn.Linear(features, features)
        self.norm_forward = nn.LayerNorm(features)
        self.forward_layers = nn.Sequential(
            nn.Linear(features, feed_forward), nn.GELU(), nn.Linear(feed_forward, features)
        )

    def forward(self, tokens: torch.Tensor, count: int) -> torch.Tensor:
        """[B * count, F], the tokens of one sample after the other -> the same shape."""
        parts = self.read(self.norm_attention(tokens)).chunk(3, dim=-1)
        query, key, value = (part.reshape(-1, count, self.heads, self.size).transpose(1, 2) for part in parts)
        # Written out: the exporter makes more operations of torch's own attention.
        weight = functional.softmax(query @ key.transpose(2, 3) * self.size**-0.5, dim=-1)
        tokens = tokens + self.write((weight @ value).transpose(1, 2).reshape(tokens.shape))
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
        side_by_side = torch.cat([self.picture(images), self.state(state), self.action(base_code)], dim=1)
        count, width = self.kinds.shape
        # Tokens below each other in one matrix: a linear layer is one product then, also in the exported graph.
        tokens = (side_by_side + self.kinds.flatten()).reshape(-1, width)
        for block in self.blocks:
            tokens = block(tokens, count)
        return self.head(self.norm(tokens).reshape(-1, count * width))


def _window(size: int) -> int:
    return max(1, size // GRID)


def _cells(pixels: int) -> int:
    """Cells of a side with so many pixels."""
    size = (pixels // PATCH + 1) // 2 // 3
    return size // _window(size)
