"""All checks of a robot, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from world2act.checks import Check
from world2act.robot_doctor.arm import check_command, check_e_stop, check_gripper, check_joint_states
from world2act.robot_doctor.cameras import check_cameras, check_clocks
from world2act.robot_doctor.listening import listen
from world2act.supervision.session import Session
from world2act_core.robot.find import find_profile
from world2act_core.robot.profile import ProfileError, RobotProfile


def robot_checks(name: str) -> Iterator[Check]:
    """The profile called `name` (or in that file), its model, and the live graph on this domain. Never raises."""
    try:
        yield from _checks(name)
    except Exception as error:  # drivers and installations break in any way; the doctor must go on
        found = f"{type(error).__name__}: {error}".splitlines()[0]
        yield Check("robot", "missing", found, "correct the lines above first; if that does not help, this is a bug")


def _checks(name: str) -> Iterator[Check]:
    try:
        profile = find_profile(name)
    except ProfileError as error:
        yield Check("robot profile", "missing", str(error), "see docs/how-to/your-own-arm.md")
        return
    yield Check(
        "robot profile", "ok", f"{profile.name}: {profile.vendor} {profile.product}, {len(profile.joints)} joints"
    )
    yield check_model(profile)
    with Session("world2act_doctor") as session:
        heard = listen(session, profile)
        yield from check_joint_states(session, profile, heard.joint_states)
        yield from check_command(session, profile)
        yield from check_gripper(session, profile, heard.joint_states)
        yield from check_e_stop(profile, heard)
        yield from check_cameras(session, profile, heard)
        yield check_clocks(heard)


def check_model(profile: RobotProfile) -> Check:
    """The MuJoCo model can be built, and the home pose keeps the margins and lies in the workspace."""
    from world2act_core.robot.kinematics import MujocoArm

    if profile.model is None:
        remedy = "give `model` an MJCF file for joint commands, inverse kinematics and distances"
        return Check("robot model", "warning", "the profile has none: Cartesian commands only", remedy)
    try:
        arm = MujocoArm(profile)
    except ProfileError as error:
        return Check("robot model", "missing", str(error), "correct `model` in the profile")
    spare, between = arm.clearance(profile.home_position, 0.0)
    if between:
        found = f"at home {between} are {-spare * 1000:.0f} mm nearer than the profile's margin"
        return Check(
            "robot model", "missing", found, "correct `home`, the margins, workspace.table_height or model.tool"
        )
    position, box = arm.forward(profile.home_position).position, profile.workspace
    if not all(low <= value <= high for low, value, high in zip(box.low, position, box.high)):
        found = f"the end effector at home, {position.round(3).tolist()}, is outside the workspace"
        return Check("robot model", "missing", found, "correct `home` or the workspace's corners")
    return Check("robot model", "ok", f"{len(arm.pairs)} pairs of parts are watched")
