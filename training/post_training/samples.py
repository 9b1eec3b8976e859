"""Trajectories as tensors: one row per query of the policy, and where its code belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from training.post_training.imagined import ImaginedCodes
from training.post_training.rollouts import Trajectory


@dataclass(frozen=True)
class Samples:
    """n queries of K trajectories. Images uint8, the rest float32 in robot units unless said otherwise."""

    images: dict[str, torch.Tensor]  # [n, H, W, 3] by camera
    state: torch.Tensor  # [n, S]
    base: torch.Tensor  # [n, T, A]
    prompts: tuple[str, ...]  # [n]
    place: torch.Tensor  # int64 [n]: trajectory * slots + slot
    imagined: torch.Tensor  # [K, slots, C] imagined codes
    mask: torch.Tensor  # bool [K, slots]: executed and imagined

    def __len__(self) -> int:
        return len(self.place)

    def scatter(self, values: torch.Tensor) -> torch.Tensor:
        """Rows [n, ...] to their places [K, slots, ...], zeros elsewhere."""
        trajectories, slots = self.mask.shape
        empty = values.new_zeros((trajectories * slots, *values.shape[1:]))
        return empty.index_copy(0, self.place, values).unflatten(0, (trajectories, slots))


def collate(trajectories: Sequence[Trajectory], codes: ImaginedCodes, device: torch.device) -> Samples:
    """Put trajectories together on ``device``. A slot that was visited twice keeps its first visit."""
    rows = [_first_visits(trajectory) for trajectory in trajectories]
    slots = codes.slots
    place = np.concatenate([k * slots + t.slots[keep] for k, (t, keep) in enumerate(zip(trajectories, rows))])
    mask = torch.zeros(len(trajectories) * slots, dtype=torch.bool)
    mask[torch.from_numpy(place)] = True

    def join(arrays: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.concatenate(arrays)).to(device)

    pairs = list(zip(trajectories, rows))
    return Samples(
        {name: join([t.images[name][keep] for t, keep in pairs]) for name in trajectories[0].images},
        join([t.state[keep] for t, keep in pairs]),
        join([t.base[keep] for t, keep in pairs]),
        tuple(t.prompts[i] for t, keep in pairs for i in keep),
        torch.from_numpy(place).to(device),
        codes.table([t.state_number for t in trajectories]).to(device),
        mask.unflatten(0, (len(trajectories), slots)).to(device),
    )


def _first_visits(trajectory: Trajectory) -> np.ndarray:
    _, first = np.unique(trajectory.slots, return_index=True)
    return np.sort(first)
