"""The one image preprocessing outside the network: crop, then resize to the contract's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from world2act_core.types import ImageArray, Observation

if TYPE_CHECKING:
    from world2act_core.contract import CameraSpec


def fit_image(image: ImageArray, spec: CameraSpec) -> ImageArray:
    """Crop `image` uint8 [H, W, 3] as the camera's spec says and resize it to uint8 [spec.height, spec.width, 3].

    Raises ValueError, naming the camera, when the array is not an 8-bit three-channel image.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"camera '{spec.name}': expected a uint8 [H, W, 3] image, got {image.dtype} {image.shape}")
    cropped = image if spec.crop is None else crop_image(image, spec.crop)
    if cropped.shape[:2] == (spec.height, spec.width):
        return np.ascontiguousarray(cropped)
    import cv2  # only when a resize is needed: importing it costs more than everything else here

    # INTER_AREA averages when shrinking, so that small objects do not vanish between sampled pixels.
    resized = cv2.resize(cropped, (spec.width, spec.height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.uint8)


def fit_images(observation: Observation, cameras: Sequence[CameraSpec]) -> dict[str, ImageArray]:
    """A graph's inputs: image_<camera> -> uint8 [1, h, w, 3]. Raises ValueError when a camera is missing or unfit."""
    missing = [camera.name for camera in cameras if camera.name not in observation.images]
    if missing:
        raise ValueError(f"observation lacks cameras {missing}; it has {sorted(observation.images)}")
    return {f"image_{camera.name}": fit_image(observation.images[camera.name], camera)[None] for camera in cameras}


def crop_image(image: ImageArray, crop: tuple[float, float, float, float]) -> ImageArray:
    """The part (x, y, width, height), fractions in [0, 1], of a picture [H, W, C]: a view of at least one pixel."""
    height, width = image.shape[:2]
    x, y, w, h = crop
    left, top = round(x * width), round(y * height)
    right, bottom = max(left + 1, round((x + w) * width)), max(top + 1, round((y + h) * height))
    return image[top:bottom, left:right]
