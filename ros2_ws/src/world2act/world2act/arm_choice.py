"""What somebody means by `robot`: a profile, or in the simulator also one of robosuite's arms."""

from __future__ import annotations

from world2act.errors import GraphError
from world2act.graph import DEFAULT_SIM_PROFILE, GraphKind
from world2act_core.robot.find import find_profile, profile_list
from world2act_core.robot.profile import GIVE_A_MODEL, ProfileError

SIMULATED = {"panda": "Panda", "ur5e": "UR5e", "xarm7": "XArm7"}
"""Arm of robosuite's models -> its name there, for profiles that can be simulated."""
CARTESIAN = ("IIWA", "Kinova3", "Panda", "Sawyer", "UR5e", "XArm7")
"""Arms of robosuite that the table is tested with; by these names they take Cartesian targets."""


def chosen_arm(kind: GraphKind, robot: str) -> dict[str, str]:
    """`robot` and `profile` of GraphOptions for what somebody typed after --robot. Raises GraphError."""
    if kind == "sim" and not robot:
        return {"profile": DEFAULT_SIM_PROFILE}
    if kind == "sim" and robot in CARTESIAN:
        return {"robot": robot}
    if not robot:
        raise GraphError(
            f"which arm? Give --robot NAME, one of {profile_list()}, or the path of a profile of your own "
            f"(docs/how-to/your-own-arm.md)"
        )
    try:
        profile = find_profile(robot)
    except ProfileError as error:
        also = f"; by robosuite's name the simulator also has {', '.join(CARTESIAN)}" if kind == "sim" else ""
        raise GraphError(f"{error}{also}") from error
    if kind == "real" and profile.model is None:
        raise GraphError(f"--robot {robot}: this arm cannot be run yet, its profile has no model. {GIVE_A_MODEL}")
    arm = profile.model.mjcf.removeprefix("robosuite:") if profile.model is not None else ""
    if kind == "sim" and arm not in SIMULATED:
        raise GraphError(f"--robot {robot}: the simulator has no arm for this profile; it has {', '.join(SIMULATED)}")
    return {"profile": robot, "robot": SIMULATED.get(arm, "Panda")}
