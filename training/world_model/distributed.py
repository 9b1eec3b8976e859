"""DDP and FSDP2 behind one small interface; checkpoints look the same in all cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor

from training.common.workers import Workers


def shard(model: nn.Module, workers: Workers, parallel: Literal["ddp", "fsdp2"]) -> Callable[..., Any]:
    """Prepare ``model`` for training; returns what to call instead of it.

    ddp: a wrapper that averages gradients; fsdp2: ``fully_shard`` in place, block by block, so that weights, gradients
    and moments are spread over the processes.
    """
    if workers.world == 1:
        return model
    if parallel == "ddp":
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(model, device_ids=None if workers.device.type == "cpu" else [workers.device])
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(workers.device.type, (workers.world,))
    for block in getattr(model, "transformer_blocks", ()):
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


def local(tensor: torch.Tensor) -> torch.Tensor:
    """This process's part of a tensor, sharing its memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def full(tensor: torch.Tensor) -> torch.Tensor:
    """The whole of a tensor, on the CPU; every process must call this for the same tensors in the same order."""
    whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return whole.detach().cpu()


def like(whole: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """``whole`` laid out (and split over processes) as ``reference`` is."""
    if isinstance(reference, DTensor):
        whole = whole.to(reference.device)
        return distribute_tensor(whole, reference.device_mesh, reference.placements)
    return torch.empty_like(reference).copy_(whole)


def rejoined(part: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """A tensor split as ``reference`` is, from this process's ``part``."""
    if isinstance(reference, DTensor):
        return DTensor.from_local(
            part, reference.device_mesh, reference.placements, shape=reference.shape, stride=reference.stride()
        )
    return part
