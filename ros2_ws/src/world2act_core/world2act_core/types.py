"""The values that travel between camera, policy and arm. Arrays are numpy; times are seconds on the graph's clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
ImageArray = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class EefPose:
    """An end-effector pose in the base frame: position [3] (m), quaternion [4] (x, y, z, w; unit length)."""

    position: NDArray[np.float64]
    quaternion: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", np.asarray(self.position, dtype=np.float64).reshape(3))
        object.__setattr__(self, "quaternion", np.asarray(self.quaternion, dtype=np.float64).reshape(4))


@dataclass(frozen=True, eq=False)
class ArmTarget:
    """What the arm is asked to reach: an absolute pose in the base frame; gripper in [-1, 1], +1 closes."""

    pose: EefPose
    gripper: float


@dataclass(frozen=True, eq=False)
class Observation:
    """Everything a policy sees at one instant.

    images: camera name -> uint8 [H, W, 3] (channel order as in the contract); state: float32 [S], contract order.
    """

    time_s: float
    images: Mapping[str, ImageArray]
    state: FloatArray


@dataclass(frozen=True, eq=False)
class ActionChunk:
    """The next T actions of a policy: row i is to be executed in [start + i * step, start + (i + 1) * step).

    actions: float32 [T, A] in robot units; done: probability in [0, 1] that the current skill is complete.
    code: float32 [C], the action adapter's code of the steps that are executed (None: the policy has no adapter).
    residual_size: mean change of the executed steps' entries, in shares of half the contract's range, >= 0; NaN without
    a residual. alignment: cosine in [-1, 1] of `code` with the code that a world model imagined; NaN without one.
    stamp_ns: the observation's stamp as it came, ns; None: only `start_time_s` is known.
    """

    sequence: int
    start_time_s: float
    step_s: float
    actions: FloatArray
    done: float = 0.0
    inference_s: float = 0.0
    skill_id: int = 0
    code: FloatArray | None = None
    residual_size: float = math.nan
    alignment: float = math.nan
    stamp_ns: int | None = None

    @property
    def end_time_s(self) -> float:
        """The first instant that the chunk no longer covers."""
        return self.start_time_s + len(self.actions) * self.step_s

    @property
    def start_ns(self) -> int:
        """`start_time_s` in ns. Exact with `stamp_ns`: as a float, today's time is off by up to 240 ns."""
        return round(self.start_time_s * 1e9) if self.stamp_ns is None else self.stamp_ns
