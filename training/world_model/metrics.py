"""How close one video is to another: PSNR, SSIM, and a Frechet distance in a feature space that is named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from training.world_model.vae import VideoVae

Floats = NDArray[np.float64]
FEATURES = "vae-first-latent-mean-std-per-half"
"""Mean and standard deviation over the left and the right half of the VAE's latent of a single frame: 64 numbers."""


def psnr(first: torch.Tensor, second: torch.Tensor) -> Floats:
    """Peak signal-to-noise ratio of uint8 [T, H, W, 3] frames -> dB [T]; equal frames count 60 dB."""
    square = (first.double() - second.double()).square().mean(dim=(1, 2, 3))
    return np.asarray((10.0 * torch.log10(255.0**2 / square.clamp(min=255.0**2 / 1e6))).numpy())


def ssim(first: torch.Tensor, second: torch.Tensor) -> Floats:
    """Structural similarity (Wang et al. 2004: Gaussian window 11, sigma 1.5) of uint8 [T, H, W, 3] frames -> [T]."""
    x, y = (frames.permute(0, 3, 1, 2).double() / 255.0 for frames in (first, second))
    offsets = torch.arange(11, dtype=torch.float64) - 5
    line = torch.exp(-offsets.square() / (2 * 1.5**2))
    window = torch.outer(line, line)
    window = (window / window.sum()).expand(3, 1, 11, 11)

    def local_mean(image: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(image, window, groups=3)

    mean_x, mean_y = local_mean(x), local_mean(y)
    variance_x, variance_y = local_mean(x * x) - mean_x**2, local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    bottom = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return np.asarray((top / bottom).mean(dim=(1, 2, 3)).numpy())


def features(vae: VideoVae, frames: torch.Tensor, batch: int = 32) -> Floats:
    """Frames uint8 [T, H, W, 3] -> [T, 64] in the space :data:`FEATURES`."""
    parts = []
    for part in frames.split(batch):
        latent = vae.encode(part[:, None])[:, :, 0]
        halves = latent.unflatten(-1, (2, -1)).permute(0, 1, 3, 2, 4).flatten(3)  # [B, C, 2, cells]
        parts.append(torch.cat([halves.mean(dim=-1), halves.std(dim=-1)], dim=1).flatten(1).cpu())
    return np.asarray(torch.cat(parts).double().numpy())


def frechet_distance(first: Floats, second: Floats) -> float:
    """Squared Frechet distance of Gaussians fitted to two sets of features [N, D], [M, D] (Heusel et al. 2017)."""
    if min(len(first), len(second)) < 2:
        return float("nan")
    difference = first.mean(axis=0) - second.mean(axis=0)
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    # tr sqrt(ab) = tr sqrt(sqrt(a) b sqrt(a)), whose argument is symmetric: safe with few samples.
    root = _root(a)
    cross = np.linalg.eigvalsh(root @ b @ root).clip(min=0.0)
    return float(difference @ difference + np.trace(a) + np.trace(b) - 2.0 * np.sqrt(cross).sum())


def bootstrap_mean(values: Floats, seed: int, draws: int = 2000) -> tuple[float, float, float]:
    """Mean of values [N] (one per episode) and its 95 % percentile bootstrap interval."""
    if len(values) == 0:
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def bootstrap_frechet_difference(
    truth: Sequence[Floats], first: Sequence[Floats], second: Sequence[Floats], seed: int, draws: int = 200
) -> tuple[float, float, float]:
    """Distance of ``second`` minus that of ``first`` to the truth, with an interval over episodes drawn for all three.

    Each argument: features [T_i, D] per episode, episode i the same in all.
    """
    rng = np.random.default_rng(seed)

    def difference(chosen: Sequence[int]) -> float:
        real = np.concatenate([truth[i] for i in chosen])
        distances = [frechet_distance(np.concatenate([made[i] for i in chosen]), real) for made in (first, second)]
        return distances[1] - distances[0]

    everything = difference(range(len(truth)))
    values = [difference(list(rng.integers(0, len(truth), len(truth)))) for _ in range(draws)]
    low, high = np.percentile(values, [2.5, 97.5])
    return everything, float(low), float(high)


def _root(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(values.clip(min=0.0))) @ vectors.T)
