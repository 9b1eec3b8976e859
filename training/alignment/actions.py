"""Action chunks of an episode by frame number, in the units of the action adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from training.common.action_scale import ActionScale
from training.common.errors import DatasetError
from training.data import layout
from training.data.lerobot_reader import LeRobotReader
from world2act_core.contract import Contract

COLUMNS = ("executed_action", "action")
"""What was done, else what was asked for (datasets of other origin record one action only)."""


class ActionSource(Protocol):
    """Actions of a dataset's episodes."""

    @property
    def contract(self) -> Contract:
        """What the actions mean."""

    def length(self, episode: int) -> int:
        """Actions (= frames) of an episode."""

    def chunks(self, episode: int, start: int, count: int, size: int) -> NDArray[np.float32]:
        """[count, size, A] normalised, from frame ``start`` on; past the episode's end the arm holds."""


class EpisodeActions:
    """Actions in memory: all episodes one after the other."""

    def __init__(self, contract: Contract, actions: NDArray[np.float32], bounds: NDArray[np.int64]) -> None:
        """``actions`` [N, A] in robot units; ``bounds`` [episodes, 2]: first and one past the last row of each."""
        if actions.ndim != 2 or actions.shape[1] != contract.action_size:
            names = [dim.name for dim in contract.action]
            raise DatasetError(
                f"the dataset's actions have shape {actions.shape}, its contract says {contract.action_size} entries "
                f"per action ({', '.join(names)}); dataset and contract do not belong together"
            )
        self._contract, self._bounds = contract, bounds
        self._scale = ActionScale(contract)
        self._actions = self._scale.normalise(torch.from_numpy(actions)).numpy()

    @property
    def contract(self) -> Contract:
        """What the actions mean."""
        return self._contract

    def __len__(self) -> int:
        return len(self._bounds)

    def length(self, episode: int) -> int:
        """Actions (= frames) of an episode; DatasetError when there is no such episode."""
        if not 0 <= episode < len(self._bounds):
            raise DatasetError(
                f"the latents name episode {episode}, the dataset has {len(self._bounds)}; they were cached from "
                "another dataset, or it has changed since: cache the latents again"
            )
        first, stop = self._bounds[episode]
        return int(stop - first)

    def chunks(self, episode: int, start: int, count: int, size: int) -> NDArray[np.float32]:
        """[count, size, A] normalised, from frame ``start`` on; past the episode's end the arm holds."""
        length = self.length(episode)
        if not 0 <= start < length:
            raise DatasetError(f"frame {start} is outside episode {episode}, which has {length} frames")
        frames = start + np.arange(count * size)
        result = self._actions[self._bounds[episode, 0] + np.minimum(frames, length - 1)]
        result[frames >= length] = self._hold(result[frames >= length])
        return result.reshape(count, size, -1)

    def _hold(self, actions: NDArray[np.float32]) -> NDArray[np.float32]:
        """No motion, and what is absolute (the gripper) stays."""
        still = self._scale.normalise(torch.zeros(self._contract.action_size)).numpy()
        for dim in self._contract.action:
            if dim.mode == "delta":
                part = self._contract.action_slice(dim.name)
                actions[:, part] = still[part]
        return actions


def read_actions(root: Path) -> EpisodeActions:
    """The executed actions of the LeRobot dataset at ``root``, with the contract beside it."""
    reader = LeRobotReader(root)
    path = root / layout.CONTRACT_PATH
    if not path.exists():
        raise DatasetError(
            f"{path} is missing: nothing says what this dataset's actions mean; write its contract there"
        )
    names = [name for name in COLUMNS if name in reader.info["features"]]
    if not names:
        raise DatasetError(f"{root} has none of the columns {COLUMNS}; it has {sorted(reader.info['features'])}")
    rows = reader.episodes
    bounds = np.array([(row["dataset_from_index"], row["dataset_to_index"]) for row in rows], np.int64).reshape(-1, 2)
    return EpisodeActions(Contract.from_yaml(path), reader.column(names[0]).astype(np.float32), bounds)
