"""Hears what a robot's driver and cameras publish for a few seconds, before anything is judged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from rclpy.logging import LoggingSeverity
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from world2act.driver.emergency_stop import listen_to_emergency_stop
from world2act.supervision.session import Session
from world2act_core.robot.profile import RobotProfile

IMAGE_TYPES = {"topic": Image, "compressed_topic": CompressedImage}
FIRST_S, WINDOW_S = 3.0, 2.0
"""How long to wait for the first message of every topic, and how long to count then."""

# Best effort hears reliable and best-effort publishers alike. A value of before is not heard: nor is it in the graph.
_QOS = QoSProfile(depth=50, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.BEST_EFFORT)


@dataclass
class Heard:
    """One topic: arrival times [s], the newest message, and how far stamps lie behind this machine's clock [s].

    ended_s: when nobody listened any more, on the clock of the arrivals.
    """

    topic: str
    arrivals: list[float] = field(default_factory=list)
    newest: Any = None
    lags_s: list[float] = field(default_factory=list)
    ended_s: float = 0.0

    def take(self, message: Any) -> None:
        """One message has arrived."""
        self.arrivals.append(time.monotonic())
        self.newest = message
        header = getattr(message, "header", None)
        if header is not None:
            self.lags_s.append(time.time() - (header.stamp.sec + header.stamp.nanosec * 1e-9))

    @property
    def rate_hz(self) -> float:
        """Messages per second between the first and the last one; 0 with fewer than two."""
        if len(self.arrivals) < 2:
            return 0.0
        return (len(self.arrivals) - 1) / max(self.arrivals[-1] - self.arrivals[0], 1e-6)

    @property
    def longest_gap_s(self) -> float:
        """The longest time without a message from the first one to the end of listening."""
        times = [*self.arrivals, self.ended_s]
        return max((later - earlier for earlier, later in pairwise(times)), default=0.0)


@dataclass(frozen=True)
class Publications:
    """What was heard of one robot. images and camera_infos: by the camera's name; e_stop: None when it has none."""

    joint_states: Heard
    e_stop: Heard | None
    images: dict[str, Heard]
    camera_infos: dict[str, Heard]

    @property
    def all(self) -> list[Heard]:
        """Every topic that was listened to."""
        stop = [self.e_stop] if self.e_stop else []
        return [self.joint_states, *stop, *self.images.values(), *self.camera_infos.values()]

    @property
    def stamped(self) -> list[Heard]:
        """The topics whose stamps the graph looks at; those of a calibration mean nothing."""
        return [self.joint_states, *self.images.values()]


def listen(session: Session, profile: RobotProfile) -> Publications:
    """Hear every topic of the profile; takes FIRST_S + WINDOW_S seconds at most."""

    def hear(kind: Any, topic: str) -> Heard:
        heard = Heard(topic)
        session.node.create_subscription(kind, topic, heard.take, _QOS)
        return heard

    found = Publications(
        joint_states=hear(JointState, profile.state.joint_states),
        e_stop=_hear_e_stop(session, profile.state.e_stop) if profile.state.e_stop else None,
        images={c.name: hear(IMAGE_TYPES[c.kind], c.source) for c in profile.cameras if c.kind in IMAGE_TYPES},
        camera_infos={c.name: hear(CameraInfo, c.camera_info) for c in profile.cameras if c.camera_info},
    )
    session.wait(lambda: all(heard.arrivals for heard in found.all), FIRST_S)
    session.wait(lambda: False, WINDOW_S)
    for heard in found.all:
        heard.ended_s = time.monotonic()
    return found


def _hear_e_stop(session: Session, topic: str) -> Heard:
    """Exactly what arm_commander hears: also a value that was published once, before we came."""
    heard = Heard(topic)
    # One of the two subscriptions may not fit the publisher; the other does, so the warning would mislead.
    session.node.get_logger().set_level(LoggingSeverity.ERROR)
    listen_to_emergency_stop(_Listener(session.node), topic, heard.take)
    return heard


class _Listener:
    """A plain node with the one method of ManagedNode that drivers' subscriptions need."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def listen(
        self, message_type: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile, always: bool = False
    ) -> None:
        """Subscribe, whatever the state of the node: it has none."""
        self._node.create_subscription(message_type, topic, callback, qos)


def topics_of_type(session: Session, kind: str) -> str:
    """Topics of the graph with that message type, for a hint; "none" when there are none."""
    names = [name for name, types in session.node.get_topic_names_and_types() if kind in types]
    # Our own subscriptions are in the graph as well: only what somebody publishes is a hint.
    return ", ".join(sorted(name for name in names if session.node.count_publishers(name))) or "none"
