"""Ways to make commands of chunks, under one interface, so that the same episode can be run with each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from world2act_core.chunks import ChunkError, ChunkSampler
from world2act_core.contract import Contract
from world2act_core.limits import ActionLimits
from world2act_core.motion import (
    NO_BLEND,
    TABLETOP_RESPONSE,
    Blend,
    ChunkReference,
    Lookahead,
    MotionDelayEstimator,
    PoseHistory,
)
from world2act_core.pose import apply_action
from world2act_core.types import ActionChunk, ArmTarget, EefPose

INITIAL_DELAY_S = 0.1
"""Assumed between command and motion until it has been measured."""


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
    """Samples a `ChunkReference` every period, ahead of the clock by the delay that it measures."""

    def __init__(self, contract: Contract, period_s: float, blend: Blend) -> None:
        self._reference = ChunkReference(contract, blend, TABLETOP_RESPONSE)
        self._poses = PoseHistory()
        self._delay = MotionDelayEstimator(period_s, INITIAL_DELAY_S)
        self._lookahead = Lookahead(INITIAL_DELAY_S)
        self._period_s = period_s
        self.refused = 0
        self._target: ArmTarget | None = None

    @property
    def lookahead_s(self) -> float:
        """How far ahead of the clock the commands are."""
        return self._lookahead.value_s

    def push(self, chunk: ActionChunk) -> None:
        """A chunk has come."""
        seen = self._poses.at(chunk.start_time_s)
        try:
            if seen is None or not self._reference.push(chunk, seen):
                self.refused += 1
        except ChunkError:
            self.refused += 1

    def command(self, time_s: float, measured: EefPose) -> tuple[ArmTarget, bool]:
        """The reference, looked ahead; the last one again when there is none."""
        if self._target is None:
            self._target = ArmTarget(measured, -1.0)
        self._poses.add(time_s, measured)
        self._delay.add(self._target.pose.position, measured.position)
        ahead_s = self._lookahead.step(self._delay.value_s, self._period_s)
        reference = self._reference.sample(time_s + ahead_s)
        if reference is not None:
            self._target = ArmTarget(reference.pose, reference.gripper)
        return self._target, reference is None


def commanders(period_s: float, blend: Blend) -> dict[str, Callable[[Contract], Commander]]:
    """Name -> how to make it. The last two differ in the seam alone."""
    return {
        "stepped": SteppedCommander,
        "switched": lambda contract: SmoothCommander(contract, period_s, NO_BLEND),
        "blended": lambda contract: SmoothCommander(contract, period_s, blend),
    }
