"""Whether the arm gets to where the chunks lead, or stands still because it cannot."""

from __future__ import annotations

import math
from typing import Final

from world2act_core.commanding.joint_path import PathPoint
from world2act_core.safety.types import FlagReport, Level, Reaction

OUT_OF_REACH: Final = "OUT_OF_REACH"
FAR_M: Final = 0.02
FAR_RAD: Final = 0.2
AFTER_S: Final = 1.0
"""A target that leaps is approached at the arm's own speed; so long it may take."""


class Reach:
    """Call `saw` once per period with what was asked of the inverse kinematics; `flags` is what is to be said of it.

    It stops nothing: the joints go as far as they can and stay there. Somebody who watches an arm that stands still
    while everything else is well has to be told why.
    """

    def __init__(self) -> None:
        self._since_s = math.inf
        self._count, self._last_s, self._message = 0, 0.0, ""
        self._active = False

    def saw(self, point: PathPoint | None, now_s: float) -> None:
        """A period at `now_s`; point: None when nothing was followed."""
        text = "" if point is None else _what_is_wrong(point)
        if not text:
            self._since_s, self._active = math.inf, False
            return
        self._since_s = min(self._since_s, now_s)
        if now_s - self._since_s < AFTER_S:
            return
        self._count += not self._active
        self._active, self._last_s, self._message = True, now_s, text

    @property
    def flags(self) -> tuple[FlagReport, ...]:
        """One flag while the arm does not get there, else none."""
        if not self._active:
            return ()
        return (
            FlagReport(
                OUT_OF_REACH, Level.WARNING, Reaction.CLIP, True, False, self._count, self._last_s, self._message
            ),
        )


def _what_is_wrong(point: PathPoint) -> str:
    joints = point.joints
    if joints.problem:
        return f"{joints.problem}: the arm stays where it is; see what vla_policy sends"
    if joints.position_error_m < FAR_M and joints.rotation_error_rad < FAR_RAD:
        return ""
    why = "a singularity is near" if joints.near_singularity else "out of reach, or a joint limit bars the way"
    return (
        f"the end effector is {1e3 * joints.position_error_m:.0f} mm and {math.degrees(joints.rotation_error_rad):.0f} "
        f"degrees from where the chunk leads ({why}): it goes as far as it can; lead it another way, or move the target"
    )
