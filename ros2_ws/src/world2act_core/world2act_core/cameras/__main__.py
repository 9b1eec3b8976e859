"""`python -m world2act_core.cameras` prints what looking at one 640 x 480 picture costs on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from world2act_core.cameras.encodings import rgb_from_compressed, rgb_from_raw
from world2act_core.cameras.health import CameraHealth, HealthLimits
from world2act_core.cameras.lens import Rectifier, make_lens
from world2act_core.types import ImageArray

ROUNDS = 300
K = (500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0)


def _median_ms(work: Callable[[int], object]) -> float:
    times = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - began)
    return float(np.median(times)) * 1e3


def main() -> None:
    """Measure with noise (pictures differ) and without (every pixel is compared)."""
    noisy: list[ImageArray] = [np.random.default_rng(seed).integers(0, 256, (480, 640, 3), np.uint8) for seed in (0, 1)]
    same = [noisy[0], noisy[0].copy()]
    hand = np.zeros((1, 3))
    lens = make_lens((640, 480), "plumb_bob", K, (-0.3, 0.1, 0.001, 0.001, 0.0), np.zeros(9), np.zeros(12), "here")
    rectifier = Rectifier(lens)
    jpeg = cv2.imencode(".jpg", cv2.GaussianBlur(noisy[0], (0, 0), 3))[1].ravel()
    yuyv = noisy[0][..., :2].reshape(-1).copy()
    for name, pictures in (("check, pictures differ", noisy), ("check, pictures equal", same)):
        health = CameraHealth(HealthLimits())
        cost = _median_ms(lambda n, p=pictures, h=health: h.check(p[n % 2], n + 1, n + 1, hand))  # type: ignore[misc]
        print(f"{name}: {cost:.3f} ms")
    print(
        f"yuv422_yuy2 to rgb: {_median_ms(lambda _: rgb_from_raw(yuyv, 'yuv422_yuy2', 480, 640, 1280, False)):.3f} ms"
    )
    print(f"jpeg to rgb: {_median_ms(lambda _: rgb_from_compressed(jpeg, 'jpeg')):.3f} ms")
    print(f"rectify: {_median_ms(lambda _: rectifier.apply(noisy[0])):.3f} ms")


if __name__ == "__main__":
    main()
