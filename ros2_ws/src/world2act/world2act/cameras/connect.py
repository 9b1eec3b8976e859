"""Connects a camera's feed with where its pictures come from: topics of a driver, or a device of our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.cameras.device_reader import DeviceReader
from world2act.cameras.feed import CameraFeed, Picture
from world2act_core.cameras.faults import AWAY, Finding


class CameraConnection:
    """One source, connected until the node frees what it owns."""

    def __init__(self, node: ManagedNode, feed: CameraFeed, longest_wait_s: float) -> None:
        self._node = node
        self._feed = feed
        self._reader: DeviceReader | None = None
        uri = feed.setting.uri
        if feed.setting.lens_topic:
            # Before the node is active too, where it waits: a calibration may be sent once only.
            node.poll(CameraInfo, feed.setting.lens_topic, lambda info, _: feed.take_info(info), topics.newest(False))
        if uri.scheme == "topic":
            kind, take = (CompressedImage, feed.take_compressed) if uri.compressed else (Image, feed.take_raw)
            node.listen(kind, uri.target, self._informed(take), topics.newest(False))
            return
        guard = node.create_guard_condition(self._on_news)
        node.own(lambda: node.destroy_guard_condition(guard))
        self._reader = DeviceReader(uri, guard.trigger, longest_wait_s)
        node.own(self._reader.stop)
        self._reader.start()

    def _informed(self, take: Callable[[Any], None]) -> Callable[[Any], None]:
        """Where the hand was meanwhile is known before a picture is judged by it."""

        def informed(picture: Any) -> None:
            self._node.polled.take()
            take(picture)

        return informed

    @property
    def finding(self) -> Finding | None:
        """Why the device gives no pictures; None for topics, whose drivers can only be silent."""
        problem = self._reader.problem if self._reader else ""
        return Finding(AWAY, f"{problem}; trying again until it is back") if problem else None

    @property
    def shown(self) -> str:
        """Source and stamps, for /diagnostics."""
        uri = self._feed.setting.uri
        stamps = self._reader.stamps if self._reader else uri.stamp
        return f"{uri.shown}, stamps: {stamps}"

    @property
    def overwritten(self) -> int:
        """Frames of a device that a newer one replaced before there was time for them."""
        return self._reader.overwritten if self._reader else 0

    def _on_news(self) -> None:
        frame = self._reader.take() if self._reader else None
        if not self._node.active:
            return
        if frame is not None:
            self._node.polled.take()
            self._feed.take(Picture(frame.image, frame.stamp_ns))
        else:
            self._node.refresh_condition()
