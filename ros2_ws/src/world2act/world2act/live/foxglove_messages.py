"""ROS messages -> Foxglove's own, and nothing else. Stamps are kept; every pose is in the robot's base frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from foxglove import messages as fox
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from sensor_msgs.msg import Image, JointState

from world2act.conversions import BASE_FRAME, ConversionError, chunk_from_message, image_from_message
from world2act_core.pose import apply_action
from world2act_core.types import EefPose
from world2act_interfaces.msg import ActionChunk

PATH_COLOUR = fox.Color(r=0.1, g=0.6, b=1.0, a=1.0)
PATH_THICKNESS_PX = 4.0
DOT_M = 0.006
DELTA_POSITION = ("delta_position.0", "delta_position.1", "delta_position.2")


def timestamp(stamp: Any) -> fox.Timestamp:
    """ROS time -> Foxglove time."""
    return fox.Timestamp(sec=stamp.sec, nsec=stamp.nanosec)


def transform(message: PoseStamped, child: str) -> fox.FrameTransforms:
    """A stamped pose -> the transform from the base frame to the frame `child`."""
    p, q = message.pose.position, message.pose.orientation
    one = fox.FrameTransform(
        timestamp=timestamp(message.header.stamp), parent_frame_id=BASE_FRAME, child_frame_id=child,
        translation=fox.Vector3(x=p.x, y=p.y, z=p.z), rotation=fox.Quaternion(x=q.x, y=q.y, z=q.z, w=q.w),
    )  # fmt: skip
    return fox.FrameTransforms(transforms=[one])


def joints(message: JointState) -> fox.JointStates:
    """JointState -> JointStates (rad, or m for fingers; per second)."""
    velocity = list(message.velocity) or [0.0] * len(message.name)
    states = [
        fox.JointState(name=name, position=position, velocity=speed)
        for name, position, speed in zip(message.name, message.position, velocity)
    ]
    return fox.JointStates(timestamp=timestamp(message.header.stamp), joints=states)


def picture(message: Image) -> fox.RawImage:
    """rgb8 or bgr8 Image -> RawImage (rgb8). Raises ConversionError."""
    pixels = image_from_message(message)
    height, width = pixels.shape[:2]
    return fox.RawImage(
        timestamp=timestamp(message.header.stamp), frame_id=message.header.frame_id, width=width, height=height,
        encoding="rgb8", step=3 * width, data=pixels.tobytes(),
    )  # fmt: skip


def chunk_path(message: ActionChunk, start: EefPose) -> NDArray[np.float64]:
    """Where a chunk of delta actions leads from `start`: positions [horizon + 1, 3] (m). Raises ConversionError."""
    if tuple(message.action_names[:3]) != DELTA_POSITION or message.action_size != 7:
        raise ConversionError(
            f"ActionChunk: a path can be drawn of position and rotation deltas with a gripper, not of "
            f"{', '.join(message.action_names)}"
        )
    here, positions = start, [start.position]
    for action in chunk_from_message(message).actions:
        here = apply_action(here, action).pose
        positions.append(here.position)
    return np.stack(positions)


def path_scene(message: ActionChunk, positions: NDArray[np.float64]) -> fox.SceneUpdate:
    """A line through positions [N, 3] (m) with a dot at each, which the path of the next chunk replaces."""
    points = [(float(x), float(y), float(z)) for x, y, z in positions]
    line = fox.LinePrimitive(
        type=fox.LinePrimitiveLineType.LineStrip, pose=_upright(0.0, 0.0, 0.0), thickness=PATH_THICKNESS_PX,
        scale_invariant=True, points=[fox.Point3(x=x, y=y, z=z) for x, y, z in points], color=PATH_COLOUR,
    )  # fmt: skip
    size = fox.Vector3(x=DOT_M, y=DOT_M, z=DOT_M)
    dots = [fox.SpherePrimitive(pose=_upright(*point), size=size, color=PATH_COLOUR) for point in points[1:]]
    entity = fox.SceneEntity(
        timestamp=timestamp(message.header.stamp), frame_id=BASE_FRAME, id="action_chunk", lines=[line], spheres=dots
    )
    return fox.SceneUpdate(entities=[entity])


def _upright(x: float, y: float, z: float) -> fox.Pose:
    return fox.Pose(position=fox.Vector3(x=x, y=y, z=z), orientation=fox.Quaternion(x=0.0, y=0.0, z=0.0, w=1.0))
