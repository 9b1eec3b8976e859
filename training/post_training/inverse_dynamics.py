"""Inverse dynamics: two pictures M steps apart -> the actions between them and the robot's state in the first one.

Part of the pixel-space baseline (DreamGen). The state is needed because a video shows the robot but does not say its
state, and the policy reads one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from training.common.action_scale import ActionScale
from training.common.errors import DatasetError
from training.data.cache import FrameCache
from training.data.lerobot_reader import LeRobotReader
from training.vla.normalisation import Normalisation
from world2act_core.contract import Contract

Pack = Callable[[Mapping[str, NDArray[np.uint8]]], NDArray[np.uint8]]


class InverseDynamics(nn.Module):
    """A CNN over both pictures. Legend: B batch, M steps, A action entries, S state entries."""

    def __init__(self, contract: Contract, steps: int, width: int = 32) -> None:
        super().__init__()
        self.contract = contract
        self.steps = steps
        sizes = (6, width, 2 * width, 3 * width, 4 * width)
        layers: list[nn.Module] = []
        for inputs, outputs in zip(sizes[:-1], sizes[1:]):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.GroupNorm(8, outputs), nn.GELU()]
        self.layers = nn.Sequential(*layers)
        self.read = nn.Sequential(nn.Linear(sizes[-1] * 16, 256), nn.GELU())
        self.action = nn.Linear(256, steps * contract.action_size)
        self.state = nn.Linear(256, contract.state_size)
        self.scale = ActionScale(contract)
        self.normalisation = Normalisation(contract)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Packed frames uint8 [B, h, w, 3] twice -> actions [B, M, A] (shares of the limits), states [B, S]."""
        pictures = torch.cat([first, second], dim=-1).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        cells = functional.adaptive_avg_pool2d(self.layers(pictures), 4).flatten(1)
        features = self.read(cells)
        return self.action(features).unflatten(1, (self.steps, -1)), self.state(features)

    @torch.no_grad()
    def label(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As :meth:`forward`, in robot units: actions [B, M, A] within the limits, states [B, S]."""
        shares, state = self(first, second)
        units = self.scale.restore(shares.clamp(-1.0, 1.0))
        return units, state * self.normalisation.state_scale + self.normalisation.state_mean


class FramePairs:
    """Pairs of packed frames M steps apart from a decoded dataset, with what was executed between them."""

    def __init__(self, cache: FrameCache, pack: Pack, steps: int, batch: int, seed: int) -> None:
        """Raises DatasetError when no episode is longer than ``steps``."""
        reader = LeRobotReader(cache.dataset)
        self._cache, self._pack, self._steps, self._batch, self._seed = cache, pack, steps, batch, seed
        self.contract = cache.contract
        self.state = reader.column("observation.state")[: len(cache)].astype(np.float32)
        self.action = reader.column("executed_action")[: len(cache)].astype(np.float32)
        self._scale = ActionScale(self.contract)
        rows = [row for row in reader.episodes if int(row["dataset_to_index"]) <= len(cache)]
        starts = [np.arange(int(row["dataset_from_index"]), int(row["dataset_to_index"]) - steps) for row in rows]
        self.first = np.concatenate(starts) if starts else np.zeros(0, np.int64)
        if not len(self.first):
            raise DatasetError(
                f"{cache.dataset} has no episode longer than {steps} frames to learn inverse dynamics from"
            )

    def batch(self, number: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Batch ``number``: frames uint8 [B, h, w, 3] twice, actions [B, M, A] as shares, states [B, S] robot units."""
        rng = np.random.default_rng([self._seed, number])
        first = self.first[rng.integers(len(self.first), size=self._batch)]
        actions = self.action[first[:, None] + np.arange(self._steps)]
        shares = self._scale.normalise(torch.from_numpy(actions)).clamp(-1.0, 1.0)
        frames = self._frames(first), self._frames(first + self._steps)
        return frames[0], frames[1], shares, torch.from_numpy(self.state[first])

    def _frames(self, indices: NDArray[np.int64]) -> torch.Tensor:
        views = {camera.name: np.stack(self._cache.frames(camera.name, indices)) for camera in self.contract.cameras}
        return torch.from_numpy(self._pack(views))


def pair_loss(model: InverseDynamics, batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, dict[str, Any]]:
    """Mean absolute error of actions (shares of the limits) plus that of the normalised state."""
    first, second, shares, state = batch
    actions, guess = model(first, second)
    action = (actions - shares).abs().mean()
    place = (guess - model.normalisation.state(state)).abs().mean()
    return action + 0.5 * place, {"action": action.detach(), "state": place.detach()}
