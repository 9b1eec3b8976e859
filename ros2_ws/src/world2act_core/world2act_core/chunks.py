"""Which action is due now: action chunks are sampled by time, and the seam between two of them is blended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from world2act_core.contract import Contract
from world2act_core.types import ActionChunk, FloatArray

# Stamps are sums of floats: without this slack, 0.3 / 0.1 would still belong to index 2.
_SLACK = 1e-6


class ChunkError(ValueError):
    """A chunk that must not reach the arm: wrong shape, or a number that is not finite."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The action due at one instant.

    action: float32 [A]; age_s: since the chunk's start; index: row of the chunk; blended: True when the previous
    chunk still has a share in it; sequence and skill_id: those of the (newer) chunk.
    """

    action: FloatArray
    age_s: float
    index: int
    blended: bool
    sequence: int = 0
    skill_id: int = 0


class ChunkSampler:
    """Holds the newest chunks and answers which action is due at a time.

    The newest chunk that has begun is used. From the first time it is sampled, its share grows linearly from 0 to 1
    over `blend_s` seconds, while the previous chunk still covers that time; so the command has no jump however late
    the chunk arrived. Gripper entries are never mixed: they come from the newer chunk. blend_s = 0: no blending.
    """

    def __init__(self, contract: Contract, blend_s: float = 0.0) -> None:
        if not blend_s >= 0:
            raise ValueError(f"blend_s must be 0 or more, got {blend_s}")
        self.blend_s = blend_s
        self.dropped_out_of_order = 0
        self._shape = (contract.chunk_length, contract.action_size)
        self._blendable = np.array(
            [dim.representation != "gripper" for dim in contract.action for _ in range(dim.size)], dtype=bool
        )
        self._chunks: list[ActionChunk] = []  # oldest first
        self._seam_s: dict[int, float] = {}  # id of a chunk in _chunks -> first time it was sampled

    def clear(self) -> None:
        """Forget every chunk (the arm holds until the next one)."""
        self._chunks.clear()
        self._seam_s.clear()

    def push(self, chunk: ActionChunk) -> bool:
        """Take a new chunk. Returns False, and counts it, when it starts before one that is already there.

        Raises ChunkError when the actions are not finite [T, A] or the times make no sense.
        """
        check_chunk(chunk, self._shape)
        if self._chunks and chunk.start_time_s < self._chunks[-1].start_time_s:
            self.dropped_out_of_order += 1
            return False
        # Two are enough to blend; the third is for a chunk that starts in the future.
        self._chunks = [*self._chunks[-2:], chunk]
        self._seam_s = {id(kept): self._seam_s[id(kept)] for kept in self._chunks if id(kept) in self._seam_s}
        return True

    def sample(self, time_s: float) -> Sample | None:
        """The action due at `time_s`, or None when nothing covers it (then the arm holds)."""
        begun = [chunk for chunk in self._chunks if row_at(chunk, time_s) >= 0]
        if not begun:
            return None
        newest = begun[-1]
        index = row_at(newest, time_s)
        if index >= self._shape[0]:
            return None
        action = np.asarray(newest.actions[index], dtype=np.float32).copy()
        since_s = time_s - self._seam_s.setdefault(id(newest), time_s)
        old = begun[-2] if len(begun) > 1 else None
        blended = False
        if old is not None and since_s < self.blend_s * (1 - _SLACK) and row_at(old, time_s) < self._shape[0]:
            share = np.float32(max(since_s, 0.0) / self.blend_s)
            mixed = (1 - share) * np.asarray(old.actions[row_at(old, time_s)], dtype=np.float32) + share * action
            action[self._blendable] = mixed[self._blendable]
            blended = True
        age_s = time_s - newest.start_time_s
        return Sample(action, age_s, index, blended, sequence=newest.sequence, skill_id=newest.skill_id)


def check_chunk(chunk: ActionChunk, shape: tuple[int, int]) -> None:
    """Raises ChunkError when the actions are not finite [T, A] of `shape` or the times make no sense."""
    actions = np.asarray(chunk.actions)
    if actions.shape != shape:
        raise ChunkError(f"chunk {chunk.sequence}: actions must be [T, A] = {shape}, got {actions.shape}")
    if not np.all(np.isfinite(actions)):
        row, column = np.argwhere(~np.isfinite(actions))[0]
        raise ChunkError(f"chunk {chunk.sequence}: action [{row}, {column}] is {actions[row, column]}, not finite")
    if not (chunk.step_s > 0 and np.isfinite([chunk.start_time_s, chunk.step_s]).all()):
        times = f"start {chunk.start_time_s} s, step {chunk.step_s} s"
        raise ChunkError(f"chunk {chunk.sequence}: times must be finite and the step positive, got {times}")


def row_at(chunk: ActionChunk, time_s: float) -> int:
    """The row whose period holds `time_s`: negative before the chunk's start, T or more after its end."""
    return int(np.floor((time_s - chunk.start_time_s) / chunk.step_s + _SLACK))
