"""The safety filter's report as messages and as the node's condition."""

from __future__ import annotations

import time

from world2act.commander.holds import Holds
from world2act.conversions import arm_target_to_message, ns_to_stamp, seconds_to_ns
from world2act.health import FAULT, Condition
from world2act_core.commanding.profiled_arm import Step
from world2act_core.safety import types as safety
from world2act_core.types import ArmTarget, EefPose
from world2act_interfaces.msg import ArmCommand, SafetyFlag, SafetyStatus


def safety_status(
    report: safety.SafetyReport, stamp_ns: int, frame: str, others: tuple[safety.FlagReport, ...] = ()
) -> SafetyStatus:
    """The message; others: flags that are not the filter's own."""
    message = SafetyStatus(
        mode=int(report.mode),
        speed_scale=float(report.speed_scale),
        max_eef_speed=float(report.max_eef_speed),
        clearance=float(report.clearance),
        filter_seconds_max=float(report.filter_seconds_max),
        flags=[_flag(flag) for flag in (*report.flags, *others)],
    )
    message.header.stamp = ns_to_stamp(stamp_ns)
    message.header.frame_id = frame
    return message


def _flag(flag: safety.FlagReport) -> SafetyFlag:
    return SafetyFlag(
        name=flag.name,
        level=int(flag.level),
        reaction=str(flag.reaction),
        active=flag.active,
        latched=flag.latched,
        count=flag.count,
        last=ns_to_stamp(seconds_to_ns(flag.last_s)),
        message=flag.message,
    )


def condition(flags: tuple[safety.FlagReport, ...]) -> Condition:
    """What the node says about itself: the strictest flag that keeps the arm from moving; OK when none does.

    What only clips or slows down comes and goes with every fast motion: it is counted, not a condition.
    """
    holding = [flag for flag in flags if (flag.active or flag.latched) and flag.reaction.level is safety.Level.ERROR]
    if not holding:
        return Condition()
    worst = max(holding, key=lambda flag: flag.reaction.severity)
    text = f"{worst.message}. After the cause is gone: `world2act clear`" if worst.latched else worst.message
    return Condition(FAULT, worst.name, text)


def hold_flags(holds: Holds) -> tuple[safety.FlagReport, ...]:
    """What makes the arm hold beside the filter, as flags like the filter's; a wish to hold is none."""
    return tuple(
        safety.FlagReport(
            hold.name, safety.Level.ERROR, safety.Reaction.HOLD, True, hold.name in holds.latched, 1, time.time(),
            hold.message,
        )
        for hold in holds.all() if hold.name
    )  # fmt: skip


def arm_command(step: Step, pose: EefPose, stamp_ns: int) -> ArmCommand:
    """What the arm is told in this period as a Cartesian target; pose: of the end effector there."""
    decision, point = step.decision, step.point
    message = arm_target_to_message(ArmTarget(pose, decision.gripper), stamp_ns)
    message.holding, message.hold_reason = bool(decision.hold_reason), decision.hold_reason
    follows = point is not None and not decision.hold_reason
    message.chunk_sequence = point.reference.chunk_sequence if point is not None and follows else -1
    message.chunk_index = point.reference.index if point is not None and follows else -1
    if point is not None and follows:
        message.observation_stamp = ns_to_stamp(point.observation_ns)
    message.limit_events = [event.name for event in decision.events]
    return message
