"""Rectification against OpenCV's projection, and calibrations that cannot be used."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from world2act_core.cameras.lens import LensError, Rectifier, make_lens, read_lens

SIZE = (320, 240)
K = np.array([[210.0, 0, 163], [0, 205, 118], [0, 0, 1]])
P = np.array([[180.0, 0, 158, 0], [0, 182, 121, 0], [0, 0, 1, 0]])
COEFFICIENTS = {
    "plumb_bob": [-0.28, 0.09, 0.001, -0.0015, -0.01],
    "rational_polynomial": [0.9, -0.3, 0.0005, 0.0003, 0.02, 1.25, -0.1, 0.01],
    "equidistant": [0.05, -0.02, 0.01, -0.002],
}
POINTS = np.array([[x, y, 2.0] for x in (-1.0, -0.4, 0.3, 0.9) for y in (-0.7, 0.0, 0.6)])


def distorted_pixels(model: str) -> np.ndarray:
    """Where the lens shows POINTS [n, 2], by OpenCV's own projection."""
    points, zero = POINTS[:, None], np.zeros(3)
    d = np.array(COEFFICIENTS[model])
    project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    pixels = project(points, zero, zero, K, d)[0]
    return pixels.reshape(-1, 2)


def spot(pixel: np.ndarray) -> np.ndarray:
    """A picture with a soft white spot there."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    spot = 255 * np.exp(-((x - pixel[0]) ** 2 + (y - pixel[1]) ** 2) / (2 * 3.0**2))
    return np.repeat(spot.astype(np.uint8)[..., None], 3, axis=2)


def centre(image: np.ndarray) -> np.ndarray:
    """Centre of gravity of the brightness, [2]."""
    weight = image[..., 0].astype(float)
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("model", COEFFICIENTS)
def test_rectified_points_are_where_a_pinhole_camera_sees_them(model: str) -> None:
    lens = make_lens(SIZE, model, K.ravel(), COEFFICIENTS[model], np.eye(3).ravel(), P.ravel(), "test")
    rectifier = Rectifier(lens)
    expected = (POINTS @ P[:, :3].T)[:, :2] / POINTS[:, 2:]
    for seen, ideal in zip(distorted_pixels(model), expected, strict=True):
        image = spot(seen)
        assert np.linalg.norm(centre(rectifier.apply(image)) - ideal) < 0.35
    assert np.linalg.norm(distorted_pixels(model) - expected, axis=1).max() > 5, "the lens does distort"


def calibration(**changes: object) -> dict:
    """What camera_calibration writes."""
    data = {
        "image_width": 320, "image_height": 240, "camera_name": "wrist",
        "camera_matrix": {"rows": 3, "cols": 3, "data": K.ravel().tolist()},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": COEFFICIENTS["plumb_bob"]},
        "rectification_matrix": {"rows": 3, "cols": 3, "data": np.eye(3).ravel().tolist()},
        "projection_matrix": {"rows": 3, "cols": 4, "data": P.ravel().tolist()},
    }  # fmt: skip
    return {name: value for name, value in {**data, **changes}.items() if value is not None}


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "wrist.yaml"
    path.write_text(yaml.safe_dump(calibration()))
    lens = read_lens(path)
    assert lens.size == SIZE and lens.model == "plumb_bob"
    assert np.array_equal(lens.camera_matrix, K) and np.array_equal(lens.projection, P[:, :3])
    path.write_text(yaml.safe_dump(calibration(rectification_matrix=None, projection_matrix=None)))
    lens = read_lens(path)
    assert np.array_equal(lens.rectification, np.eye(3)) and np.array_equal(lens.projection, K)
    path.write_text(
        yaml.safe_dump(calibration(distortion_model="fisheye", distortion_coefficients={"data": [0.1] * 4}))
    )
    assert read_lens(path).model == "equidistant"


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"image_width": None}, "image_width: Field required"),
        ({"image_width": 0}, "0 x 240 pixels cannot be calibrated"),
        ({"image_width": "wide"}, "image_width: Input should be a valid integer"),
        ({"distortion_model": "thin_prism"}, "'thin_prism' is not known; use one of: plumb_bob"),
        ({"distortion_coefficients": {"data": [0.1]}}, "plumb_bob has 4 or 5 distortion coefficients, got 1"),
        ({"camera_matrix": {"data": [1.0] * 8}}, "camera matrix must be 9 finite numbers, got 8"),
        ({"camera_matrix": {"data": [0.0] * 9}}, "was never calibrated"),
        ({"camera_matrix": 3}, "camera_matrix: Input should be"),
        ({"projection_matrix": {"data": [float("nan")] * 12}}, "projection matrix must be 12 finite numbers"),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, changes: dict, wrong: str) -> None:
    path = tmp_path / "wrist.yaml"
    path.write_text(yaml.safe_dump(calibration(**changes)))
    with pytest.raises(LensError) as caught:
        read_lens(path)
    assert wrong in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "!!python/object:os.system {}"])
def test_a_file_that_is_no_calibration(tmp_path: Path, text: str) -> None:
    (tmp_path / "wrist.yaml").write_text(text)
    with pytest.raises(LensError, match="wrist.yaml"):
        read_lens(tmp_path / "wrist.yaml")
    with pytest.raises(LensError, match="cannot read calibration"):
        read_lens(tmp_path / "none.yaml")


def test_another_size_is_refused_with_both_named() -> None:
    rectifier = Rectifier(make_lens(SIZE, "plumb_bob", K.ravel(), [], np.zeros(9), np.zeros(12), "test"))
    with pytest.raises(LensError, match="pictures are 640 x 480, the calibration is for 320 x 240"):
        rectifier.apply(np.zeros((480, 640, 3), np.uint8))
