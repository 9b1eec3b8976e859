"""From action chunks at 10-20 Hz to a smooth reference at 100 Hz and more."""

from world2act_core.motion.blend import DEFAULT_BLEND, NO_BLEND, Blend
from world2act_core.motion.delays import DelayEstimator, Lookahead
from world2act_core.motion.motion_delay import MotionDelayEstimator
from world2act_core.motion.moving_pose import MovingPose, PoseHistory
from world2act_core.motion.reference import ChunkReference, Reference
from world2act_core.motion.response import DISPLACEMENTS, TABLETOP_RESPONSE, GoalResponse
from world2act_core.motion.smooth_motion import SmoothMotion

__all__ = [
    "DEFAULT_BLEND",
    "DISPLACEMENTS",
    "NO_BLEND",
    "TABLETOP_RESPONSE",
    "Blend",
    "ChunkReference",
    "DelayEstimator",
    "GoalResponse",
    "Lookahead",
    "MotionDelayEstimator",
    "MovingPose",
    "PoseHistory",
    "Reference",
    "SmoothMotion",
]
