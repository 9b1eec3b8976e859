"""Figures of an evaluation: example strips (videos above each other, time to the right) and curves over the horizon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.common.disk import write_bytes_atomically

COLUMNS = 9
LABEL = 16  # pixels of the line above each row
ORDER = ("truth", "base", "skill", "vae")


def strip(videos: dict[str, NDArray[np.uint8]], title: str) -> NDArray[np.uint8]:
    """Videos uint8 [T, H, W, 3] by name -> one picture: a row per video, equally spaced frames from first to last."""
    length = len(videos["truth"])
    times = np.unique(np.linspace(0, length - 1, COLUMNS).round().astype(int))
    rows = []
    for name in (name for name in ORDER if name in videos):
        frames = np.concatenate([videos[name][t] for t in times], axis=1)
        head = np.full((LABEL, frames.shape[1], 3), 255, np.uint8)
        text = f"{name}: {title}" if name == "truth" else name
        cv2.putText(head, text, (2, LABEL - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
        rows += [head, frames]
    return np.concatenate(rows)


def write_strip(path: Path, videos: dict[str, NDArray[np.uint8]], title: str) -> None:
    """Write :func:`strip` as a PNG."""
    done, data = cv2.imencode(".png", strip(videos, title)[..., ::-1])
    assert done
    write_bytes_atomically(path, data.tobytes())


def write_curves(path: Path, report: dict[str, Any]) -> None:
    """PSNR, SSIM and Frechet distance over the horizon, one line per video."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.6))
    horizons = [entry["to"] for entry in report["horizons"]]
    for axis, metric in zip(axes, ("psnr", "ssim", "frechet")):
        for name in report["horizons"][0][metric]:
            values = [entry[metric][name] for entry in report["horizons"]]
            axis.plot(horizons, values, marker="o", label=name, linestyle="-" if name in ("base", "skill") else ":")
        axis.set_xlabel("frames up to")
        axis.set_title({"psnr": "PSNR (dB)", "ssim": "SSIM", "frechet": "Frechet distance, VAE features"}[metric])
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
