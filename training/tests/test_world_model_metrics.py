"""Metrics against closed forms and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.world_model.config import TINY
from training.world_model.metrics import (
    bootstrap_frechet_difference,
    bootstrap_mean,
    features,
    frechet_distance,
    psnr,
    ssim,
)
from training.world_model.strips import LABEL, strip
from training.world_model.vae import VideoVae, build_vae

RNG = np.random.default_rng(0)


def _frames(count: int = 2, size: int = 24) -> torch.Tensor:
    return torch.from_numpy(RNG.integers(0, 256, (count, size, size, 3)).astype(np.uint8))


def test_psnr_of_a_constant_difference() -> None:
    first = torch.full((2, 8, 8, 3), 100, dtype=torch.uint8)
    second = first.clone()
    second[1] += 10
    np.testing.assert_allclose(psnr(first, second), [60.0, 20 * np.log10(255 / 10)])


def test_ssim_against_a_plain_loop() -> None:
    first = _frames()
    noise = torch.from_numpy(RNG.integers(-30, 31, tuple(first.shape)))
    second = (first.int() + noise).clamp(0, 255).to(torch.uint8)
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / np.outer(line, line).sum()
    expected = []
    for a, b in zip(first.numpy() / 255.0, second.numpy() / 255.0):
        values = []
        for y in range(24 - 10):
            for x in range(24 - 10):
                for channel in range(3):
                    p, q = a[y : y + 11, x : x + 11, channel], b[y : y + 11, x : x + 11, channel]
                    mp, mq = (window * p).sum(), (window * q).sum()
                    vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
                    covariance = (window * (p - mp) * (q - mq)).sum()
                    top = (2 * mp * mq + 0.0001) * (2 * covariance + 0.0009)
                    values.append(top / ((mp**2 + mq**2 + 0.0001) * (vp + vq + 0.0009)))
        expected.append(np.mean(values))
    np.testing.assert_allclose(ssim(first, second), expected, rtol=1e-9)
    np.testing.assert_allclose(ssim(first, first), 1.0)


def test_frechet_distance_of_known_gaussians() -> None:
    """Diagonal Gaussians: squared distance of the means plus that of the standard deviations."""
    samples = RNG.standard_normal((200, 3))
    samples = (samples - samples.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(samples, rowvar=False))).T
    first, second = samples * [1.0, 2.0, 3.0], samples * [2.0, 2.0, 1.0] + [0.0, 5.0, 0.0]
    assert frechet_distance(first, second) == pytest.approx(25.0 + 1.0 + 0.0 + 4.0)
    assert frechet_distance(first, first) == pytest.approx(0.0, abs=1e-9)
    assert np.isnan(frechet_distance(first[:1], second))


def test_bootstrap_covers_the_mean_and_keeps_pairs_together() -> None:
    mean, low, high = bootstrap_mean(np.array([1.0, 2.0, 3.0, 4.0]), seed=0)
    assert mean == 2.5 and 1.0 <= low < mean < high <= 4.0
    truth = [RNG.standard_normal((20, 2)) for _ in range(6)]
    near, far = [part + 0.1 for part in truth], [part + 1.0 for part in truth]
    estimate, low, high = bootstrap_frechet_difference(truth, near, far, seed=0, draws=50)
    assert estimate == pytest.approx(2 * 1.0 - 2 * 0.01)
    # The shift is the same in every episode, so drawing the same episodes for all three leaves no spread at all.
    assert low == pytest.approx(estimate) and high == pytest.approx(estimate)


def test_features_are_per_frame_and_per_half() -> None:
    assert TINY.vae is not None
    torch.manual_seed(0)
    vae = VideoVae(build_vae(TINY.vae))
    frames = torch.randint(0, 256, (5, 32, 64, 3), dtype=torch.uint8)
    made = features(vae, frames, batch=2)
    assert made.shape == (5, 64)
    np.testing.assert_allclose(features(vae, frames[3:4])[0], made[3], rtol=1e-4, atol=1e-6)
    latent = vae.encode(frames[:1, None])[0, :, 0]
    np.testing.assert_allclose(made[0].reshape(32, 2)[:16, 0], latent[..., :4].mean(dim=(1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(made[0].reshape(32, 2)[16:, 1], latent[..., 4:].flatten(1).std(dim=1), rtol=1e-4)


def test_a_strip_has_a_row_per_video_and_starts_with_the_first_frame() -> None:
    videos = {name: _frames(20) for name in ("truth", "base", "skill")}
    picture = strip({name: video.numpy() for name, video in videos.items()}, "pick up the cube")
    assert picture.shape == (3 * (24 + LABEL), 9 * 24, 3)
    assert (picture[LABEL : LABEL + 24, :24] == videos["truth"][0].numpy()).all()
    assert (picture[-24:, -24:] == videos["skill"][-1].numpy()).all()
