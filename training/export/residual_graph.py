"""The residual head as an ONNX graph that corrects the chunk of any policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from training.export.onnx_tools import fusable_gelu, onnx_from_torch
from training.post_training.actions import add_residual
from training.post_training.residual import ResidualHead
from world2act_core.residual import GAIN


class ExportedResidual(nn.Module):
    """The head with the robot's inputs and outputs in the order of the graph."""

    def __init__(self, head: ResidualHead) -> None:
        super().__init__()
        self.head = head
        self.names = tuple(camera.name for camera in head.contract.cameras)

    def forward(
        self, images: list[torch.Tensor], state: torch.Tensor, base: torch.Tensor, gain: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """images: uint8 [B, H, W, 3] per camera; base: [B, M, A], the policy's first M steps; gain: [B] in [0, 1].

        -> actions [B, M, A] in robot units and their code [B, C]; where the gain is 0 they have every bit of ``base``.
        """
        scale, share = self.head.coder.scale, gain[:, None, None]
        residual = self.head.residual(dict(zip(self.names, images)), state, base)
        # Not the product alone: whatever goes wrong in there must not reach an arm whose residual is switched off.
        residual = torch.where(share > 0, share * residual, torch.zeros_like(residual))
        actions = add_residual(base, residual, scale.low, scale.high)
        return actions, self.head.coder.code_of(actions)


def export_residual_graph(head: ResidualHead, path: Path) -> None:
    """Write the head, the frozen action adapter included, as one ONNX graph with a free batch size."""
    contract = head.contract
    names = [f"image_{camera.name}" for camera in contract.cameras]
    images = [torch.zeros((2, camera.height, camera.width, 3), dtype=torch.uint8) for camera in contract.cameras]
    base = torch.zeros(2, head.steps, contract.action_size)
    arguments: Any = (images, torch.zeros(2, contract.state_size), base, torch.ones(2))
    batch = torch.export.Dim("batch", min=1, max=4096)
    shapes = ([{0: batch} for _ in names], {0: batch}, {0: batch}, {0: batch})
    inputs = [*names, "state", "base_actions", GAIN]
    onnx_from_torch(ExportedResidual(head).eval(), arguments, path, inputs, ["actions", "code"], shapes)
    model = onnx.load(str(path))
    fusable_gelu(model)
    onnx.save(model, str(path))


def run_torch(head: ResidualHead, inputs: dict[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """Torch's own answer to the graph's inputs."""
    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in inputs.items()}
    images = [tensors[f"image_{camera.name}"] for camera in head.contract.cameras]
    with torch.no_grad():
        actions, code = ExportedResidual(head)(images, tensors["state"], tensors["base_actions"], tensors[GAIN])
    return {"actions": actions.numpy(), "code": code.numpy()}
