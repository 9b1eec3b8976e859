"""Where a VAE from scratch begins: nearly linear layers, and a linear code to imitate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from training.common.checkpoint import latest_checkpoint, read_tensors
from training.common.workers import Workers
from training.tests.synthetic import synthetic_dataset
from training.tests.synthetic_world_model import vae_config
from training.world_model.config import TINY
from training.world_model.linear_vae import PLAIN, fit_linear_vae
from training.world_model.picture_error import moving, visible_error
from training.world_model.train_vae import ClipBatch, train_vae, vae_loss
from training.world_model.vae import build_vae, to_pixels


def test_a_new_vae_looks_at_the_present_only_and_its_residual_blocks_do_nothing() -> None:
    assert TINY.vae is not None
    torch.manual_seed(0)
    model: Any = build_vae(TINY.vae).eval()
    video = torch.rand(1, 3, 9, 32, 32) * 2 - 1
    changed = video.clone()
    changed[:, :, 1:5] *= -1  # latent 1 of 0, 1, 2
    with torch.no_grad():
        before, after = (model.encode(v).latent_dist.mode() for v in (video, changed))
        block = model.encoder.mid_block.resnets[0]
        signal = torch.randn(1, block.norm1.norm.num_channels, 2, 4, 4)
        torch.testing.assert_close(block(signal), signal)
    torch.testing.assert_close(before[:, :, (0, 2)], after[:, :, (0, 2)], rtol=0, atol=1e-5)
    assert (before[:, :, 1] - after[:, :, 1]).abs().max() > 0.05
    assert 0.1 < before.std() < 3.0


def test_with_a_guide_the_decoder_reads_its_code_and_the_encoder_imitates_it(tmp_path: Path) -> None:
    assert TINY.vae is not None
    torch.manual_seed(0)
    model: Any = build_vae(TINY.vae)
    batch = ClipBatch(torch.randint(0, 256, (2, 5, 32, 64, 3), dtype=torch.uint8), torch.ones(2, 5, dtype=torch.bool))
    guide = fit_linear_vae(torch.rand(300, 3, 5, 8, 8) * 2 - 1, TINY.vae.latent_channels, PLAIN)
    config = vae_config(tmp_path, tmp_path, 1, latent_noise=0.0)
    parts = vae_loss(model, batch, config, torch.Generator(), Workers(0, 1, torch.device("cpu")), guide)
    pixels = to_pixels(batch.frames)
    with torch.no_grad():
        target = guide.encode(pixels).latent_dist.mode()
        wrong = (model.encode(pixels).latent_dist.mode() - target).square().mean()
        weight = 1.0 + config.motion_weight * moving(pixels)
        error = visible_error(model.decode(target).sample - pixels, config.fine_weight, config.colour_weight)
        error = (error * weight).sum() / weight.sum()
        size = model.encode(pixels).latent_dist.mode().square().mean()
    torch.testing.assert_close(parts["loss"].detach(), error + wrong + config.latent_penalty * size)


def test_a_run_that_is_cut_before_its_guided_steps_end_continues_as_if_it_never_was(tmp_path: Path) -> None:
    dataset = synthetic_dataset(tmp_path / "data", episodes=4, length=14)
    parts = tmp_path / "parts"
    for steps in (1, 3):
        train_vae(vae_config(dataset, parts, steps, linear_steps=2, cosine_tail=1e-6))
    train_vae(vae_config(dataset, tmp_path / "flat", 3, linear_steps=2, cosine_tail=1e-6))
    ours, theirs = (read_tensors(latest_checkpoint(tmp_path / name), "model") for name in ("parts", "flat"))
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=0, atol=0)
