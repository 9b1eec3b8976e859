"""How alike two pictures are (PSNR, SSIM), and a sheet that shows them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
LABEL_PX = 22


def psnr(a: Image, b: Image) -> float:
    """Peak signal-to-noise ratio [dB] of two uint8 pictures of one shape; infinity when they are equal."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else 10.0 * float(np.log10(255.0**2 / error))


def ssim(a: Image, b: Image) -> float:
    """Structural similarity of two RGB uint8 [H, W, 3] pictures, on luma: 1 when equal.

    Wang et al. 2004: Gaussian window 11x11 of deviation 1.5, K1 = 0.01, K2 = 0.03; the mean over windows inside.
    """
    x, y = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in (a, b))
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x, variance_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    )
    return float(similarity[5:-5, 5:-5].mean())


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    blurred: NDArray[np.float64] = cv2.GaussianBlur(image, (11, 11), 1.5)
    return blurred


def side_by_side(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Image]], zoom: int = 2) -> None:
    """Write a PNG with one row of pictures per entry of `rows` and a title above each column."""
    body = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    body = np.repeat(np.repeat(body, zoom, axis=0), zoom, axis=1)
    head = np.full((LABEL_PX, body.shape[1], 3), 255, np.uint8)
    width = body.shape[1] // len(columns)
    for i, title in enumerate(columns):
        cv2.putText(head, title, (i * width + 4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    sheet = np.concatenate([head, body], axis=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise OSError(f"cannot write {path}")
