"""Both adapters' encoders as ONNX graphs, checked against torch before anyone gets them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from training.alignment.adapters import ActionAdapter, VideoAdapter
from training.common.action_scale import ActionScale
from training.common.errors import ExportError
from training.export.onnx_tools import infer, onnx_from_torch

VIDEO_GRAPH = "video_adapter.onnx"
ACTION_GRAPH = "action_adapter.onnx"
TOLERANCE = 1e-4
"""Largest difference per entry of a code, relative to the largest entry of all codes compared."""


class RobotActionEncoder(nn.Module):
    """B_a with the scaling inside: takes what the robot executed."""

    def __init__(self, adapter: ActionAdapter, scale: ActionScale) -> None:
        super().__init__()
        self.adapter, self.scale = adapter, scale

    def forward(self, actions: torch.Tensor) -> torch.Tensor:
        """Robot units [B, N, M, A] -> codes [B, N, 32]."""
        return self.adapter.encode(self.scale.normalise(actions))


def export_video_adapter(adapter: VideoAdapter, shape: tuple[int, int], path: Path, samples: int = 4) -> float:
    """Write ``latents`` [B, 16, 1+N, h, w] -> ``codes`` [B, N, 32] for latents of ``shape`` (h, w); B and N are free.

    Returns the largest relative difference to torch; raises :class:`ExportError` beyond TOLERANCE.
    """
    batch, count = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("latents", min=2, max=1024)
    example = torch.randn(2, adapter.channels, 4, *shape)
    onnx_from_torch(adapter.eval(), (example,), path, ["latents"], ["codes"], ({0: batch, 2: count},))
    generator = torch.Generator().manual_seed(0)
    sizes = ((samples, 9), (1, 2))
    inputs = [torch.randn(b, adapter.channels, n, *shape, generator=generator) for b, n in sizes]
    return _parity(adapter, path, "latents", inputs)


def export_action_adapter(adapter: ActionAdapter, scale: ActionScale, path: Path, samples: int = 4) -> float:
    """Write ``actions`` [B, N, M, A] in robot units -> ``codes`` [B, N, 32]; B and N are free.

    Returns the largest relative difference to torch; raises :class:`ExportError` beyond TOLERANCE.
    """
    model = RobotActionEncoder(adapter, scale).eval()
    batch, count = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("chunks", min=1, max=1024)
    size = (adapter.chunk, adapter.action_size)
    onnx_from_torch(
        model, (scale.restore(torch.rand(2, 3, *size)),), path, ["actions"], ["codes"], ({0: batch, 1: count},)
    )
    generator = torch.Generator().manual_seed(0)
    shapes = ((samples, 12), (1, 1))
    inputs = [scale.restore(2 * torch.rand(b, n, *size, generator=generator) - 1) for b, n in shapes]
    return _parity(model, path, "actions", inputs)


def _parity(model: nn.Module, path: Path, name: str, inputs: list[torch.Tensor]) -> float:
    largest = 0.0
    for value in inputs:
        with torch.no_grad():
            expected = model(value).numpy()
        actual = infer(path, {name: value.numpy()})["codes"]
        largest = max(largest, float(np.abs(actual - expected).max() / max(1e-6, float(np.abs(expected).max()))))
    if not largest <= TOLERANCE:
        path.unlink(missing_ok=True)
        raise ExportError(f"{path} differs from torch by {largest:.2e} (relative), allowed {TOLERANCE}; it was removed")
    return largest
