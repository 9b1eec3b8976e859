"""From chunks at 10 to 20 Hz to one smooth way of the end effector that can be asked for at any time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from world2act_core.chunks import check_chunk, row_at
from world2act_core.contract import Contract
from world2act_core.motion.blend import DEFAULT_BLEND, Blend
from world2act_core.motion.curve import Curve, Motion
from world2act_core.motion.moving_pose import MovingPose
from world2act_core.motion.response import DISPLACEMENTS, GoalResponse
from world2act_core.motion.waypoints import DeltaReader, Waypoints
from world2act_core.types import ActionChunk, EefPose

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reference:
    """Where the end effector should be at one instant, base frame.

    linear_velocity: [3] m/s; angular_velocity: [3] rad/s; gripper: in [-1, 1], +1 closes, that of the chunk's row and
    never a mixture; chunk_sequence, index: chunk and row; age_s: since the chunk's observation; blended: whether the
    motion before the chunk still has a share.
    """

    pose: EefPose
    linear_velocity: Vector
    angular_velocity: Vector
    gripper: float
    chunk_sequence: int
    index: int
    age_s: float
    blended: bool


STILL = np.array([0.03] * 3 + [0.15] * 3)
"""m/s and rad/s below which an arm counts as standing still: within an inference it moves a few millimetres."""


@dataclass(frozen=True, eq=False)
class _Accepted:
    """A chunk, where it takes the arm, where the arm was seen at its start, and how much later it is executed."""

    chunk: ActionChunk
    waypoints: Waypoints
    seen: MovingPose
    shift_s: float = 0.0

    @property
    def start_s(self) -> float:
        return self.chunk.start_time_s + self.shift_s

    @property
    def end_s(self) -> float:
        return self.chunk.end_time_s + self.shift_s

    def row(self, time_s: float) -> int:
        return row_at(self.chunk, time_s - self.shift_s)

    def covers(self, time_s: float) -> bool:
        return 0 <= self.row(time_s) < len(self.chunk.actions)


class ChunkReference:
    """Joins chunks into one reference whose position, velocity and acceleration never jump.

    A chunk starts at its observation, was made while the one before it was executed and arrives late. What was sampled
    until then is done. From the last sampled instant on the new chunk is followed, plus a difference that begins with
    the position, velocity and acceleration of what was executed and fades to nothing (see `Blend`).

    The reference begins at rest: where the arm was seen at the first chunk's start, or where `rest` said it is. When
    nothing covers a time, it ends, and the next chunk begins at rest where it ended or where `rest` says. An arm that
    stood still when the picture was taken, and still does, has missed nothing of its chunk: the chunk is then executed
    from its first row on, as much later as it is late. Otherwise the rows that are already over are skipped.
    """

    def __init__(
        self, contract: Contract, blend: Blend = DEFAULT_BLEND, response: GoalResponse = DISPLACEMENTS
    ) -> None:
        """response: how far an action takes the arm; by default, deltas are displacements.

        Raises ContractError when the contract's actions are not an end effector's deltas.
        """
        self.dropped: dict[str, int] = {"out of order": 0, "repeated": 0, "late": 0}
        """Chunks that were not taken, by reason."""
        self._shape = (contract.chunk_length, contract.action_size)
        self._blend = blend
        self._reader = DeltaReader(contract, response)
        self._current: tuple[_Accepted, Curve] | None = None
        self._waiting: list[_Accepted] = []  # oldest first; more than one when the clocks of two machines differ
        self._sampled_s: float | None = None  # while there is a current chunk: when it was last asked for
        self._still: EefPose | None = None  # while there is none: where the arm stands

    def rest(self, pose: EefPose) -> None:
        """Forget every chunk: the arm stands still at `pose`, as commanded. Harmless to repeat while it holds."""
        self._current = self._sampled_s = None
        self._waiting = []
        self._still = pose

    def clear(self) -> None:
        """Forget every chunk: the arm holds from the last sampled instant on."""
        if self._current is not None and self._sampled_s is not None:
            self.rest(self._current[1].pose_and_velocity(self._sampled_s)[0])
        self._current = self._sampled_s = None
        self._waiting = []

    def push(self, chunk: ActionChunk, seen: MovingPose) -> bool:
        """Take a new chunk, made when the arm was `seen` (measured pose and velocity at the chunk's start).

        Returns False, and counts it in `dropped`, when it starts before one that is there, repeats it, or ended before
        the last sampled instant. Raises ChunkError when its actions are not finite [T, A], its times make no sense or
        it turns the hand by half a turn or more; ValueError when the pose is not finite.
        """
        check_chunk(chunk, self._shape)
        if not (np.isfinite(seen.pose.position).all() and np.isfinite(seen.velocity).all()):
            raise ValueError(f"chunk {chunk.sequence}: the pose seen at its start is not finite: {seen}")
        reason = self._refusal(chunk)
        if reason:
            self.dropped[reason] += 1
            return False
        new = _Accepted(chunk, self._reader.waypoints(chunk, seen), seen)
        self._waiting = [*self._waiting[-1:], new]
        return True

    def _refusal(self, chunk: ActionChunk) -> str:
        known = [self._current[0]] if self._current is not None else []
        for other in [item.chunk for item in (*known, *self._waiting)]:
            if chunk.start_time_s < other.start_time_s:
                return "out of order"
            if (chunk.start_time_s, chunk.sequence) == (other.start_time_s, other.sequence):
                return "repeated"
        if self._sampled_s is not None and row_at(chunk, self._sampled_s) >= len(chunk.actions):
            return "late"
        return ""

    def sample(self, time_s: float) -> Reference | None:
        """The reference at `time_s`, or None when nothing covers it (then the arm holds). Times must not go back.

        Whoever moves an arm that follows after a delay asks for `now + delay`.
        """
        begun = [new for new in self._waiting if new.row(time_s) >= 0]
        if begun:
            self._waiting = self._waiting[len(begun) :]
            self._take(begun[-1], time_s)
        if self._current is None or not self._current[0].covers(time_s):
            waiting = self._waiting
            self.clear()
            self._waiting = waiting
            return None
        accepted, curve = self._current
        self._sampled_s = time_s
        pose, velocity = curve.pose_and_velocity(time_s)
        row = accepted.row(time_s)
        return Reference(
            pose=pose,
            linear_velocity=velocity[:3],
            angular_velocity=velocity[3:],
            gripper=self._reader.gripper(accepted.chunk, row),
            chunk_sequence=accepted.chunk.sequence,
            index=row,
            age_s=time_s - accepted.chunk.start_time_s,
            blended=curve.blending(time_s),
        )

    def _take(self, new: _Accepted, time_s: float) -> None:
        """Make a chunk that has begun the current one, if it has not ended yet."""
        if not new.covers(time_s):
            return
        seam_s, motion = self._executed(new, time_s)
        if (np.abs([new.seen.velocity, motion.velocity]) < STILL).all():
            new = replace(new, shift_s=time_s - new.chunk.start_time_s)
            seam_s, motion = self._executed(new, time_s)
        curve = Curve.joined(new.start_s, new.chunk.step_s, new.waypoints, motion, seam_s, self._blend)
        self._current, self._still = (new, curve), None

    def _executed(self, new: _Accepted, time_s: float) -> tuple[float, Motion]:
        """The seam's time and what is executed there: the present chunk's motion, or rest."""
        if self._current is None or self._sampled_s is None:
            return time_s, Motion(self._still or new.seen.pose, np.zeros(6), np.zeros(6))
        old, curve = self._current
        seam_s = max(self._sampled_s, new.start_s)
        return seam_s, curve.motion(min(seam_s, old.end_s))
