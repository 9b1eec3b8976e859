"""The pixel formats that camera drivers send, as rgb."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from world2act_core.types import ImageArray


class EncodingError(ValueError):
    """Picture data that cannot be understood; the message names the encoding and both sizes."""


@dataclass(frozen=True)
class _Format:
    """How a pixel lies in memory: channels, and bytes of each. code: cv2's conversion to RGB, if it needs one."""

    channels: int
    code: int | None = None
    bytes: int = 1


# Bayer: OpenCV names a pattern by its second row and column, ROS by its first.
_FORMATS = {
    "rgb8": _Format(3),
    "bgr8": _Format(3, cv2.COLOR_BGR2RGB),
    "8UC3": _Format(3, cv2.COLOR_BGR2RGB),
    "rgba8": _Format(4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Format(4, cv2.COLOR_BGRA2RGB),
    "mono8": _Format(1, cv2.COLOR_GRAY2RGB),
    "8UC1": _Format(1, cv2.COLOR_GRAY2RGB),
    "mono16": _Format(1, cv2.COLOR_GRAY2RGB, 2),
    "yuv422": _Format(2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": _Format(2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": _Format(2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": _Format(2, cv2.COLOR_YUV2RGB_YUY2),
    "bayer_rggb8": _Format(1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": _Format(1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": _Format(1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": _Format(1, cv2.COLOR_BayerGB2RGB),
}
ENCODINGS = tuple(_FORMATS)
"""Encodings of sensor_msgs/Image that are understood."""


def rgb_from_raw(data: ImageArray, encoding: str, height: int, width: int, step: int, big_endian: bool) -> ImageArray:
    """Bytes of a picture, uint8 [step * height], as rgb uint8 [height, width, 3]; rgb8 without padding is a view.

    Raises EncodingError for an encoding that is not in ENCODINGS and for data that does not match the sizes.
    """
    if encoding not in _FORMATS:
        raise EncodingError(
            f"encoding '{encoding}' is not understood; set the driver to one of: {', '.join(ENCODINGS)}"
        )
    layout = _FORMATS[encoding]
    row = width * layout.channels * layout.bytes
    if height == 0 or width == 0 or step < row or data.size != step * height:
        raise EncodingError(
            f"{data.size} bytes do not make {height} rows of step {step} with {width} {encoding} pixels"
        )
    if encoding.startswith(("yuv", "uyvy", "yuyv")) and width % 2:
        raise EncodingError(f"{encoding} needs an even width, got {width}")
    rows = data.reshape(height, step)[:, :row]
    if layout.bytes == 2:
        rows = rows[:, 0 if big_endian else 1 :: 2]  # the upper byte is the picture in 8 bits
    pixels = rows.reshape(height, width, layout.channels)
    if layout.code is None:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, layout.code), dtype=np.uint8)


def rgb_from_compressed(data: ImageArray, description: str) -> ImageArray:
    """A JPEG or PNG file, uint8 [n], as rgb uint8 [H, W, 3]. Raises EncodingError when it is neither, or damaged."""
    # The orientation a phone writes into its files is not what a calibration was made with.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(data, flags) if data.size else None
    except cv2.error:  # sizes that no camera has
        image = None
    if image is None:
        raise EncodingError(f"{data.size} bytes of format '{description}' are no JPEG or PNG picture")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
