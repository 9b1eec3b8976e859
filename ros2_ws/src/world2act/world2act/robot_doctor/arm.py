"""Checks of the arm: joint states, commands, gripper, e-stop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from world2act.checks import Check
from world2act.robot_doctor.listening import FIRST_S, Heard, Publications, topics_of_type
from world2act.supervision.session import Session
from world2act_core.robot.profile import RobotProfile

COMMANDER = "arm_commander"
E_STOP_TYPE = "std_msgs/msg/Bool"
SLACK_RAD = 1e-3
GRIPPER_SLACK = 0.1


def check_joint_states(session: Session, profile: RobotProfile, heard: Heard) -> Iterator[Check]:
    """Names, rate, and positions inside the limits."""
    name = "joint states"
    if heard.newest is None:
        others = topics_of_type(session, "sensor_msgs/msg/JointState")
        yield Check(
            name, "missing", f"nothing on {heard.topic} within {FIRST_S:g} s; topics of that type: {others}",
            "start the arm's driver, choose its --domain, or correct state.joint_states",
        )  # fmt: skip
        return
    positions = dict(zip(heard.newest.name, heard.newest.position))
    lacking = [joint for joint in profile.joint_names if joint not in positions]
    if lacking:
        found = f"{heard.topic} lacks {', '.join(lacking)}; it has: {', '.join(heard.newest.name) or 'no names'}"
        yield Check(name, "missing", found, "correct the names under `joints`, or the driver's prefix")
        return
    yield _rate(profile, heard)
    wrong = [text for joint in profile.joints if (text := _outside(joint.name, positions[joint.name], joint.position))]
    if wrong:
        remedy = "correct joints.position, or move the arm back inside with the vendor's tools before anything else"
        if any(abs(positions[joint]) > 4 * math.pi for joint in profile.joint_names):
            remedy = "these look like degrees: the driver must publish radians"
        yield Check("joint limits", "missing", "; ".join(wrong), remedy)
        return
    yield Check("joint limits", "ok", f"all {len(profile.joints)} joints are inside")


def _rate(profile: RobotProfile, heard: Heard) -> Check:
    wanted = profile.state.min_rate_hz
    found = f"{heard.topic}: {heard.rate_hz:.0f} Hz"
    if heard.rate_hz < wanted:
        remedy = (
            "raise the driver's rate (joint_state_broadcaster), look at this machine's load, or lower state.min_rate_hz"
        )
        return Check("joint states", "missing", f"{found}, the profile wants {wanted:g}", remedy)
    return Check("joint states", "ok", found)


def _outside(name: str, value: float, limits: tuple[float, float]) -> str:
    if math.isfinite(value) and limits[0] - SLACK_RAD <= value <= limits[1] + SLACK_RAD:
        return ""
    return f"{name} at {value:.3f}, limits [{limits[0]:g}, {limits[1]:g}]"


def check_command(session: Session, profile: RobotProfile) -> Iterator[Check]:
    """Somebody of the right type takes our commands, and nobody else sends any."""
    command = profile.command
    yield _taker(session, "command", command.topic, command.message, "start the controller, or correct `command`")
    senders = session.node.get_publishers_info_by_topic(session.node.resolve_topic_name(command.topic))
    strangers = sorted({sender.node_name for sender in senders} - {COMMANDER})
    if strangers:
        yield Check(
            "command", "warning", f"{', '.join(strangers)} also publishes on {command.topic}",
            "end it: two senders of commands make the arm jump between them",
        )  # fmt: skip


def check_gripper(session: Session, profile: RobotProfile, joint_states: Heard) -> Iterator[Check]:
    """Its joints are read, the reading makes sense, and somebody takes its commands."""
    spec = profile.gripper
    if joint_states.newest is not None:
        yield _opening(profile, dict(zip(joint_states.newest.name, joint_states.newest.position)))
    command, remedy = spec.command, "start the gripper's controller, or correct gripper.command"
    if command.interface == "gripper_action":
        yield _action_server(session, command.topic, command.message, remedy)
    elif command.interface != "with_arm":
        yield _taker(session, "gripper command", command.topic, command.message, remedy)


def _opening(profile: RobotProfile, positions: dict[str, float]) -> Check:
    spec = profile.gripper
    lacking = [joint for joint in spec.joints if joint not in positions]
    if lacking:
        found = f"{profile.state.joint_states} lacks {', '.join(lacking)}; it has: {', '.join(positions)}"
        return Check(
            "gripper", "missing", found, "correct gripper.joints, or have the driver publish the gripper's joints"
        )
    reading = sum(positions[joint] for joint in spec.joints)
    share = (spec.width(reading) - spec.width_closed) / (spec.width_open - spec.width_closed)
    if not -GRIPPER_SLACK <= share <= 1.0 + GRIPPER_SLACK:
        found = f"reading {reading:.4f} is not between closed {spec.reading_closed:g} and open {spec.reading_open:g}"
        return Check("gripper", "warning", found, "correct gripper.reading_open and gripper.reading_closed")
    return Check("gripper", "ok", f"{spec.width(reading) * 1000:.0f} mm open")


def _taker(session: Session, name: str, topic: str, kind: str, remedy: str) -> Check:
    full = session.node.resolve_topic_name(topic)
    takers = session.node.get_subscriptions_info_by_topic(full)
    types = sorted({taker.topic_type for taker in takers})
    if not takers:
        return Check(name, "missing", f"nobody takes {kind} on {full}", remedy)
    if kind not in types:
        found = f"{full} is taken as {', '.join(types)}, the profile says {kind}"
        return Check(name, "missing", found, "correct the `interface` in the profile, or the controller's type")
    nodes = sorted({taker.node_name for taker in takers if taker.topic_type == kind})
    return Check(name, "ok", f"{', '.join(nodes)} takes {kind} on {full}")


def _action_server(session: Session, action: str, kind: str, remedy: str) -> Check:
    full = session.node.resolve_topic_name(action)
    services = dict(session.node.get_service_names_and_types())
    types = [found.removesuffix("_SendGoal") for found in services.get(f"{full}/_action/send_goal", ())]
    if not types:
        return Check("gripper command", "missing", f"there is no action server {full} ({kind})", remedy)
    if kind not in types:
        found = f"action {full} is {', '.join(types)}, the profile says {kind}"
        return Check("gripper command", "missing", found, remedy)
    return Check("gripper command", "ok", f"action server {full}")


def check_e_stop(session: Session, profile: RobotProfile, heard: Publications) -> Iterator[Check]:
    """Whether the e-stop speaks, and whether it is pressed."""
    name = "e-stop"
    if heard.e_stop is None:
        remedy = "name its std_msgs/Bool topic in state.e_stop; keep the hardware's own in reach"
        yield Check(name, "warning", "the profile has none", remedy)
        return
    topic, heartbeat_s = heard.e_stop.topic, profile.safety.e_stop_heartbeat_s or 0.0
    if heard.e_stop.newest is None:
        check = _silent_e_stop(session, topic)
        yield replace(check, level="missing") if heartbeat_s else check  # silence counts as pressed
    elif heartbeat_s and heard.e_stop.longest_gap_s > heartbeat_s:
        found = f"{topic}: silent for {heard.e_stop.longest_gap_s:.2f} s, safety.e_stop_heartbeat_s is {heartbeat_s:g}"
        yield Check(name, "missing", found, "let it publish more often, or correct safety.e_stop_heartbeat_s")
    elif heard.e_stop.newest.data:
        remedy = "release it, then `world2act clear` if the graph runs; the arm takes no command until then"
        yield Check(name, "warning", f"{topic}: pressed", remedy)
    else:
        yield Check(name, "ok", f"{topic}: released")


def _silent_e_stop(session: Session, topic: str) -> Check:
    senders = session.node.get_publishers_info_by_topic(session.node.resolve_topic_name(topic))
    if not senders:
        found = f"nobody publishes on {topic}"
        return Check(
            "e-stop", "warning", found, "publish std_msgs/Bool there (true: stop), or set state.e_stop to null"
        )
    types = sorted({sender.topic_type for sender in senders})
    if types != [E_STOP_TYPE]:
        found = f"{topic} is {', '.join(types)}, not {E_STOP_TYPE}: pressing it stops nothing"
        return Check("e-stop", "missing", found, "correct the topic in state.e_stop, or what publishes there")
    found = f"{topic} has a publisher, but nothing came within {FIRST_S:g} s: whether it is pressed is not known"
    return Check(
        "e-stop", "warning", found, "press and release it once; better, let it publish latched or repeat itself"
    )
