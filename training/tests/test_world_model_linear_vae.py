"""The fitted VAE against plain algebra: components, regression, emphasis, and a run of the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.common.checkpoint import latest_checkpoint, read_info
from training.common.errors import TrainingError
from training.tests.synthetic import synthetic_dataset
from training.world_model.config import CONVOLUTIONAL, NANO, VaeShape, VaeTrainConfig
from training.world_model.linear_vae import BLOCK, PLAIN, Emphasis, blocks, fit_linear_vae, pixels_of
from training.world_model.train_vae import train_vae
from training.world_model.vae import describe_vae, load_vae, vae_from


def _pixels(clips: int, frames: int = 5) -> torch.Tensor:
    return torch.rand(clips, 3, frames, 16, 24, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_blocks_and_back() -> None:
    pixels = _pixels(2, 9)
    cut = blocks(pixels)
    assert cut.shape == (2, 3, 2, 3, BLOCK)
    assert torch.equal(pixels_of(cut), pixels)
    colours = cut[1, 2, 1, 2].reshape(3, 4, 8, 8)
    assert torch.equal(colours, pixels[1, :, 5:9, 8:16, 16:24])
    assert torch.equal(cut[0, 0, 0, 0].reshape(3, 4, 8, 8)[:, 1], pixels[0, :, 0, :8, :8])


def test_without_emphasis_it_is_the_truncated_svd() -> None:
    pixels = _pixels(60)
    vae = fit_linear_vae(pixels, 6, PLAIN)
    rows = blocks(pixels).flatten(0, -2).numpy().astype(np.float64)
    centred = rows - rows.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    best = centred @ directions[:6].T @ directions[:6] + rows.mean(axis=0)
    ours = blocks(vae.decode(vae.encode(pixels).latent_dist.mode()).sample).flatten(0, -2).numpy()
    # The first latent's four frames are one frame, so decoding must not be compared beyond it.
    first = np.arange(len(rows)).reshape(60, 2, -1)[:, 1].ravel()
    np.testing.assert_allclose(ours[first], best[first], atol=1e-3)
    codes = vae.encode(pixels).latent_dist.mode().transpose(0, 1).flatten(1)
    torch.testing.assert_close(codes @ codes.T / codes.shape[1], torch.eye(6), rtol=0, atol=1e-3)


def test_a_small_coloured_thing_survives_stronger_speckles_only_with_emphasis() -> None:
    generator = torch.Generator().manual_seed(0)
    speckles = torch.randn(200, 1, 5, 16, 16, generator=generator).expand(-1, 3, -1, -1, -1) * 0.3
    red = torch.rand(200, 1, 1, 2, 2, generator=generator).repeat_interleave(8, 3).repeat_interleave(8, 4)
    pixels = speckles.clone()
    pixels[:, 0] += 0.1 * red[:, 0]
    errors = {}
    for name, emphasis in (("plain", PLAIN), ("emphasis", Emphasis())):
        vae = fit_linear_vae(pixels, 4, emphasis)
        back = vae.decode(vae.encode(pixels).latent_dist.mode()).sample
        shade, wanted = back[:, 0] - back.mean(dim=1), pixels[:, 0] - pixels.mean(dim=1)
        errors[name] = float((shade - wanted).abs().mean() / (wanted - wanted.mean()).abs().mean())
    assert errors["emphasis"] < 0.3 < 0.6 < errors["plain"]


def test_the_nano_preset_fits_one_and_says_how_good_it_is(tmp_path: Path) -> None:
    dataset = synthetic_dataset(tmp_path / "data", episodes=4, length=14)
    config = VaeTrainConfig(dataset=dataset, out=tmp_path / "vae", fit_clips=8, frames=5, holdout_every=3, threads=1)
    folder = train_vae(config)
    assert folder == latest_checkpoint(tmp_path / "vae") and read_info(folder)["held_out_psnr"] > 10.0
    vae = load_vae(tmp_path / "vae")
    train_vae(
        VaeTrainConfig(dataset=dataset, out=tmp_path / "again", fit_clips=8, frames=5, holdout_every=3, threads=1)
    )
    assert load_vae(tmp_path / "again").hash == vae.hash
    assert NANO.vae is not None
    weights = dict(vae.model.state_dict())
    assert vae_from(describe_vae(vae, NANO.vae, None), weights).hash == vae.hash


def test_a_convolutional_one_is_trained_when_asked_for(tmp_path: Path) -> None:
    dataset = synthetic_dataset(tmp_path / "data", episodes=3, length=8)
    config = VaeTrainConfig(
        dataset=dataset, out=tmp_path / "vae", kind="convolutional", steps=1, batch=1, frames=5, holdout_every=3,
        threads=1, bf16=False,
    )  # fmt: skip
    train_vae(config)
    assert read_info(latest_checkpoint(tmp_path / "vae"))["vae"]["shape"]["encoder_channels"] == list(
        CONVOLUTIONAL.encoder_channels
    )
    assert VaeShape().linear and not CONVOLUTIONAL.linear


def test_the_2b_preset_has_nothing_to_fit(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="takes its VAE from the Cosmos-Predict2 folder"):
        train_vae(VaeTrainConfig(preset="cosmos-predict2-2b", out=tmp_path))
