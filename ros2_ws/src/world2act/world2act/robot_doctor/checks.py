"""All checks of a robot, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from world2act.bundle_access import read_contract
from world2act.checks import Check
from world2act.errors import ConfigurationError
from world2act.robot_doctor.arm import check_command, check_e_stop, check_gripper, check_joint_states
from world2act.robot_doctor.bundle import NAME as FIT
from world2act.robot_doctor.bundle import check_fit
from world2act.robot_doctor.cameras import check_cameras, check_clocks
from world2act.robot_doctor.listening import listen
from world2act.supervision.session import Session
from world2act_core.robot.arm_model import Point, Vector
from world2act_core.robot.fields import Box
from world2act_core.robot.find import find_profile
from world2act_core.robot.profile import GIVE_A_MODEL, ProfileError, RobotProfile


def robot_checks(name: str, bundle: Path) -> Iterator[Check]:
    """The profile called `name` (or in that file), its model, the bundle in folder `bundle` with it, and the live graph
    on this domain. Never raises."""
    try:
        yield from _checks(name, bundle)
    except Exception as error:  # drivers and installations break in any way; the doctor must go on
        found = f"{type(error).__name__}: {error}".splitlines()[0]
        yield Check("robot", "missing", found, "correct the lines above first; if that does not help, this is a bug")


def _checks(name: str, bundle: Path) -> Iterator[Check]:
    try:
        profile = find_profile(name)
    except ProfileError as error:
        yield Check("robot profile", "missing", str(error), "see docs/how-to/your-own-arm.md")
        return
    yield Check(
        "robot profile", "ok", f"{profile.name}: {profile.vendor} {profile.product}, {len(profile.joints)} joints"
    )
    yield check_model(profile)
    wanted = None
    try:
        contract = read_contract(str(bundle))
    except ConfigurationError as error:
        yield Check(FIT, "missing", error.cause, error.remedy)
    else:
        wanted = contract.cameras
        yield check_fit(profile, contract, bundle.name)
    with Session("world2act_doctor") as session:
        heard = listen(session, profile)
        yield from check_joint_states(session, profile, heard.joint_states)
        yield from check_command(session, profile)
        yield from check_gripper(session, profile, heard.joint_states)
        yield from check_e_stop(session, profile, heard)
        yield from check_cameras(session, profile, heard, wanted)
        yield check_clocks(heard)


def check_model(profile: RobotProfile) -> Check:
    """The MuJoCo model can be built, and the home pose keeps the margins and lies in the boxes."""
    from world2act_core.robot.kinematics import MujocoArm

    if profile.model is None:
        return Check("robot model", "missing", "the profile has none: this arm cannot be run yet", GIVE_A_MODEL)
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
    position = arm.forward(profile.home_position).position
    if not _is_inside(profile.workspace, position):
        found = f"the end effector at home, {position.round(3).tolist()}, is outside the workspace"
        return Check("robot model", "missing", found, "correct `home` or the workspace's corners")
    elbow = arm.hand_and_elbow(profile.home_position)[1]
    if profile.safety.elbow is not None and not _is_inside(profile.safety.elbow, elbow):
        found = f"the elbow at home, {[round(value, 3) for value in elbow]}, is outside safety.elbow"
        return Check("robot model", "missing", found, "correct `home` or the corners of safety.elbow")
    return Check("robot model", "ok", f"{len(arm.pairs)} pairs of parts are watched")


def _is_inside(box: Box, point: Vector | Point) -> bool:
    return all(low <= value <= high for low, value, high in zip(box.low, point, box.high))
