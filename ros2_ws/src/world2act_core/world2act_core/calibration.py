"""Where a camera is and how it sees: pinhole calibrations, which project points of the robot's frame into pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from world2act_core.files import atomic_write_text

Vector3 = tuple[float, float, float]


class CalibrationError(ValueError):
    """A calibration file that cannot be read; the message says where."""


class CameraCalibration(BaseModel):
    """Pinhole calibration of one camera, independent of the picture's size in pixels.

    frame: what the camera is fixed to: the robot's `base` or its end-effector (`eef`). position: optical centre in that
    frame, metres. rotation: rows of the matrix whose columns are the camera's right, down and forward in that frame.
    fx, fy, cx, cy: focal lengths and principal point as fractions of the picture's width and height.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    frame: Literal["base", "eef"]
    position: Vector3
    rotation: tuple[Vector3, Vector3, Vector3]
    fx: Annotated[float, Field(gt=0)]
    fy: Annotated[float, Field(gt=0)]
    cx: float = 0.5
    cy: float = 0.5

    def project(self, points: ArrayLike, eef_position: ArrayLike, eef_rotation: ArrayLike) -> NDArray[np.float64]:
        """Where points are seen.

        Args:
            points: [..., 3] metres, base frame. eef_position: [..., 3] metres and eef_rotation: [..., 3, 3], the
                end-effector's pose in the base frame (unused when the camera is fixed to the base).

        Returns:
            [..., 2] fractions of width and height from the top left; NaN for points that are NaN, behind the camera or
            outside the picture.
        """
        local = np.asarray(points, np.float64)
        if self.frame == "eef":
            offset = local - np.asarray(eef_position, np.float64)
            local = np.einsum("...ji,...j->...i", np.asarray(eef_rotation, np.float64), offset)
        seen = (local - np.array(self.position)) @ np.array(self.rotation)
        with np.errstate(divide="ignore", invalid="ignore"):
            x = self.cx + self.fx * seen[..., 0] / seen[..., 2]
            y = self.cy + self.fy * seen[..., 1] / seen[..., 2]
            inside = (seen[..., 2] > 0) & (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
        return np.where(inside[..., None], np.stack([x, y], axis=-1), np.nan)


_FILE: TypeAdapter[dict[str, CameraCalibration]] = TypeAdapter(dict[str, CameraCalibration])


def write_calibrations(path: Path, cameras: dict[str, CameraCalibration]) -> None:
    """Write calibrations by camera name as JSON."""
    atomic_write_text(path, _FILE.dump_json(cameras, indent=2).decode() + "\n")


def read_calibrations(path: Path) -> dict[str, CameraCalibration]:
    """Calibrations by camera name; empty when the file does not exist. Raises CalibrationError when it is damaged."""
    if not path.exists():
        return {}
    try:
        return _FILE.validate_json(path.read_text())
    except ValidationError as error:
        raise CalibrationError(f"{path} holds no camera calibrations: {error}") from error
