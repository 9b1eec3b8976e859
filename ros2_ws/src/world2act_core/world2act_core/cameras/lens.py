"""A camera's lens: intrinsics and distortion as ROS's camera_calibration finds them, and pictures without it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ValidationError

from world2act_core.contract import describe_validation_error
from world2act_core.types import ImageArray

FloatMatrix = NDArray[np.float64]
# model -> numbers of coefficients it may have (none at all: a lens without distortion)
MODELS = {"plumb_bob": (4, 5), "rational_polynomial": (8,), "equidistant": (4,)}
ALIASES = {"fisheye": "equidistant"}


class LensError(ValueError):
    """A calibration that cannot be used; the message says where it comes from and what is wrong."""


@dataclass(frozen=True, eq=False)
class Lens:
    """Intrinsic calibration for pictures of width x height pixels.

    camera_matrix: [3, 3] of the distorted picture. distortion: [n] coefficients of `model`. rectification: [3, 3]
    rotation (identity unless it is one of a stereo pair). projection: [3, 3] camera matrix of the rectified picture.
    """

    width: int
    height: int
    model: str
    camera_matrix: FloatMatrix
    distortion: FloatMatrix
    rectification: FloatMatrix
    projection: FloatMatrix

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height


def make_lens(
    size: tuple[int, int], model: str, k: ArrayLike, d: ArrayLike, r: ArrayLike, p: ArrayLike, source: str
) -> Lens:
    """A lens from the fields of a sensor_msgs/CameraInfo; r and p of zeros (not given) become identity and k.

    Raises LensError, naming `source`, for an unknown model, a wrong number of values and a camera without calibration.
    """
    name = ALIASES.get(model, model)
    if name not in MODELS:
        raise LensError(f"{source}: distortion model '{model}' is not known; use one of: {', '.join(MODELS)}")
    if min(size) <= 0:
        raise LensError(f"{source}: a picture of {size[0]} x {size[1]} pixels cannot be calibrated")
    camera_matrix = _matrix(k, 9, "camera matrix", source).reshape(3, 3)
    distortion = np.asarray(d, dtype=np.float64).ravel()
    if distortion.size not in (0, *MODELS[name]) or not np.isfinite(distortion).all():
        allowed = " or ".join(str(number) for number in MODELS[name])
        raise LensError(f"{source}: {name} has {allowed} distortion coefficients, got {distortion.size}")
    if camera_matrix[0, 0] <= 0 or camera_matrix[1, 1] <= 0:
        raise LensError(f"{source}: focal length is {camera_matrix[0, 0]:g}: this camera was never calibrated")
    rectification = _matrix(r, 9, "rectification matrix", source).reshape(3, 3)
    projection = _matrix(p, 12, "projection matrix", source).reshape(3, 4)[:, :3]
    return Lens(
        size[0], size[1], name, camera_matrix,
        distortion if distortion.size else np.zeros(MODELS[name][0]),
        rectification if rectification.any() else np.eye(3),
        projection if projection.any() else camera_matrix,
    )  # fmt: skip


def _matrix(values: ArrayLike, size: int, what: str, source: str) -> FloatMatrix:
    found = np.asarray(values, dtype=np.float64).ravel()
    if found.size != size or not np.isfinite(found).all():
        raise LensError(f"{source}: the {what} must be {size} finite numbers, got {found.size}")
    return found


class _Matrix(BaseModel):
    data: tuple[float, ...]


class _CalibrationFile(BaseModel):
    """The fields that are used of a file of camera_calibration; it has more."""

    image_width: int
    image_height: int
    distortion_model: str
    camera_matrix: _Matrix
    distortion_coefficients: _Matrix
    rectification_matrix: _Matrix = _Matrix(data=(0.0,) * 9)
    projection_matrix: _Matrix = _Matrix(data=(0.0,) * 12)


def read_lens(path: str | Path) -> Lens:
    """A lens from the YAML file that camera_calibration writes. Raises LensError naming the file and the field."""
    try:
        file = _CalibrationFile.model_validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LensError(f"cannot read calibration {path}: {error}") from error
    except ValidationError as error:
        raise LensError(f"calibration {path}: {describe_validation_error(error)}") from error
    return make_lens(
        (file.image_width, file.image_height), file.distortion_model, file.camera_matrix.data,
        file.distortion_coefficients.data, file.rectification_matrix.data, file.projection_matrix.data,
        f"calibration {path}",
    )  # fmt: skip


class Rectifier:
    """Takes the distortion out of pictures; where each pixel comes from is worked out once."""

    def __init__(self, lens: Lens) -> None:
        self.lens = lens
        init = cv2.fisheye.initUndistortRectifyMap if lens.model == "equidistant" else cv2.initUndistortRectifyMap
        # Fixed-point maps: half the memory, twice the speed, an error below 1/32 pixel.
        self._maps = init(
            lens.camera_matrix, lens.distortion, lens.rectification, lens.projection, lens.size, cv2.CV_16SC2
        )

    def apply(self, image: ImageArray) -> ImageArray:
        """The rectified picture, uint8 [H, W, 3] -> the same. Raises LensError when it is not of the lens's size."""
        check_size(self.lens, image)
        return np.asarray(cv2.remap(image, *self._maps, cv2.INTER_LINEAR), dtype=np.uint8)


def check_size(lens: Lens, image: ImageArray) -> None:
    """Raises LensError, naming both sizes, when the picture [H, W, 3] is not of the size the lens is calibrated for."""
    height, width = image.shape[:2]
    if (width, height) != lens.size:
        raise LensError(
            f"pictures are {width} x {height}, the calibration is for {lens.width} x {lens.height}: "
            "set the camera to that size, or calibrate it at this one"
        )
