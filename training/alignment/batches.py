"""Batch number n of a run is a function of seed, rank and n: a continued run sees what an uninterrupted one does."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
import torch

from training.alignment.actions import ActionSource
from training.alignment.clips import LatentClips
from training.alignment.config import AdapterConfig
from training.alignment.index import WindowIndex
from training.alignment.pairs import Crop, Pairs, make_pairs
from training.common.prefetch import prefetch


class BatchSource:
    """Makes training batches and the fixed held-out set."""

    def __init__(
        self, clips: LatentClips, actions: ActionSource, index: WindowIndex, adapters: AdapterConfig, action_chunks: int
    ) -> None:
        self.clips, self.actions, self.index = clips, actions, index
        self._chunk, self._action_chunks = adapters.chunk, action_chunks

    def batch(self, seed: int, rank: int, number: int, size: int, per_task: int) -> Pairs:
        """Batch ``number`` of ``rank``: always the same for the same seed."""
        rng = np.random.default_rng([seed, rank, number])
        return self._read(self.index.draw(size, per_task, rng))

    def stream(self, seed: int, rank: int, first: int, size: int, per_task: int) -> Generator[Pairs]:
        """Batches from number ``first`` on, read by a thread while the previous ones are used."""
        return prefetch(lambda number: self.batch(seed, rank, number, size, per_task), first)

    def held_out(self, windows: int, size: int = 16) -> Iterator[Pairs]:
        """The fixed held-out set of at most ``windows`` windows, ``size`` at a time."""
        crops = self.index.fixed(windows)
        for start in range(0, len(crops), size):
            yield self._read(crops[start : start + size])

    def _read(self, crops: list[Crop]) -> Pairs:
        tasks = [int(self.index.task[crop.window]) for crop in crops]
        return make_pairs(self.clips, self.actions, crops, tasks, self._chunk, self._action_chunks)


def step_generator(seed: int, rank: int, step: int) -> torch.Generator:
    """The random numbers of one step of one rank, on the CPU: there is no other random state to keep."""
    state = np.random.SeedSequence([seed, rank, step, 1]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
