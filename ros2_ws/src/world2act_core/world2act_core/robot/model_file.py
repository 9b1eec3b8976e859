"""The MuJoCo model of a profile's arm: the joints, what can collide, the gripper as boxes, the table."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import mujoco
from mujoco import MjSpec

from world2act_core.robot.fields import ROBOSUITE
from world2act_core.robot.parts import ModelSpec
from world2act_core.robot.profile import GIVE_A_MODEL, ProfileError, RobotProfile

EEF_SITE = "world2act_eef"
TABLE = "table"
_TABLE_HALF_M = (2.0, 2.0, 0.5)


def mjcf_path(reference: str) -> Path:
    """The file behind `robosuite:NAME` or a path. Raises ProfileError when there is none."""
    if not reference.startswith(ROBOSUITE):
        path = Path(reference)
        if not path.is_file():
            raise ProfileError(f"model.mjcf: there is no file {path}; a relative path starts at the profile's folder")
        return path
    # Found without importing it: robosuite reads settings and prints warnings when it is.
    package = importlib.util.find_spec("robosuite")
    if package is None or package.origin is None:
        raise ProfileError(
            f"model.mjcf {reference!r} needs robosuite, which is not installed: pip install robosuite==1.5.2"
        )
    folder = Path(package.origin).parent / "models/assets/robots"
    path = folder / reference.removeprefix(ROBOSUITE) / "robot.xml"
    if not path.is_file():
        known = ", ".join(sorted(item.parent.name for item in folder.glob("*/robot.xml")))
        raise ProfileError(f"model.mjcf {reference!r}: robosuite has no such arm; it has: {known}")
    return path


def require_model(profile: RobotProfile, what: str) -> ModelSpec:
    """The profile's `model`; ProfileError saying that `what` needs one when it has none."""
    if profile.model is None:
        raise ProfileError(
            f"robot profile {profile.name}: {what} needs a MuJoCo model of the arm, and the profile has none. "
            f"{GIVE_A_MODEL}"
        )
    return profile.model


def build_model(profile: RobotProfile) -> mujoco.MjModel:
    """Compile the arm: exactly the profile's N joints with the profile's limits, in the profile's order of joints.

    Raises ProfileError when the profile has no model, the file cannot be read, or a body or joint is not in it.
    """
    wanted = require_model(profile, "kinematics")
    path = mjcf_path(wanted.mjcf)
    try:
        spec = MjSpec.from_file(str(path))
        _keep_only_what_collides(spec)
        # A link whose shapes were only to look at has no mass left, which MuJoCo refuses; kinematics need none.
        spec.compiler.boundmass, spec.compiler.boundinertia = 1e-3, 1e-6
        _check_names(profile, wanted, spec)
        _set_limits(profile, wanted, spec)
        _add_tool_and_table(profile, wanted, spec)
        model = spec.compile()
    except (ValueError, mujoco.FatalError) as error:
        if isinstance(error, ProfileError):
            raise
        raise ProfileError(f"robot profile {profile.name}: {path} is not a usable MuJoCo model: {error}") from error
    if model.nq != len(profile.joints) or model.nv != len(profile.joints):
        raise ProfileError(
            f"robot profile {profile.name}: {path} has {model.njnt} joints, {model.nq} coordinates; the profile has "
            f"{len(profile.joints)} joints. Use a model of the arm alone, with hinge and slide joints only"
        )
    return model


def _keep_only_what_collides(spec: MjSpec) -> None:
    """Pictures, motors and sensors are of no use here, and meshes to look at take seconds to load."""
    for kind in ("actuators", "sensors", "equalities", "tendons", "excludes", "pairs", "keys", "cameras", "lights"):
        for item in list(getattr(spec, kind)):
            spec.delete(item)
    for geom in list(spec.geoms):
        if geom.contype == 0 and geom.conaffinity == 0:
            spec.delete(geom)
    used = {geom.meshname for geom in spec.geoms}
    for mesh in list(spec.meshes):
        if mesh.name not in used:
            spec.delete(mesh)


def _check_names(profile: RobotProfile, wanted: ModelSpec, spec: MjSpec) -> None:
    bodies = [body.name for body in spec.bodies]
    asked = {"base_body": wanted.base_body, "elbow_body": wanted.elbow_body, "eef_body": wanted.eef_body}
    tools = [box.name for box in wanted.tool]
    pairs = enumerate(wanted.ignore_pairs)
    asked |= {f"ignore_pairs.{index}": name for index, pair in pairs for name in pair if name not in tools}
    for field, name in asked.items():
        if name not in bodies:
            raise ProfileError(
                f"robot profile {profile.name}: model.{field} {name!r} is not in {wanted.mjcf}; its bodies are: "
                f"{', '.join(bodies)}"
            )
    joints = [joint.name for joint in spec.joints]
    missing = sorted(set(wanted.joints.values()) - set(joints))
    if missing:
        raise ProfileError(
            f"robot profile {profile.name}: model.joints names {', '.join(missing)}, not in {wanted.mjcf}; its joints "
            f"are: {', '.join(joints)}"
        )
    order = [name for name in joints if name in wanted.joints.values()]
    if [wanted.joints[name] for name in profile.joint_names] != order:
        raise ProfileError(
            f"robot profile {profile.name}: `joints` must be in the model's order, from the base to the hand: "
            f"{', '.join(order)}"
        )


def _set_limits(profile: RobotProfile, wanted: ModelSpec, spec: MjSpec) -> None:
    for joint in profile.joints:
        found = spec.joint(wanted.joints[joint.name])
        found.range = list(joint.position)
        found.limited = mujoco.mjtLimited.mjLIMITED_TRUE


def _add_tool_and_table(profile: RobotProfile, wanted: ModelSpec, spec: MjSpec) -> None:
    hand, offset = spec.body(wanted.eef_body), wanted.eef_offset
    hand.add_site(name=EEF_SITE, pos=list(offset.position), quat=[offset.quaternion[3], *offset.quaternion[:3]])
    for box in wanted.tool:
        half = [extent / 2 for extent in box.size]
        hand.add_geom(name=box.name, type=mujoco.mjtGeom.mjGEOM_BOX, size=half, pos=list(box.centre))
    if profile.workspace.table_height is not None:
        # A thick box: what has sunk into it still gets a distance, and its direction is up.
        centre = [0.0, 0.0, profile.workspace.table_height - _TABLE_HALF_M[2]]
        spec.body(wanted.base_body).add_geom(
            name=TABLE, type=mujoco.mjtGeom.mjGEOM_BOX, size=list(_TABLE_HALF_M), pos=centre
        )
