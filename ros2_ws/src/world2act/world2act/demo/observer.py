"""Watches a graph from outside, through its topics alone, and keeps what the video and the figures need."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from sensor_msgs.msg import Image

from world2act import topics
from world2act.conversions import image_from_message, seconds_to_ns, stamp_to_ns
from world2act.supervision.session import Session
from world2act_core.types import ImageArray
from world2act_interfaces.msg import ActionChunk, ArmCommand, EpisodeStatus, Skill

CHUNK_S = 0.4
"""Simulated time for which the last chunk is still executed after an instruction has ended."""

OnPictures = Callable[[ImageArray, ImageArray], None]


class Observer:
    """The newest pictures, skill and status, and how long commands take after their picture."""

    def __init__(self, session: Session, lockstep: bool, on_pictures: OnPictures) -> None:
        self._lockstep = lockstep
        self._on_pictures = on_pictures
        self._pictures: dict[str, tuple[int, ImageArray]] = {}
        self.shown_ns = 0
        self._seen_s: dict[int, float] = {}
        self._commanded = -1
        self.skill = ""
        self.status: EpisodeStatus | None = None
        self.last_chunk_ns = 0
        self.bundle_hash = ""
        self.latencies_ms: list[float] = []
        self.inference_ms: list[float] = []
        self.scores: list[tuple[int, float, float]] = []  # stamp, alignment score, residual's size of every chunk
        node = session.node
        for camera in ("scene", "wrist"):
            topic = topics.image_topic(camera)
            node.create_subscription(Image, topic, partial(self._on_image, camera), topics.reliable(5))
        node.create_subscription(Skill, topics.SKILL, self._on_skill, topics.latched())
        node.create_subscription(EpisodeStatus, topics.EPISODE_STATUS, self._on_status, topics.latched())
        node.create_subscription(ActionChunk, topics.ACTION_CHUNK, self._on_chunk, topics.reliable())
        node.create_subscription(ArmCommand, topics.ARM_COMMAND, self._on_command, topics.reliable())

    def _on_image(self, camera: str, message: Image) -> None:
        stamp_ns = stamp_to_ns(message.header.stamp)
        self._pictures[camera] = (stamp_ns, image_from_message(message))
        if len(self._pictures) < 2 or len({stamp for stamp, _ in self._pictures.values()}) > 1:
            return
        if stamp_ns == self.shown_ns:
            return
        self.shown_ns = stamp_ns
        self._seen_s = {stamp_ns: time.perf_counter(), **dict(list(self._seen_s.items())[:8])}
        self._on_pictures(self._pictures["scene"][1], self._pictures["wrist"][1])

    def latest_pictures(self) -> tuple[ImageArray, ImageArray] | None:
        """The newest picture of each camera, scene first."""
        if len(self._pictures) < 2:
            return None
        return self._pictures["scene"][1], self._pictures["wrist"][1]

    def _on_skill(self, message: Skill) -> None:
        self.skill = message.prompt if message.active else ""

    def _on_status(self, message: EpisodeStatus) -> None:
        self.status = message

    def _on_chunk(self, message: ActionChunk) -> None:
        self.last_chunk_ns = stamp_to_ns(message.header.stamp)
        self.bundle_hash = message.bundle_hash
        self.inference_ms.append(1e3 * float(message.inference_seconds))
        self.scores.append((self.last_chunk_ns, float(message.alignment_score), float(message.residual_size)))

    def _on_command(self, message: ArmCommand) -> None:
        # The first command of each chunk: the ones after it were known all along.
        if message.holding or message.chunk_sequence == self._commanded:
            return
        self._commanded = int(message.chunk_sequence)
        picture_ns = stamp_to_ns(message.observation_stamp)
        if not self._lockstep:
            self.latencies_ms.append(1e-6 * (stamp_to_ns(message.header.stamp) - picture_ns))
        elif picture_ns in self._seen_s:
            # Simulated stamps say nothing about real time: from when the picture reached us to when the command did.
            self.latencies_ms.append(1e3 * (time.perf_counter() - self._seen_s[picture_ns]))

    @property
    def status_ns(self) -> int:
        """Stamp of the newest status; 0 before the first."""
        return stamp_to_ns(self.status.header.stamp) if self.status is not None else 0

    def final_success(self, session: Session, reset_ns: int) -> bool:
        """The judge's word once the last chunk has been executed; call it when the instruction has ended."""
        session.wait(lambda: False, 0.2)  # the last chunk's message may come after the goal's result
        end_ns = max(self.last_chunk_ns, reset_ns) + seconds_to_ns(CHUNK_S)
        session.wait(lambda: self.status_ns >= end_ns, 5.0)
        return self.status is not None and bool(self.status.success)
