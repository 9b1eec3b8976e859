"""The scripted `press`: closed fingers down on the button."""

from __future__ import annotations

import numpy as np

from world2act_core.types import FloatArray
from world2act_sim.fixtures import FixtureError
from world2act_sim.motion import CLOSE, Motion, ramp

HOVER_M = 0.06
BELOW_M = 0.012
"""The fingers aim so far below the face of the released cap: enough for its spring. Harder, the arm slips off it."""


def press_button(motion: Motion) -> FloatArray:
    """The action float32 [7] that presses the button, or keeps it pressed, now."""
    button = motion.world.scene.fixtures.button
    if button is None:
        raise FixtureError("this world has no button; make it with WorldConfig(fixtures=('button',))")
    top, position = button.top(motion.world.data), motion.position()
    error = float(np.linalg.norm(position[:2] - top[:2]))
    apart = max(ramp(error, 0.008, 0.03), ramp(motion.world.gripper_width(), 0.012, 0.03))
    released = float(top[2]) + button.depth(motion.world.data)
    height = released - BELOW_M + apart * (HOVER_M + BELOW_M + 0.05 * ramp(error, 0.05, 0.12))
    return motion.action(np.array([*top[:2], height]), motion.home_axis, CLOSE)
