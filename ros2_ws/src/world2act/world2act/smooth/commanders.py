"""Ways to make commands of chunks, under one interface, so that the same episode can be run with each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from world2act_core.chunks import ChunkError, ChunkSampler
from world2act_core.contract import Contract
from world2act_core.limits import ActionLimits
from world2act_core.motion import NO_BLEND, TABLETOP_RESPONSE, Blend, SmoothMotion
from world2act_core.pose import apply_action
from world2act_core.types import ActionChunk, ArmTarget, EefPose


class Commander(Protocol):
    """Called every period: first `push` if a chunk has come, then `command`."""

    refused: int
    """Chunks that were not taken."""

    def push(self, chunk: ActionChunk) -> None:
        """A chunk has come."""
        ...

    def command(self, time_s: float, measured: EefPose) -> tuple[ArmTarget, bool]:
        """What the arm is told at `time_s`, and whether that is to hold."""
        ...

    @property
    def lookahead_s(self) -> float:
        """How far ahead of the clock the commands are."""
        ...


class SteppedCommander:
    """One target per step of the chunk, taken at the measured pose, the newest chunk at once: nothing in between."""

    lookahead_s = 0.0
    refused = 0

    def __init__(self, contract: Contract) -> None:
        self._chunks = ChunkSampler(contract)
        self._limits = ActionLimits.from_contract(contract)
        self._step_s = contract.step_s
        self._target: ArmTarget | None = None
        self._due_s = 0.0
        self._holding = True

    def push(self, chunk: ActionChunk) -> None:
        """A chunk has come: it is obeyed in this very period."""
        self._chunks.push(chunk)
        self._due_s = 0.0

    def command(self, time_s: float, measured: EefPose) -> tuple[ArmTarget, bool]:
        """The last target; a new one every step."""
        if self._target is None:
            self._target = ArmTarget(measured, -1.0)
        if time_s > self._due_s - 1e-6:
            self._due_s = time_s + self._step_s
            sample = self._chunks.sample(time_s)
            self._holding = sample is None
            if sample is not None:
                action, _ = self._limits.apply(measured, sample.action)
                if action is not None:
                    self._target = apply_action(measured, action)
        return self._target, self._holding


class SmoothCommander:
    """`SmoothMotion`, and the last target again when it has nothing to say."""

    def __init__(self, contract: Contract, period_s: float, blend: Blend) -> None:
        self._motion = SmoothMotion(contract, period_s, blend, TABLETOP_RESPONSE)
        self._target: ArmTarget | None = None
        self.refused = 0

    @property
    def lookahead_s(self) -> float:
        """How far ahead of the clock the commands are."""
        return self._motion.lookahead_s

    def push(self, chunk: ActionChunk) -> None:
        """A chunk has come."""
        try:
            self.refused += not self._motion.push(chunk)
        except ChunkError:
            self.refused += 1

    def command(self, time_s: float, measured: EefPose) -> tuple[ArmTarget, bool]:
        """The reference, looked ahead; the last one again when there is none."""
        self._motion.measure(time_s, measured)
        reference = self._motion.step(time_s)
        if reference is not None:
            self._target = ArmTarget(reference.pose, reference.gripper)
        elif self._target is None:
            self._target = ArmTarget(measured, -1.0)
        return self._target, reference is None


def commanders(period_s: float, blend: Blend) -> dict[str, Callable[[Contract], Commander]]:
    """Name -> how to make it. The last two differ in the seam alone."""
    return {
        "stepped": SteppedCommander,
        "switched": lambda contract: SmoothCommander(contract, period_s, NO_BLEND),
        "blended": lambda contract: SmoothCommander(contract, period_s, blend),
    }
