"""The last filter before an action becomes an arm target: nothing outside the contract or the workspace passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from world2act_core.contract import Contract
from world2act_core.types import EefPose, FloatArray

# Limits and actions are float32: a value that differs from its limit by rounding alone is not worth an event.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class WorkspaceBox:
    """Where the end effector may be: corners low and high [3], m, base frame."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError(f"workspace box: every low must be below its high, got {self.low} and {self.high}")


@dataclass(frozen=True)
class LimitEvent:
    """One intervention. name: `not_finite` (the action was refused), `clipped`, `workspace`; detail: what and where."""

    name: str
    detail: str


class ActionLimits:
    """Clips actions to the contract's limits and their target positions to a workspace box."""

    def __init__(self, contract: Contract, workspace: WorkspaceBox | None = None) -> None:
        self._low = contract.action_low
        self._high = contract.action_high
        self._entries = [
            f"{dim.name}[{i}]" if dim.size > 1 else dim.name for dim in contract.action for i in range(dim.size)
        ]
        self._workspace = workspace
        self._position = contract.action_slice("delta_position") if workspace is not None else slice(0, 0)

    @classmethod
    def from_contract(cls, contract: Contract, workspace: WorkspaceBox | None = None) -> ActionLimits:
        """The limits of `contract`; with a workspace it must have an action dimension `delta_position`."""
        return cls(contract, workspace)

    def apply(self, pose: EefPose, action: ArrayLike) -> tuple[FloatArray | None, tuple[LimitEvent, ...]]:
        """The action [A] that may be executed at the measured `pose`, and what had to be changed.

        The action is None when it is refused (a number is not finite): the arm must hold. Raises ValueError for a
        wrong shape, which is a mistake in the program and not a bad prediction.
        """
        wanted = np.asarray(action, dtype=np.float32)
        if wanted.shape != self._low.shape:
            raise ValueError(f"action must have shape {self._low.shape}, got {wanted.shape}")
        bad = ~np.isfinite(wanted)
        if bad.any():
            return None, (LimitEvent("not_finite", f"refused: not finite: {self._named(bad)}"),)
        events: list[LimitEvent] = []
        allowed = np.clip(wanted, self._low, self._high)
        outside = np.abs(allowed - wanted) > _ROUNDING
        if outside.any():
            events.append(LimitEvent("clipped", f"beyond the contract's limits: {self._named(outside)}"))
        if self._workspace is not None:
            events += self._keep_in_box(pose, allowed, self._workspace)
        return allowed, tuple(events)

    def _keep_in_box(self, pose: EefPose, action: FloatArray, box: WorkspaceBox) -> list[LimitEvent]:
        where = self._position
        target = pose.position + action[where]
        inside = np.clip(target, box.low, box.high)
        moved = np.abs(inside - target) > _ROUNDING
        if not moved.any():
            return []
        # An arm that is already outside comes back at the speed limit, not in one jump.
        action[where] = np.clip(inside - pose.position, self._low[where], self._high[where])
        axes = ", ".join(f"{axis} {value:.3f} m" for axis, value, hit in zip("xyz", target, moved, strict=True) if hit)
        return [LimitEvent("workspace", f"target outside the workspace: {axes}")]

    def _named(self, mask: NDArray[np.bool_]) -> str:
        return ", ".join(name for name, hit in zip(self._entries, mask, strict=True) if hit)
