"""Every conversion between ROS messages and the core's values, and nothing else.

Times cross as integer nanoseconds: lockstep compares stamps for equality, which floats would spoil.
"""

from __future__ import annotations

import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, PoseStamped
from numpy.typing import ArrayLike
from sensor_msgs.msg import Image, JointState

from world2act_core import types as core
from world2act_core.skill import Skill
from world2act_interfaces import msg as interfaces
from world2act_interfaces.action import ExecuteInstruction

NANOSECONDS = 1_000_000_000
BASE_FRAME = "base"


class ConversionError(ValueError):
    """A message does not say what it should; the text names the topic's type, the field and both values."""


def stamp_to_ns(stamp: Time) -> int:
    """ROS time -> nanoseconds."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def ns_to_stamp(nanoseconds: int) -> Time:
    """Nanoseconds -> ROS time."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return Time(sec=seconds, nanosec=rest)


def seconds_to_ns(seconds: float) -> int:
    """Seconds -> nanoseconds, rounded to the nearest."""
    return round(seconds * NANOSECONDS)


def ns_to_seconds(nanoseconds: int) -> float:
    """Nanoseconds -> seconds."""
    return nanoseconds / NANOSECONDS


def _bytes(data: bytes) -> array.array[int]:
    # An array.array is handed to DDS as it is (0.03 ms for 0.9 MB); numpy arrays and lists are copied item by item.
    filled = array.array("B")
    filled.frombytes(data)
    return filled


def _floats(values: Any) -> array.array[float]:
    filled = array.array("f")
    filled.frombytes(np.ascontiguousarray(values, dtype=np.float32).tobytes())
    return filled


def image_to_message(image: core.ImageArray, stamp_ns: int, frame: str) -> Image:
    """uint8 [H, W, 3] rgb -> rgb8 Image."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ConversionError(f"Image: expected a uint8 [H, W, 3] array, got {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    message = Image(height=height, width=width, encoding="rgb8", is_bigendian=0, step=3 * width)
    message.header.stamp = ns_to_stamp(stamp_ns)
    message.header.frame_id = frame
    message.data = _bytes(image.tobytes())
    return message


def image_from_message(message: Image) -> core.ImageArray:
    """rgb8 or bgr8 Image -> uint8 [H, W, 3] rgb; rgb8 without row padding is a view, not a copy.

    Raises ConversionError for other encodings and for data that does not match height, width and step.
    """
    if message.encoding not in ("rgb8", "bgr8"):
        raise ConversionError(f"Image.encoding is '{message.encoding}': set the camera driver to rgb8 or bgr8")
    height, width, step = message.height, message.width, message.step
    data = np.frombuffer(message.data, np.uint8)
    if height == 0 or width == 0 or step < 3 * width or data.size != step * height:
        raise ConversionError(
            f"Image: {data.size} bytes do not make {height} rows of step {step} with {width} rgb pixels each"
        )
    rows = data.reshape(height, step)[:, : 3 * width].reshape(height, width, 3)
    return rows[..., ::-1] if message.encoding == "bgr8" else rows


def pose_to_message(pose: core.EefPose) -> Pose:
    """EefPose -> geometry_msgs/Pose (m, quaternion x y z w)."""
    message = Pose()
    message.position.x, message.position.y, message.position.z = (float(value) for value in pose.position)
    quaternion = (float(value) for value in pose.quaternion)
    message.orientation.x, message.orientation.y, message.orientation.z, message.orientation.w = quaternion
    return message


def pose_from_message(message: Pose) -> core.EefPose:
    """geometry_msgs/Pose -> EefPose. Raises ConversionError for NaN and for a quaternion that is not of unit length."""
    position = np.array([message.position.x, message.position.y, message.position.z])
    o = message.orientation
    quaternion = np.array([o.x, o.y, o.z, o.w])
    if not (np.isfinite(position).all() and abs(np.linalg.norm(quaternion) - 1.0) < 1e-3):
        raise ConversionError(f"Pose is not a pose: position {position}, quaternion {quaternion}")
    return core.EefPose(position, quaternion)


def stamped_pose_to_message(pose: core.EefPose, stamp_ns: int, frame: str = BASE_FRAME) -> PoseStamped:
    """EefPose at a time -> PoseStamped."""
    message = PoseStamped(pose=pose_to_message(pose))
    message.header.stamp = ns_to_stamp(stamp_ns)
    message.header.frame_id = frame
    return message


def joint_state_to_message(
    names: Sequence[str], positions: ArrayLike, velocities: ArrayLike, stamp_ns: int
) -> JointState:
    """Joint positions (rad, or m for fingers) and velocities (per s) -> JointState."""
    message = JointState(name=list(names))
    message.header.stamp = ns_to_stamp(stamp_ns)
    message.position = array.array("d", np.asarray(positions, dtype=np.float64).tolist())
    message.velocity = array.array("d", np.asarray(velocities, dtype=np.float64).tolist())
    return message


def gripper_reading(message: JointState, fingers: Sequence[str]) -> float:
    """Sum of the positions of the gripper's joints [m or rad], with their signs.

    Raises ConversionError: a joint is missing (it names those there are), names and positions differ in number.
    """
    missing = [name for name in fingers if name not in message.name]
    if missing:
        raise ConversionError(f"JointState has no joint {', '.join(missing)}; it has: {', '.join(message.name)}")
    if len(message.position) != len(message.name):
        raise ConversionError(f"JointState has {len(message.name)} names but {len(message.position)} positions")
    return float(sum(message.position[message.name.index(name)] for name in fingers))


def observation_from_message(message: interfaces.Observation) -> core.Observation:
    """Observation message -> the core's Observation. Raises ConversionError when names and images do not match."""
    if len(message.camera_names) != len(message.images):
        raise ConversionError(
            f"Observation has {len(message.camera_names)} camera names but {len(message.images)} images"
        )
    images = {name: image_from_message(image) for name, image in zip(message.camera_names, message.images, strict=True)}
    time_s = ns_to_seconds(stamp_to_ns(message.header.stamp))
    return core.Observation(time_s, images, np.array(message.state, dtype=np.float32))


def observation_to_message(
    images: Mapping[str, Image], state: core.FloatArray, state_names: Sequence[str], stamp_ns: int
) -> interfaces.Observation:
    """Image messages (passed on unchanged), state float32 [S] -> Observation; the caller fills sequence, ages, skew."""
    message = interfaces.Observation(camera_names=list(images), images=list(images.values()))
    message.header.stamp = ns_to_stamp(stamp_ns)
    message.header.frame_id = BASE_FRAME
    message.state = _floats(state)
    message.state_names = list(state_names)
    return message


def chunk_to_message(
    chunk: core.ActionChunk, stamp_ns: int, plan_id: int, action_names: Sequence[str], bundle_hash: str
) -> interfaces.ActionChunk:
    """ActionChunk made from the observation stamped `stamp_ns` -> message."""
    horizon, size = chunk.actions.shape
    message = interfaces.ActionChunk(
        sequence=chunk.sequence, skill_id=chunk.skill_id, plan_id=plan_id, step_seconds=chunk.step_s,
        horizon=horizon, action_size=size, action_names=list(action_names), done=float(chunk.done),
        alignment_score=float(chunk.alignment), residual_size=float(chunk.residual_size),
        inference_seconds=float(chunk.inference_s), bundle_hash=bundle_hash,
    )  # fmt: skip
    message.header.stamp = ns_to_stamp(stamp_ns)
    message.header.frame_id = BASE_FRAME
    message.data = _floats(chunk.actions)
    return message


def chunk_from_message(message: interfaces.ActionChunk) -> core.ActionChunk:
    """Message -> ActionChunk. Raises ConversionError when data is not horizon x action_size."""
    actions = np.array(message.data, dtype=np.float32)
    if message.horizon == 0 or message.action_size == 0 or actions.size != message.horizon * message.action_size:
        raise ConversionError(
            f"ActionChunk {message.sequence}: {actions.size} values are not {message.horizon} x {message.action_size}"
        )
    stamp_ns = stamp_to_ns(message.header.stamp)
    return core.ActionChunk(
        sequence=int(message.sequence),
        start_time_s=ns_to_seconds(stamp_ns),
        # The message carries a float32 (0.1 becomes 0.10000000149); whole microseconds bring back what was meant.
        step_s=round(float(message.step_seconds), 6),
        actions=actions.reshape(message.horizon, message.action_size),
        done=float(message.done),
        inference_s=float(message.inference_seconds),
        skill_id=int(message.skill_id),
        residual_size=float(message.residual_size),
        alignment=float(message.alignment_score),
        stamp_ns=stamp_ns,
    )


def arm_target_to_message(target: core.ArmTarget, stamp_ns: int) -> interfaces.ArmCommand:
    """ArmTarget -> ArmCommand; the caller fills where it comes from."""
    message = interfaces.ArmCommand(
        pose=pose_to_message(target.pose), gripper=float(target.gripper), chunk_sequence=-1, chunk_index=-1
    )
    message.header.stamp = ns_to_stamp(stamp_ns)
    message.header.frame_id = BASE_FRAME
    return message


def arm_target_from_message(message: interfaces.ArmCommand) -> core.ArmTarget:
    """ArmCommand -> ArmTarget. Raises ConversionError for a pose that is none."""
    return core.ArmTarget(pose_from_message(message.pose), float(message.gripper))


def skill_to_message(skill: Skill, identifier: int, plan_id: int, index: int, total: int) -> interfaces.Skill:
    """Skill -> message, inactive; the planner fills header, `active` and `chunk_sequence`."""
    return interfaces.Skill(
        id=identifier, kind=skill.kind, target=skill.target, support=skill.support or "", prompt=skill.prompt,
        index=index, total=total, plan_id=plan_id, chunk_sequence=-1,
    )  # fmt: skip


def skill_from_message(message: interfaces.Skill) -> Skill:
    """Message -> Skill."""
    return Skill(message.kind, message.target, message.support or None)


def error_code(name: str) -> int:
    """Name of an ExecuteInstruction error ("UNKNOWN_OBJECT") -> its number; ConversionError when there is none."""
    value = getattr(ExecuteInstruction.Result, name, None)
    if not isinstance(value, int):
        raise ConversionError(f"ExecuteInstruction has no error code named {name!r}")
    return value


def error_name(code: int) -> str:
    """Number of an ExecuteInstruction error -> its name; "ERROR_<number>" when this version does not know it."""
    for name in ERROR_NAMES:
        if getattr(ExecuteInstruction.Result, name) == code:
            return name
    return f"ERROR_{code}"


ERROR_NAMES = (
    "NONE", "EMPTY_INSTRUCTION", "INSTRUCTION_TOO_LONG", "UNKNOWN_OBJECT", "UNKNOWN_SKILL", "AMBIGUOUS",
    "TOO_MANY_SKILLS", "SKILL_TIMEOUT", "CANCELED", "PREEMPTED", "BUSY", "LOW_ALIGNMENT", "POLICY_UNAVAILABLE",
    "STALE_OBSERVATION", "ARM_FAULT", "INTERNAL",
)  # fmt: skip


def value_names(dimensions: Sequence[Any]) -> tuple[str, ...]:
    """Contract dimensions -> "<dimension>.<index>" of every value, in order."""
    return tuple(f"{dimension.name}.{index}" for dimension in dimensions for index in range(dimension.size))
