"""Everything between chunks and a pose to command now: one object for whoever runs an arm at a fixed rate."""

from __future__ import annotations

from world2act_core.contract import Contract
from world2act_core.motion.blend import DEFAULT_BLEND, Blend
from world2act_core.motion.delays import Lookahead
from world2act_core.motion.motion_delay import MotionDelayEstimator
from world2act_core.motion.moving_pose import PoseHistory
from world2act_core.motion.reference import ChunkReference, Reference
from world2act_core.motion.response import DISPLACEMENTS, GoalResponse
from world2act_core.types import ActionChunk, EefPose


class SmoothMotion:
    """A `ChunkReference` that knows where the arm was, and looks ahead by the delay that it measures.

    Every control period: `measure` the pose, `push` the chunk if one has come, then `step`. While something else holds
    or stops the arm, call `hold` with the pose that is commanded instead; what comes next begins there, at rest.
    All times are on the clock of the chunks' stamps.
    """

    def __init__(
        self,
        contract: Contract,
        period_s: float,
        blend: Blend = DEFAULT_BLEND,
        response: GoalResponse = DISPLACEMENTS,
        initial_delay_s: float = 0.1,
    ) -> None:
        """period_s: of the control loop. initial_delay_s: between command and motion, until it has been measured.

        Raises ContractError when the contract's actions are not an end effector's deltas, ValueError for a period or a
        delay that makes no sense.
        """
        self.reference = ChunkReference(contract, blend, response)
        self.delay = MotionDelayEstimator(period_s, initial_delay_s)
        self.unplaced = 0
        """Chunks that were not taken because nothing is known of the arm's pose when they start."""
        self._poses = PoseHistory()
        self._lookahead = Lookahead(initial_delay_s)
        self._period_s = period_s
        self._commanded: EefPose | None = None
        self._measured: EefPose | None = None

    @property
    def lookahead_s(self) -> float:
        """How far ahead of the clock the reference is."""
        return self._lookahead.value_s

    def measure(self, time_s: float, pose: EefPose) -> None:
        """The measured pose at `time_s`. Poses that are not newer than the last one are ignored."""
        if self._poses.add(time_s, pose):
            self._measured = pose
        if self._commanded is None:
            self._commanded = pose

    def push(self, chunk: ActionChunk) -> bool:
        """A chunk has come. Whether it is taken; raises ChunkError as `ChunkReference.push` does."""
        seen = self._poses.at(chunk.start_time_s)
        if seen is None:
            self.unplaced += 1
            return False
        return self.reference.push(chunk, seen)

    def step(self, time_s: float) -> Reference | None:
        """What is to be commanded at `time_s`; None when no chunk covers it: then the arm is to hold."""
        if self._commanded is not None and self._measured is not None:
            self.delay.add(self._commanded.position, self._measured.position)
        ahead_s = self._lookahead.step(self.delay.value_s, self._period_s)
        reference = self.reference.sample(time_s + ahead_s)
        if reference is not None:
            self._commanded = reference.pose
        return reference

    def told(self, pose: EefPose) -> None:
        """The arm was told `pose` in this period, whatever `step` said: what it does later is compared with that."""
        self._commanded = pose

    def hold(self, pose: EefPose) -> None:
        """The arm is held at `pose`, as commanded: every chunk is forgotten, and the delay not learnt from this."""
        self.reference.rest(pose)
        self.delay.clear()
        self._commanded = pose
