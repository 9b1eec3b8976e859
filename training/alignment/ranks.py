"""One process or several: ``torchrun --nproc-per-node 8 -m training align`` starts several."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True)
class Ranks:
    """This process's place among all."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes checkpoints and talks to the person."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """True on every rank as soon as it is on one: ranks must stop at the same step."""
        if self.world == 1:
            return flag
        shared = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(shared, op=distributed.ReduceOp.MAX)
        return bool(shared.item())

    def wait(self) -> None:
        """Go on when every rank has come here."""
        if self.world > 1:
            distributed.barrier()


@contextmanager
def ranks(device: str) -> Iterator[Ranks]:
    """Join the processes that torchrun started, if it did. device: "auto", "cpu", "cuda" or one like "cuda:1"."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = _device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if world == 1:
        yield Ranks(0, 1, chosen)
        return
    started = not distributed.is_initialized()
    if started:
        distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank(), world, chosen)
    finally:
        if started:
            distributed.destroy_process_group()


def _device(name: str, local_rank: int) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name != "cuda":
        return torch.device(name)
    chosen = torch.device("cuda", local_rank)
    torch.cuda.set_device(chosen)
    return chosen
