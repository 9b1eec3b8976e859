"""What a camera's driver says beside its pictures: here of a pinhole, as MuJoCo draws."""

from __future__ import annotations

import math

from sensor_msgs.msg import CameraInfo

from world2act.conversions import ns_to_stamp


def pinhole_info(field_of_view: float, size: int, stamp_ns: int, frame: str) -> CameraInfo:
    """CameraInfo of a square picture of `size` pixels without distortion. field_of_view: vertical [degrees]."""
    focal = 0.5 * size / math.tan(math.radians(field_of_view) / 2.0)
    middle = (size - 1) / 2.0
    message = CameraInfo(
        width=size, height=size, distortion_model="plumb_bob", d=[0.0] * 5,
        k=[focal, 0.0, middle, 0.0, focal, middle, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[focal, 0.0, middle, 0.0, 0.0, focal, middle, 0.0, 0.0, 0.0, 1.0, 0.0],
    )  # fmt: skip
    message.header.stamp = ns_to_stamp(stamp_ns)
    message.header.frame_id = frame
    return message
