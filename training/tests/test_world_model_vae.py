"""The real VAE classes: causal in time, timed as the alignment needs it, normalised, recognised by hash."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from training.common.errors import CheckpointError
from training.world_model.config import TINY
from training.world_model.diffusion import from_network, to_network
from training.world_model.linear_vae import Emphasis, fit_linear_vae
from training.world_model.train_vae import normalised
from training.world_model.vae import VideoVae, build_vae, describe_vae, to_frames, to_pixels, vae_from


def _cosmos() -> VideoVae:
    assert TINY.vae is not None
    torch.manual_seed(0)
    return VideoVae(build_vae(TINY.vae))


def _wan() -> VideoVae:
    from diffusers import AutoencoderKLWan

    torch.manual_seed(0)
    model = AutoencoderKLWan(
        base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    return VideoVae(model)


def _linear() -> VideoVae:
    clips = torch.randint(0, 256, (8, 13, 32, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    return normalised(fit_linear_vae(to_pixels(clips), 16, Emphasis()), clips)


@pytest.fixture(scope="module", params=["cosmos", "wan", "linear"])
def vae(request: pytest.FixtureRequest) -> VideoVae:
    return {"cosmos": _cosmos, "wan": _wan, "linear": _linear}[request.param]()


def _video(frames: int = 13) -> torch.Tensor:
    return torch.randint(0, 256, (1, frames, 32, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_shapes(vae: VideoVae) -> None:
    latents = vae.encode(_video())
    assert latents.shape == (1, 16, 4, 4, 8) and latents.dtype == torch.float32
    decoded = vae.decode(latents)
    assert decoded.shape == (1, 13, 32, 64, 3) and decoded.dtype == torch.uint8


@pytest.mark.parametrize("k", [0, 1, 2])
def test_frames_after_4k_do_not_reach_latents_up_to_k(vae: VideoVae, k: int) -> None:
    video = _video()
    changed = video.clone()
    changed[:, 4 * k + 1 :] = 255 - changed[:, 4 * k + 1 :]
    before, after = vae.encode(video), vae.encode(changed)
    torch.testing.assert_close(after[:, :, : k + 1], before[:, :, : k + 1], rtol=0, atol=1e-6)
    assert (after[:, :, k + 1] - before[:, :, k + 1]).abs().max() > 1e-4


def test_each_of_the_four_frames_of_a_latent_reaches_it(vae: VideoVae) -> None:
    video = _video()
    before = vae.encode(video)
    for frame in (5, 6, 7, 8):  # latent 2 covers frames 4 (2 - 1) + 1 .. 4 * 2
        changed = video.clone()
        changed[:, frame] = 255 - changed[:, frame]
        moved = (vae.encode(changed) - before).abs().amax(dim=(0, 1, 3, 4))
        assert moved[2] > 1e-4 and moved[:2].max() < 1e-6, frame


def test_the_first_latent_is_that_of_the_single_picture(vae: VideoVae) -> None:
    video = _video()
    torch.testing.assert_close(vae.encode(video[:, :1]), vae.encode(video)[:, :, :1], rtol=0, atol=1e-6)


def test_a_video_that_stands_still_is_zero_relative_to_its_first_latent() -> None:
    latents = _cosmos().encode(_video()[:, :1].repeat(1, 13, 1, 1, 1))
    relative = to_network(latents, 0.5)
    assert torch.equal(relative[:, :, 0], latents[:, :, 0])
    torch.testing.assert_close(relative[:, :, 1:], torch.zeros_like(relative[:, :, 1:]), rtol=0, atol=1e-5)
    torch.testing.assert_close(from_network(relative, 0.5), latents)
    assert to_network(latents, 0.0) is latents is from_network(latents, 0.0)
    stepping = torch.zeros(1, 1, 3, 1, 1) + torch.arange(3.0)[:, None, None]
    assert to_network(stepping + 7.0, 0.5).flatten().tolist() == [7.0, 2.0, 4.0]


def test_decoding_is_causal_too() -> None:
    vae = _cosmos()
    latents = vae.encode(_video())
    changed = latents.clone()
    changed[:, :, 2:] += 3.0
    before, after = vae.decode(latents), vae.decode(changed)
    assert torch.equal(before[:, :5], after[:, :5]) and not torch.equal(before[:, 5:], after[:, 5:])


def test_pixels_and_back() -> None:
    video = _video()
    assert torch.equal(to_frames(to_pixels(video)), video)
    assert to_pixels(video).abs().max() <= 1.0


def test_normalisation_is_undone_by_decoding_and_part_of_the_hash() -> None:
    plain, shifted = _cosmos(), _cosmos()
    assert plain.hash == shifted.hash
    model: Any = shifted.model
    model.register_to_config(latents_mean=[0.5] * 16, latents_std=[2.0] * 16)
    normalised = VideoVae(model)
    assert normalised.hash != plain.hash
    video = _video()
    torch.testing.assert_close(normalised.encode(video), (plain.encode(video) - 0.5) / 2.0)
    first, second = (vae.decode(vae.encode(video)).int() for vae in (normalised, plain))
    assert (first - second).abs().max() <= 1  # a rounding


def test_one_changed_weight_changes_the_hash() -> None:
    first, second = _cosmos(), _cosmos()
    with torch.no_grad():
        next(second.model.parameters()).view(-1)[0] += 1e-6
    assert first.hash != VideoVae(second.model).hash


def test_description_and_weights_give_the_same_vae() -> None:
    vae = _cosmos()
    again = vae_from(describe_vae(vae, TINY.vae, None), dict(vae.model.state_dict()))
    assert again.hash == vae.hash


def test_wrong_frames_and_statistics_are_refused() -> None:
    vae = _cosmos()
    with pytest.raises(ValueError, match=r"1 \+ 4 N"):
        vae.encode(_video(12))
    model: Any = vae.model
    model.register_to_config(latents_std=[0.0] * 16)
    with pytest.raises(CheckpointError, match="positive"):
        VideoVae(model)
