"""Pixel formats of drivers, made by OpenCV the other way round."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
import pytest

from world2act_core.cameras.encodings import ENCODINGS, EncodingError, rgb_from_compressed, rgb_from_raw

HEIGHT, WIDTH = 24, 32
# Smooth, so that formats with one colour for two pixels lose little.
_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH]
RGB = np.stack([60 + 4 * _X, 40 + 5 * _Y, 200 - 2 * _X - 2 * _Y], axis=-1).astype(np.uint8)
GREY = np.repeat(RGB[..., :1], 3, axis=2)


def bayer(pattern: str) -> np.ndarray:
    """One channel per pixel: `pattern` names the colours of the first two rows' first two pixels."""
    mosaic = np.zeros((HEIGHT, WIDTH), np.uint8)
    for index, colour in enumerate(pattern):
        row, column = divmod(index, 2)
        mosaic[row::2, column::2] = RGB[row::2, column::2, "rgb".index(colour)]
    return mosaic


def yuv422(order: tuple[int, int, int, int]) -> np.ndarray:
    """Two pixels as four bytes, in the order of the indices into Y0, Y1, U, V (BT.601, 16 to 235)."""
    yuv = cv2.cvtColor(RGB, cv2.COLOR_RGB2YUV_I420)
    y = yuv[:HEIGHT]
    chroma = [plane.reshape(HEIGHT // 2, WIDTH // 2).repeat(2, axis=0) for plane in np.split(yuv[HEIGHT:].ravel(), 2)]
    return np.stack([(y[:, ::2], y[:, 1::2], *chroma)[index] for index in order], axis=-1)


ENCODED = {
    "rgb8": (RGB, RGB, 0),
    "bgr8": (RGB[..., ::-1], RGB, 0),
    "8UC3": (RGB[..., ::-1], RGB, 0),
    "rgba8": (cv2.cvtColor(RGB, cv2.COLOR_RGB2RGBA), RGB, 0),
    "bgra8": (cv2.cvtColor(RGB, cv2.COLOR_RGB2BGRA), RGB, 0),
    "mono8": (RGB[..., 0], GREY, 0),
    "8UC1": (RGB[..., 0], GREY, 0),
    "mono16": ((RGB[..., 0].astype("<u2") << 8) + 77, GREY, 0),
    "yuv422": (yuv422((2, 0, 3, 1)), RGB, 14),
    "uyvy": (yuv422((2, 0, 3, 1)), RGB, 14),
    "yuv422_yuy2": (yuv422((0, 2, 1, 3)), RGB, 14),
    "yuyv": (yuv422((0, 2, 1, 3)), RGB, 14),
    **{f"bayer_{pattern}8": (bayer(pattern), RGB, 8) for pattern in ("rggb", "bggr", "gbrg", "grbg")},
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("padding", [0, 5])
def test_becomes_rgb(encoding: str, padding: int) -> None:
    pixels, expected, tolerance = ENCODED[encoding]
    rows = np.frombuffer(np.ascontiguousarray(pixels).tobytes(), np.uint8).reshape(HEIGHT, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    found = rgb_from_raw(rows.ravel(), encoding, HEIGHT, WIDTH, rows.shape[1], False)
    assert found.dtype == np.uint8 and found.shape == (HEIGHT, WIDTH, 3)
    inner = np.s_[2:-2, 2:-2]  # demosaicing guesses at the border
    assert np.abs(found[inner].astype(int) - expected[inner]).max() <= tolerance


def test_sixteen_bits_in_the_other_order() -> None:
    pixels = (RGB[..., 0].astype(">u2") << 8) + 77
    data = np.frombuffer(pixels.astype(">u2").tobytes(), np.uint8)
    assert np.array_equal(rgb_from_raw(data, "mono16", HEIGHT, WIDTH, 2 * WIDTH, True), GREY)


@pytest.mark.parametrize(
    ("encoding", "height", "width", "step", "wrong"),
    [
        ("16UC1", 4, 4, 8, "'16UC1' is not understood; set the driver to one of: rgb8"),
        ("rgb8", 4, 4, 11, "32 bytes do not make 4 rows of step 11 with 4 rgb8 pixels"),
        ("mono8", 5, 8, 8, "32 bytes do not make 5 rows"),
        ("mono8", 0, 8, 8, "do not make 0 rows"),
        ("yuyv", 4, 3, 8, "needs an even width, got 3"),
    ],
)
def test_what_is_wrong_is_said(encoding: str, height: int, width: int, step: int, wrong: str) -> None:
    with pytest.raises(EncodingError, match=wrong):
        rgb_from_raw(np.zeros(32, np.uint8), encoding, height, width, step, False)


def test_compressed_pictures() -> None:
    bgr = cv2.cvtColor(RGB, cv2.COLOR_RGB2BGR)
    png, jpeg = (cv2.imencode(kind, bgr)[1].ravel() for kind in (".png", ".jpg"))
    assert np.array_equal(rgb_from_compressed(png, "png"), RGB)
    assert np.abs(rgb_from_compressed(jpeg, "jpeg").astype(int) - RGB).mean() < 4
    huge = png.copy()
    huge[16:24] = [0, 0, 255, 255] * 2  # width and height, more pixels than OpenCV accepts
    huge[29:33] = np.frombuffer(zlib.crc32(huge[12:29].tobytes()).to_bytes(4, "big"), np.uint8)
    for broken in (jpeg[:40], huge, np.zeros(9, np.uint8), np.zeros(0, np.uint8)):
        with pytest.raises(EncodingError, match=f"{broken.size} bytes of format 'jpeg' are no JPEG or PNG"):
            rgb_from_compressed(broken, "jpeg")
