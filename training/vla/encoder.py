"""One camera's picture to features: folded pixels, convolutions told what to look for, and where they found it.

Legend: B batch, H W cells, C channels, K keypoints, F features of the condition (text and state).
No normalisation layers: they cost more than the convolutions on a CPU.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from training.vla.config import ModelConfig


def fold_pixels(image: torch.Tensor, patch: int) -> torch.Tensor:
    """uint8 [B, H*p, W*p, 3] -> [B, 3*p*p, H, W] in channels-last memory, same dtype, without arithmetic."""
    batch, height, width, channels = image.shape
    cells = image.reshape(batch, height // patch, patch, width // patch, patch, channels)
    folded = cells.permute(0, 1, 3, 2, 4, 5).reshape(batch, height // patch, width // patch, patch * patch * channels)
    return folded.permute(0, 3, 1, 2)


class FilmConv(nn.Module):
    """A 3x3 convolution whose channels the condition scales and shifts."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.film = nn.Linear(condition, 2 * outputs)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        nn.init.normal_(self.film.weight, std=0.02)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """x [B, C, H, W], condition [B, F] -> [B, outputs, H, W]."""
        y = self.conv(x)
        scale, shift = self.film(condition)[:, :, None, None].to(y.dtype).chunk(2, dim=1)
        return functional.relu(torch.addcmul(shift, y, 1 + scale), inplace=True)


class SpatialSoftmax(nn.Module):
    """Heat maps to the coordinates of their centres of mass, in float32: a pixel is several millimetres."""

    grid: torch.Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        ys, xs = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        self.register_buffer("grid", torch.stack([xs.flatten(), ys.flatten()], dim=0), persistent=False)

    def forward(self, heat: torch.Tensor) -> torch.Tensor:
        """heat [B, H, W, K] -> [B, 2*K] in [-1, 1]."""
        return torch.matmul(self.grid, functional.softmax(heat.float().flatten(1, 2), dim=1)).flatten(1)


@dataclass(frozen=True)
class CameraFeatures:
    """What one camera says. Legend: B batch, K pointers, C fine channels."""

    seen: torch.Tensor  # float32 [B, features]: keypoints at two scales and the coarse features' mean
    pointed: torch.Tensor  # float32 [B, K * (C + 3)]: per pointer where (x, y), how surely, and what is there
    heat: torch.Tensor  # float32 [B, K, H, W]: the pointers' logits per cell


class Pointers(nn.Module):
    """Places in the picture that the sentence asks about: where they are and the features found there.

    The condition makes one query per pointer; its product with each cell's features is a heat map. The features read at
    the place tell what its coordinates cannot: where inside the cell, and which way the object is turned.
    """

    def __init__(self, height: int, width: int, channels: int, condition: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.query = nn.Linear(condition, count * channels)
        self.points = SpatialSoftmax(height, width)
        self.features = count * (channels + 3)

    def forward(self, cells: torch.Tensor, condition: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """cells [B, H, W, C], condition [B, F] -> float32 [B, :attr:`features`], logits [B, K, H, W]."""
        # The products stay in the cells' own precision: on a CPU they cost four times as much in float32.
        flat = cells.flatten(1, 2)
        query = self.query(condition).unflatten(1, (self.count, flat.shape[-1])).to(flat.dtype)
        heat = torch.matmul(flat, query.transpose(1, 2)).float() * flat.shape[-1] ** -0.5  # [B, H*W, K]
        share = functional.softmax(heat, dim=1).transpose(1, 2)
        where = torch.matmul(share, self.points.grid.transpose(0, 1))
        what = torch.matmul(share.to(flat.dtype), flat).float()
        found = torch.cat([where, share.amax(dim=2, keepdim=True), what], dim=-1).flatten(1)
        return found, heat.transpose(1, 2).unflatten(2, cells.shape[1:3])


class CameraEncoder(nn.Module):
    """Picture and condition -> :class:`CameraFeatures`."""

    def __init__(self, height: int, width: int, condition: int, config: ModelConfig) -> None:
        super().__init__()
        first, second, coarse = config.channels
        self.patch = config.patch
        rows, columns = height // config.patch, width // config.patch
        # The first layer finds edges and colours, the same ones whatever is asked.
        self.first = nn.Conv2d(3 * config.patch**2, first, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        self.second = FilmConv(first, second, condition)
        sizes = [second] + [coarse] * config.coarse_layers
        self.coarse = nn.ModuleList([FilmConv(i, o, condition) for i, o in pairwise(sizes)])
        self.lateral = nn.Linear(coarse, second)
        self.fine_heat = nn.Linear(second, config.fine_keypoints)
        self.coarse_heat = nn.Linear(coarse, config.coarse_keypoints)
        self.fine_points = SpatialSoftmax(rows, columns)
        self.coarse_points = SpatialSoftmax(rows // 2, columns // 2)
        self.pointers = Pointers(rows, columns, second, condition, config.pointers)
        self.features = 2 * (config.fine_keypoints + config.coarse_keypoints) + coarse

    def forward(self, image: torch.Tensor, condition: torch.Tensor, mixed: bool = False) -> CameraFeatures:
        """image [B, 3*p*p, H, W], roughly in [-1, 1]; condition [B, F].

        mixed: convolve in bfloat16; where things are is always computed in float32.
        """
        with torch.autocast("cpu", torch.bfloat16) if mixed else nullcontext():
            fine, fine_heat, coarse_heat, average = self._maps(image, condition)
        points = self.fine_points(fine_heat), self.coarse_points(coarse_heat)
        return CameraFeatures(torch.cat([*points, average.float()], dim=-1), *self.pointers(fine, condition))

    def _maps(self, image: torch.Tensor, condition: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Fine cells [B, H, W, C], heat maps [B, H, W, K] at both scales and the coarse features' mean [B, C]."""
        fine = self.second(functional.relu(self.first(image), inplace=True), condition)
        # Pooling, then convolving: backward of a strided convolution is ten times slower on a CPU.
        coarse = functional.avg_pool2d(fine, 2)
        for layer in self.coarse:
            coarse = layer(coarse, condition)
        # From here on the cells come first: [B, H, W, C], the order in which the memory already is.
        coarse = coarse.permute(0, 2, 3, 1)
        raised = self.lateral(coarse).repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
        fine = functional.relu(fine.permute(0, 2, 3, 1) + raised, inplace=True)
        return fine, self.fine_heat(fine), self.coarse_heat(coarse), coarse.mean(dim=(1, 2))
