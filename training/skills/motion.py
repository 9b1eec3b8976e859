"""What segmentation looks at: where the hand is, how far it is open and what it was told to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.common.errors import DatasetError
from world2act_core.contract import ActionDim, Contract, StateDim

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Trajectory:
    """One demonstration of T frames, ``fps`` per second."""

    position: FloatArray  # [T, 3] m, hand, base frame
    width: FloatArray  # [T] m, distance between the fingers
    command: FloatArray | None  # [T, 3] m, commanded displacement of the hand, base frame; None: not known
    fps: float
    contact: NDArray[np.bool_] | None = None  # [T] a contact sensor's answer; None: inferred from the motion

    def __len__(self) -> int:
        return len(self.width)

    def frames(self, seconds: float) -> int:
        """``seconds`` as a number of frames, at least 1."""
        return max(1, round(seconds * self.fps))

    def speed(self, smooth_s: float = 0.0) -> FloatArray:
        """Speed of the hand [T] in m/s from frame t to t + 1 (the last one repeats), averaged over ``smooth_s``."""
        if len(self) < 2:
            return np.zeros(len(self))
        steps = np.linalg.norm(np.diff(self.position, axis=0), axis=1) * self.fps
        speed = np.append(steps, steps[-1])
        size = self.frames(smooth_s) if smooth_s else 1
        return np.convolve(np.pad(speed, size // 2, mode="edge"), np.full(size, 1 / size), mode="same")[
            size // 2 : size // 2 + len(speed)
        ]


@dataclass(frozen=True)
class TrajectorySource:
    """Where a dataset's columns hold what :class:`Trajectory` needs."""

    position: slice  # of observation.state
    width: int  # of observation.state
    command: slice | None  # of executed_action

    def read(self, columns: dict[str, NDArray[Any]], fps: float) -> Trajectory:
        """The trajectory of an episode's columns [T, ...]; a column ``contact`` is used when there is one."""
        state = np.asarray(columns["observation.state"], np.float64)
        command = None if self.command is None else np.asarray(columns["executed_action"], np.float64)[:, self.command]
        contact = np.asarray(columns["contact"]).reshape(-1).astype(bool) if "contact" in columns else None
        return Trajectory(state[:, self.position], state[:, self.width], command, fps, contact)


def trajectory_source(contract: Contract, where: str) -> TrajectorySource:
    """Find the hand and the gripper in a contract; :class:`DatasetError` names ``where`` and what the state has."""
    width = _only(contract.state, "width", where, "the gripper's opening")
    position = _only(contract.state, "position", where, "the hand's position")
    deltas = [d for d in contract.action if d.representation == "position" and d.mode == "delta" and d.unit == "m"]
    command = contract.action_slice(deltas[0].name) if deltas else None
    return TrajectorySource(contract.state_slice(position), contract.state_slice(width).start, command)


def _only(dims: tuple[StateDim, ...] | tuple[ActionDim, ...], representation: str, where: str, meaning: str) -> str:
    found = [dim.name for dim in dims if dim.representation == representation]
    if not found:
        known = ", ".join(f"{dim.name} ({dim.representation})" for dim in dims)
        raise DatasetError(
            f"{where}: skills are cut where the gripper changes, but the contract's state has no entry of "
            f"representation '{representation}' ({meaning}); it has: {known}. Add it to the dataset, or use one that "
            "has a gripper."
        )
    return found[0]
