"""Projection against hand-computed points, and the calibration file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from world2act_core.calibration import CalibrationError, CameraCalibration, read_calibrations, write_calibrations

LOOKS_DOWN = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
"""Columns: right is +x, down is -y, forward is -z."""


def camera(frame: str = "base", **changes: object) -> CameraCalibration:
    values = {"frame": frame, "position": (0.0, 0.0, 2.0), "rotation": LOOKS_DOWN, "fx": 1.0, "fy": 2.0}
    return CameraCalibration.model_validate({**values, **changes})


def test_points_land_where_similar_triangles_say() -> None:
    points = np.array([[0.0, 0.0, 0.0], [0.5, 0.25, 0.0], [0.5, 0.25, 1.0]])
    seen = camera().project(points, np.zeros(3), np.eye(3))
    np.testing.assert_allclose(seen[0], [0.5, 0.5])
    np.testing.assert_allclose(seen[1], [0.5 + 0.5 / 2, 0.5 - 2 * 0.25 / 2])
    np.testing.assert_allclose(seen[2], [1.0, 0.0])  # at half the distance, twice as far from the middle


def test_what_cannot_be_seen_is_nan() -> None:
    points = np.array([[0.0, 0.0, 3.0], [5.0, 0.0, 0.0], [np.nan, 0.0, 0.0], [0.0, 0.0, 2.0]])
    assert np.isnan(camera().project(points, np.zeros(3), np.eye(3))).all()


def test_a_wrist_camera_moves_with_the_hand() -> None:
    # The hand is turned by 90 degrees about z: its x axis is the base's y axis.
    turned = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    hand = np.array([0.3, 0.1, 0.5])
    seen = camera("eef").project(hand + [0.0, 0.2, 0.0], hand, turned)
    np.testing.assert_allclose(seen, camera().project([0.2, 0.0, 0.0], np.zeros(3), np.eye(3)), atol=1e-12)


def test_the_file_reads_back(tmp_path: Path) -> None:
    cameras = {"scene": camera(), "wrist": camera("eef", cx=0.4)}
    write_calibrations(tmp_path / "cameras.json", cameras)
    assert read_calibrations(tmp_path / "cameras.json") == cameras
    assert read_calibrations(tmp_path / "none.json") == {}


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    path.write_text('{"scene": {"frame": "moon"}}')
    with pytest.raises(CalibrationError, match=r"cameras\.json.*(?s:.)*frame"):
        read_calibrations(path)
