"""One process or many (torchrun): DDP and FSDP2 behind one small interface; checkpoints look the same in all cases."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor


def best_device() -> torch.device:
    """The GPU when there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Workers:
    """The processes of a run. ``rank`` 0 writes and reports."""

    rank: int
    world: int
    device: torch.device

    @classmethod
    def start(cls) -> Workers:
        """Join the group that torchrun's environment variables describe; without them this process is alone."""
        cuda = torch.cuda.is_available()
        local = int(os.environ.get("LOCAL_RANK", "0"))
        device = torch.device("cuda", local) if cuda else torch.device("cpu")
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return cls(0, 1, device)
        if cuda:
            torch.cuda.set_device(device)
        if not dist.is_initialized():
            dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
        return cls(dist.get_rank(), world, device)

    @property
    def main(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def share(self, total: int) -> slice:
        """This process's part of ``total`` clips of a step."""
        if total % self.world:
            raise ValueError(f"a batch of {total} clips cannot be split over {self.world} processes; change --batch")
        part = total // self.world
        return slice(self.rank * part, (self.rank + 1) * part)

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """Sum of a scalar over all processes."""
        if self.world > 1:
            value = value.detach().clone()
            dist.all_reduce(value)
        return value

    def agree(self, seconds: float, stop: bool) -> tuple[float, bool]:
        """The first process's clock, and whether any process was asked to stop."""
        if self.world == 1:
            return seconds, stop
        values = torch.tensor([seconds if self.main else 0.0, float(stop)], dtype=torch.float64)
        dist.all_reduce(values)
        return float(values[0]), bool(values[1] > 0)

    def wait(self) -> None:
        """Until every process is here."""
        if self.world > 1:
            dist.barrier()

    def finish(self) -> None:
        """Leave the group."""
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()


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
