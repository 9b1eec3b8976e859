"""A few periods that nobody sees, so that the first real ones are not late."""

from __future__ import annotations

import numpy as np

from world2act_core.commanding.joint_path import JointPath
from world2act_core.commanding.profiled_arm import ProfiledArm
from world2act_core.contract import Contract
from world2act_core.robot.profile import RobotProfile
from world2act_core.safety.filter import SafetyFilter
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.types import Situation
from world2act_core.types import ActionChunk

PERIODS = 12


def warm_up(path: JointPath, contract: Contract, profile: RobotProfile, settings: SafetySettings) -> None:
    """Follow a chunk of `contract` with the profile's arm for PERIODS, from its home position; nothing is sent.

    Solver, splines and kinematics load and allocate at their first use, which takes longer than many periods. Call it
    before `ProfiledArm.start`, which forgets all of this; the filter used here is another one than the arm's.
    """
    arm, home = ProfiledArm(path, SafetyFilter(profile.limits, settings, path.model)), profile.home_position
    arm.start(home)
    actions = np.full((contract.chunk_length, contract.action_size), 1e-3, dtype=np.float32)
    for period in range(PERIODS):
        now_s = period * profile.period_s
        arm.measure(now_s, home)
        if period == 1:
            arm.push(ActionChunk(0, now_s, contract.step_s, actions))
        arm.step(Situation(now_s, home, 0.0), profile.period_s, 0.0, expects_chunk=False)
