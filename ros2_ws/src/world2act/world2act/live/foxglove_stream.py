"""A running graph as a live stream for Foxglove: pictures, frames, joints, chunks as paths, and the whole snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import foxglove
from foxglove import channels
from foxglove import messages as fox
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Image, JointState

from world2act import topics
from world2act.conversions import ConversionError, pose_from_message
from world2act.live import foxglove_messages as convert
from world2act.live.watcher import GraphWatcher
from world2act.supervision.session import Session
from world2act_core.types import EefPose
from world2act_interfaces.msg import ActionChunk, ArmCommand, Observation

EEF_FRAME, TARGET_FRAME = "end_effector", "target"
STATUS_S = 0.5
"""Time between two snapshots on /status."""
LOG_LEVELS = {"OK": fox.LogLevel.Info, "DEGRADED": fox.LogLevel.Warning, "FAULT": fox.LogLevel.Error}


class FoxgloveStream:
    """Subscribes to a graph and logs into a Foxglove context; call `tick` for as long as the stream is wanted.

    Pictures are those of the observations: as the policy sees them, by the contract's names, whatever each camera is.
    joint_states: topic of the arm's. Pictures that nobody watches are not converted.
    """

    def __init__(
        self, session: Session, domain: int, context: foxglove.Context, joint_states: str = topics.JOINT_STATES
    ) -> None:
        self._session = session
        self._context = context
        self._watcher = GraphWatcher(session, domain)
        self._frames = channels.FrameTransformsChannel("/tf", context=context)
        self._joints = channels.JointStatesChannel("/joint_states", context=context)
        self._path = channels.SceneUpdateChannel("/chunk_path", context=context)
        self._log = channels.LogChannel("/log", context=context)
        self._status = foxglove.Channel("/status", context=context)
        self._policy = foxglove.Channel("/policy", context=context)
        self._cameras: dict[str, channels.RawImageChannel] = {}
        self._eef: EefPose | None = None
        self._told: dict[str, str] = {}
        self._status_s = -1e9
        self._subscribe(joint_states)

    def _subscribe(self, joint_states: str) -> None:
        node, newest = self._session.node, topics.newest(False)
        node.create_subscription(PoseStamped, topics.EEF_POSE, self._on_pose, newest)
        node.create_subscription(JointState, joint_states, self._on_joints, newest)
        node.create_subscription(Observation, topics.OBSERVATION, self._on_observation, newest)
        node.create_subscription(ActionChunk, topics.ACTION_CHUNK, self._on_chunk, newest)
        node.create_subscription(ArmCommand, topics.ARM_COMMAND, self._on_command, newest)

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras that have been seen, by the contract's names."""
        return tuple(self._cameras)

    def tick(self, seconds: float = 0.05) -> None:
        """Handle what comes in, waiting up to `seconds` for it; now and then send the snapshot."""
        self._session.spin(seconds)
        now_s = time.monotonic()
        if now_s - self._status_s > STATUS_S:
            self._status_s = now_s
            self._send_status()

    def _on_observation(self, message: Observation) -> None:
        for name, image in zip(message.camera_names, message.images):
            if name not in self._cameras:
                self._cameras[name] = channels.RawImageChannel(f"/camera/{name}", context=self._context)
            self._send_picture(name, image)

    def _send_picture(self, camera: str, image: Image) -> None:
        if self._cameras[camera].has_sinks():
            self._try(f"camera {camera}", lambda: self._cameras[camera].log(convert.picture(image)))

    def _on_pose(self, message: PoseStamped) -> None:
        def send() -> None:
            self._eef = pose_from_message(message.pose)
            self._frames.log(convert.transform(message, EEF_FRAME))

        self._try(topics.EEF_POSE, send)

    def _on_command(self, message: ArmCommand) -> None:
        stamped = PoseStamped(header=message.header, pose=message.pose)
        self._try(topics.ARM_COMMAND, lambda: self._frames.log(convert.transform(stamped, TARGET_FRAME)))

    def _on_joints(self, message: JointState) -> None:
        self._joints.log(convert.joints(message))

    def _on_chunk(self, message: ActionChunk) -> None:
        self._policy.log(
            {
                "sequence": int(message.sequence), "inference_ms": 1e3 * float(message.inference_seconds),
                "done": float(message.done), "alignment": _number(message.alignment_score),
                "residual": _number(message.residual_size),
            }
        )  # fmt: skip
        start = self._eef
        if start is not None:
            path = partial(convert.chunk_path, message, start)
            self._try(topics.ACTION_CHUNK, lambda: self._path.log(convert.path_scene(message, path())))

    def _send_status(self) -> None:
        snapshot = self._watcher.snapshot()
        self._status.log(snapshot.to_json())
        for node in snapshot.nodes:
            self._tell(node.name, node.level, f"{node.fault}: {node.message}" if node.fault else "")

    def _tell(self, name: str, level: str, text: str) -> None:
        """Log a change; what stays is not repeated."""
        if self._told.get(name, "") == text:
            return
        self._told[name] = text
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        stamp = fox.Timestamp(sec=seconds, nsec=nanoseconds)
        level_now = LOG_LEVELS.get(level, fox.LogLevel.Error)
        self._log.log(fox.Log(timestamp=stamp, level=level_now, name=name, message=text or "is well again"))

    def _try(self, what: str, send: Callable[[], object]) -> None:
        # One message that cannot be shown must not end the stream for all the others.
        try:
            send()
        except ConversionError as error:
            self._tell(what, "DEGRADED", str(error))


def _number(value: float) -> float | None:
    # JSON knows no NaN.
    return None if value != value else float(value)
