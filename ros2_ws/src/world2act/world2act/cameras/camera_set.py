"""All cameras of the graph in real time: their feeds, their faults, and what a match of their pictures becomes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Image

from world2act.base_node import ManagedNode
from world2act.cameras.connect import CameraConnection
from world2act.cameras.feed import CameraFeed, FeedLinks, Picture
from world2act.cameras.noted_meters import NotedMeters
from world2act.cameras.settings import CameraSetting
from world2act.cameras.sources import CAMERAS_PARAMETER
from world2act.conversions import seconds_to_ns, stamp_to_ns
from world2act.health import FAULT, Condition
from world2act.parameters import Parameter
from world2act_core.cameras.faults import FAULTS, Finding
from world2act_core.cameras.hand import HandLog
from world2act_core.cameras.health import HealthLimits

PARAMETERS = (
    CAMERAS_PARAMETER,
    Parameter(
        "calibrations",
        ("",),
        "Lenses as NAME=FILE (written by ROS's camera_calibration) or NAME=topic:CAMERA_INFO; pictures of a camera "
        "that is not listed are not rectified",
    ),
    Parameter("max_delay", 0.4, "A picture older than this when it comes in is late (real time)", "s", 0.02, 10.0),
    Parameter(
        "frozen_motion", 0.02, "Once the hand has moved this far, each picture must have changed (real time)",
        "m", 0.001, 1.0,
    ),
    Parameter(
        "frozen_time", 0.0, "A picture that stays the same this long is frozen, even at rest (real time); 0: never",
        "s", 0.0, 600.0,
    ),
    Parameter("fault_after", 3, "Bad pictures in a row until a camera has a fault (real time)", "", 1, 100),
    Parameter("good_after", 5, "Good pictures in a row until a camera's fault is over (real time)", "", 1, 100),
    Parameter("reconnect_wait", 5.0, "Longest time between attempts to reach a device that is away", "s", 0.25, 60.0),
)  # fmt: skip


class CameraSet:
    """The cameras by name.

    accept: called with (name, picture) for each picture that may be used. changed: called when the fault of one of them
    begins, becomes another one, or is over.
    """

    def __init__(
        self, node: ManagedNode, settings: Mapping[str, CameraSetting], meters: NotedMeters,
        accept: Callable[[str, Picture], None], changed: Callable[[], None],
    ) -> None:  # fmt: skip
        self._values = node.values
        self._meters = meters
        self._hands = HandLog()
        links = FeedLinks(self._hands, meters, lambda: int(node.get_clock().now().nanoseconds), accept, changed)
        self._feeds = {name: CameraFeed(setting, self._limits(setting), links) for name, setting in settings.items()}
        wait_s = self._values.number("reconnect_wait")
        self._connections = {name: CameraConnection(node, feed, wait_s) for name, feed in self._feeds.items()}

    def _limits(self, setting: CameraSetting) -> HealthLimits:
        return HealthLimits(
            smallest=setting.smallest,
            late_ns=seconds_to_ns(self._values.number("max_delay")),
            frozen_motion_m=self._values.number("frozen_motion") if setting.uri.frozen_check else math.inf,
            frozen_ns=seconds_to_ns(self._values.number("frozen_time")) if setting.uri.frozen_check else 0,
            enter=self._values.integer("fault_after"),
            leave=self._values.integer("good_after"),
        )

    def restart(self) -> None:
        """Forget every judgement: the node was activated again."""
        for feed in self._feeds.values():
            feed.restart()

    def take_pose(self, message: PoseStamped) -> None:
        """Where the hand is: a picture that stays the same meanwhile is frozen."""
        position = message.pose.position
        self._hands.add(stamp_to_ns(message.header.stamp), (position.x, position.y, position.z))

    def message(self, name: str, picture: Picture) -> Image:
        """What an Observation carries of a picture."""
        return self._feeds[name].message(picture)

    def findings(self, timeout_s: float) -> dict[str, Finding]:
        """Camera -> what is wrong with it, silence of `timeout_s` included; both kinds are shown on /diagnostics."""
        found: dict[str, Finding] = {}
        for name, feed in self._feeds.items():
            connection = self._connections[name]
            finding = connection.finding or feed.silent(timeout_s) or feed.finding
            self._meters.note(f"{name} source", connection.shown)
            self._meters.note(f"{name} frames overwritten", str(connection.overwritten))
            self._meters.note(f"{name} state", f"{finding.name}: {finding.text}" if finding else "OK")
            if finding:
                found[name] = finding
        return found

    def condition(self, findings: Mapping[str, Finding]) -> Condition:
        """The findings (one at least) as the node's condition: named after the worst, telling them all."""
        texts = [f"camera {name} ({self._connections[name].shown}): {each.text}" for name, each in findings.items()]
        worst = min((each.name for each in findings.values()), key=FAULTS.index)
        return Condition(FAULT, worst, "; ".join(texts))
