"""What is recorded: which topics, of which type, with which quality of service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from action_msgs.msg import GoalStatusArray
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import ParameterEvent
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import String

from world2act import topics
from world2act.errors import ConfigurationError
from world2act.recording.definitions import message_class
from world2act_core.cameras.uri import CameraUri
from world2act_interfaces.msg import (
    ActionChunk,
    ArmCommand,
    EpisodeStatus,
    NodeHealth,
    Observation,
    SafetyStatus,
    Skill,
    SkillPlan,
)

GOAL_STATUS = f"{topics.EXECUTE_INSTRUCTION}/_action/status"
PARAMETER_EVENTS = "/parameter_events"
DEPTH = 200
PICTURE_DEPTH = 20
"""Messages of one topic that may wait for us, for a machine that is busy elsewhere: seconds of them."""


@dataclass(frozen=True)
class Source:
    """One topic to record. keep: so many of its last messages begin every recording, because they still hold then."""

    topic: str
    message_type: Any
    qos: QoSProfile
    keep: int = 0


def graph_sources(
    cameras: Mapping[str, CameraUri], lockstep: bool, extra: Sequence[str] = (), joint_states: str = topics.JOINT_STATES
) -> list[Source]:
    """The graph's topics; `extra` as "topic type" each. joint_states: the topic of the arm's.

    cameras: those whose own pictures are wanted too, and their sources; a device or a stream has no topic.

    The planner's topics come first: of messages that are there at once, a node takes those of its first subscription
    first, and a recording must have begun before the first chunk of its plan is taken. Raises ConfigurationError.
    """
    latched = topics.latched(10)
    reliable = topics.reliable(DEPTH)
    # Drivers may send best effort, which a reliable reader would not get; in lockstep nothing may be lost.
    driver = reliable if lockstep else topics.stream(DEPTH)
    pictures = topics.reliable(PICTURE_DEPTH) if lockstep else topics.stream(PICTURE_DEPTH)
    sources = [
        Source(topics.SKILL_PLAN, SkillPlan, latched, keep=1),
        Source(topics.SKILL, Skill, topics.latched(DEPTH), keep=1),
        Source(GOAL_STATUS, GoalStatusArray, latched),
        Source(topics.ROBOT_CONTRACT, String, latched, keep=1),
        Source(topics.EPISODE_STATUS, EpisodeStatus, topics.latched(DEPTH), keep=1),
        Source(topics.OBSERVATION, Observation, topics.reliable(PICTURE_DEPTH), keep=3),
        Source(topics.ACTION_CHUNK, ActionChunk, reliable),
        Source(topics.ARM_COMMAND, ArmCommand, reliable),
        Source(topics.SAFETY_STATUS, SafetyStatus, reliable, keep=1),
        Source(topics.NODE_HEALTH, NodeHealth, reliable),
        Source(topics.DIAGNOSTICS, DiagnosticArray, reliable),
        Source(PARAMETER_EVENTS, ParameterEvent, reliable),
        Source(joint_states, JointState, driver, keep=3),
        Source(topics.EEF_POSE, PoseStamped, driver, keep=3),
    ]
    sources += [
        Source(uri.target, CompressedImage if uri.compressed else Image, pictures)
        for uri in cameras.values()
        if uri.scheme == "topic"
    ]
    sources += [_extra(text, driver) for text in extra]
    _refuse_doubles(sources)
    return sources


def _extra(text: str, qos: QoSProfile) -> Source:
    parts = text.split()
    if len(parts) != 2:
        raise ConfigurationError(
            f"extra_topics has {text!r}", 'give a topic and its type, as in "/tf tf2_msgs/msg/TFMessage"'
        )
    return Source(parts[0], message_class(parts[1]), qos)


def _refuse_doubles(sources: Sequence[Source]) -> None:
    names = [source.topic for source in sources]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise ConfigurationError(f"{', '.join(double)} would be recorded twice", "take it out of extra_topics")


def qos_text(qos: QoSProfile) -> str:
    """A profile as rosbag2 keeps it with a topic, so that `ros2 bag play` offers the same."""
    forever = "{sec: 9223372036, nsec: 854775807}"
    return (
        f"- history: {qos.history.name.lower()}\n  depth: {qos.depth}\n  reliability: {qos.reliability.name.lower()}\n"
        f"  durability: {qos.durability.name.lower()}\n  deadline: {forever}\n  lifespan: {forever}\n"
        f"  liveliness: automatic\n  liveliness_lease_duration: {forever}\n  avoid_ros_namespace_conventions: false\n"
    )
