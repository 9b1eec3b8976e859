"""One process or several: ``torchrun --nproc-per-node 8 -m training ...`` starts several, which then share a step."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

from training.common.errors import TrainingError


def pick_device(name: str = "auto", local_rank: int | None = None) -> torch.device:
    """The named device ("cpu", "cuda", "cuda:1"); "auto": the GPU when there is one.

    local_rank: place among the processes of this machine; "auto" and "cuda" then mean the GPU of that number.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name != "cuda" or local_rank is None:
        return torch.device(name)
    chosen = torch.device("cuda", local_rank)
    torch.cuda.set_device(chosen)
    return chosen


@dataclass(frozen=True)
class Workers:
    """The processes of a run, seen from the one of number ``rank``."""

    rank: int
    world: int
    device: torch.device

    @property
    def main(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def share(self, total: int) -> slice:
        """This process's part of ``total`` clips of a step; TrainingError when they cannot be shared evenly."""
        if total < 1 or total % self.world:
            raise TrainingError(f"a batch of {total} clips cannot be split over {self.world} processes; change --batch")
        part = total // self.world
        return slice(self.rank * part, (self.rank + 1) * part)

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """Sum of a scalar over all processes."""
        if self.world > 1:
            value = value.detach().clone()
            dist.all_reduce(value)
        return value

    def agree(self, seconds: float, stop: bool) -> tuple[float, bool]:
        """The first process's clock, and whether any process was asked to stop: all must stop at the same step."""
        if self.world == 1:
            return seconds, stop
        values = torch.tensor([seconds if self.main else 0.0, float(stop)], dtype=torch.float64)
        dist.all_reduce(values)
        return float(values[0]), bool(values[1] > 0)

    def wait(self) -> None:
        """Until every process is here."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def joined(device: str = "auto") -> Iterator[Workers]:
    """Join the group that torchrun's environment variables describe; without them this process is alone."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Workers(0, 1, pick_device(device))
        return
    chosen = pick_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    started = not dist.is_initialized()
    if started:
        dist.init_process_group("cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Workers(dist.get_rank(), world, chosen)
    finally:
        if started:
            dist.destroy_process_group()
