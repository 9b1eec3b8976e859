"""One recorded episode in memory, and the columns every frame of it has."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# name -> (dtype, shape of one frame). Positions are metres in the robot's base frame, NaN where nothing is referred to.
FRAME_COLUMNS: dict[str, tuple[str, tuple[int, ...]]] = {
    "observation.state": ("float32", (10,)),
    "observation.gripper": ("float32", (1,)),  # 1 = closed command in force, 0 = open
    "action": ("float32", (7,)),
    "executed_action": ("float32", (7,)),  # what the robot did: the label plus the exploration noise
    "done": ("bool", (1,)),  # the current skill's condition holds
    "skill_index": ("int64", (1,)),  # position in the episode's list of skills
    "target_position": ("float32", (3,)),
    "support_position": ("float32", (3,)),
}


def frame_columns(state_size: int, action_size: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """:data:`FRAME_COLUMNS` for another robot: the same names, with its state and action sizes."""
    sizes = {"observation.state": state_size, "action": action_size, "executed_action": action_size}
    return {name: (dtype, (sizes[name],) if name in sizes else shape) for name, (dtype, shape) in FRAME_COLUMNS.items()}


@dataclass(frozen=True)
class SkillSegment:
    """Frames ``[start, stop)`` in which one skill was the current one."""

    kind: str
    target: str
    support: str | None
    prompt: str
    start: int
    stop: int
    achieved: bool


@dataclass(frozen=True)
class EpisodeInfo:
    """What is known about a whole episode."""

    seed: int
    kind: str
    split: str
    instruction: str
    success: bool
    segments: tuple[SkillSegment, ...]
    objects: tuple[str, ...] = ()
    extra: dict[str, int | float | str] = field(default_factory=dict)
    """Further columns of the episode's row, the same ones for every episode of a dataset."""


@dataclass
class EpisodeBuffer:
    """Frames of the episode being recorded."""

    images: dict[str, list[NDArray[np.uint8]]] = field(default_factory=dict)
    specification: dict[str, tuple[str, tuple[int, ...]]] = field(default_factory=lambda: dict(FRAME_COLUMNS))
    columns: dict[str, list[NDArray[np.generic]]] = field(init=False)

    def __post_init__(self) -> None:
        self.columns = {name: [] for name in self.specification}

    def __len__(self) -> int:
        return len(self.columns["action"])

    def add(self, images: dict[str, NDArray[np.uint8]], values: dict[str, object]) -> None:
        """Append one frame: ``images`` name -> uint8 [H, W, 3]; ``values`` one entry per column."""
        if set(values) != set(self.specification):
            raise ValueError(f"frame columns differ: got {sorted(values)}, expected {sorted(self.specification)}")
        for name, image in images.items():
            self.images.setdefault(name, []).append(np.ascontiguousarray(image))
        for name, (dtype, shape) in self.specification.items():
            self.columns[name].append(np.asarray(values[name], dtype=dtype).reshape(shape))

    def stacked(self) -> dict[str, NDArray[np.generic]]:
        """Columns as arrays [N, *shape]."""
        return {name: np.stack(rows) for name, rows in self.columns.items()}
