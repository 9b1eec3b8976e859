"""What the referee of a simulated arm has seen, for whoever judges a run: JSON on a topic."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.robot.referee import CommandReferee

Vector = NDArray[np.float64]

STILL_RAD_PER_S = 0.01


class MotionMeter:
    """How fast the joints really were: the largest share of a velocity limit, and when they last moved [s]."""

    def __init__(self, limits: JointLimits) -> None:
        self._limits = limits
        self.restart()

    def restart(self) -> None:
        """Forget everything seen."""
        self.worst_velocity = 0.0
        self.last_motion_s: float | None = None

    def see(self, time_s: float, velocity: Vector) -> None:
        """Measured joint velocities [N] at `time_s` (wall clock)."""
        self.worst_velocity = max(self.worst_velocity, float((np.abs(velocity) / self._limits.velocity).max()))
        if np.abs(velocity).max() > STILL_RAD_PER_S:
            self.last_motion_s = time_s


def referee_report(
    referee: CommandReferee, ignored: int, stopped: bool, meter: MotionMeter, stamp_s: float, injected_s: float
) -> str:
    """JSON: `commands` (a `Findings`), `ignored`, `stopped`, `arm` (measured), `stamp_s`: of this report, `injected_s`:
    when what is injected last changed, `ever`: `commands`, `violations` and `lost` since `process` (its id) began.

    All times are wall clock seconds.
    """
    return json.dumps(
        {
            "commands": asdict(referee.findings),
            "ever": {
                "commands": referee.commands_ever,
                "violations": referee.violations_ever,
                "lost": referee.lost_ever,
            },
            "ignored": ignored,
            "stopped": stopped,
            "stamp_s": stamp_s,
            "injected_s": injected_s,
            "process": os.getpid(),
            "arm": {"worst_velocity": meter.worst_velocity, "last_motion_s": meter.last_motion_s},
        }
    )
