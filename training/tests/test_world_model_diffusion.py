"""Noise, loss and sampling: against closed forms, and against diffusers' own Cosmos2VideoToWorldPipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from training.common.errors import TrainingError
from training.world_model.config import TINY, NoiseConfig
from training.world_model.diffusion import (
    CONDITION_TIME,
    SIGMA_MAX,
    SIGMA_MIN,
    denoised,
    draw_sigmas,
    karras_sigmas,
    latent_weights,
    predict_velocity,
    sample,
    weighted_square,
)
from training.world_model.model import build_transformer


def test_velocity_error_is_the_edm_loss() -> None:
    """EDM: (1 + sigma)^2 / sigma^2 times the square error of the denoised; here the square error of the velocity."""
    clean, noise, error = torch.randn(3, 2, 4, 3, 2, 2, dtype=torch.float64)
    for sigma in (0.01, 0.7, 50.0):
        noisy = clean + sigma * noise
        predicted = denoised(noise - clean + error, noisy, sigma)
        torch.testing.assert_close(denoised(noise - clean, noisy, sigma), clean)
        weighted = (1 + sigma) ** 2 / sigma**2 * (predicted - clean).square()
        torch.testing.assert_close(weighted, error.square())


def test_noise_levels_are_log_normal_with_a_high_tail() -> None:
    config = NoiseConfig(high_share=0.0, log_std=1.0)
    drawn = draw_sigmas(20000, 16, config, torch.Generator().manual_seed(0))
    assert drawn.log().mean() == pytest.approx(np.log(4.0), abs=0.03)  # square root of 16 latents
    assert drawn.log().std() == pytest.approx(1.0, abs=0.03) and drawn.max() <= SIGMA_MAX
    tail = draw_sigmas(20000, 16, NoiseConfig(high_share=1.0), torch.Generator().manual_seed(0))
    assert tail.min() >= 20.0 and tail.max() <= SIGMA_MAX


def test_weights_by_hand() -> None:
    valid = torch.zeros(2, 9, dtype=torch.bool)
    valid[0] = True  # both chunks whole
    valid[1, :8] = True  # the second chunk lacks its last frame
    assert latent_weights(valid, 0.0).flatten(1).tolist() == [[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]]
    assert latent_weights(valid, 0.25).flatten(1).tolist() == [[0.0, 1.0, 1.0], [0.0, 1.0, 0.25]]


def test_masked_loss_equals_the_loss_of_the_truncated_clips() -> None:
    prediction, target = torch.randn(2, 2, 4, 5, 2, 3, dtype=torch.float64)
    valid = torch.arange(17)[None] < torch.tensor([[17], [9]])
    loss = weighted_square(prediction, target, latent_weights(valid, 0.0).double())
    by_hand = sum(
        float((prediction[clip, :, k] - target[clip, :, k]).square().mean())
        for clip, last in ((0, 4), (1, 2))
        for k in range(1, last + 1)
    )
    assert float(loss) == pytest.approx(by_hand)
    target[1, :, 3:] += 100.0
    target[:, :, 0] -= 100.0
    assert float(weighted_square(prediction, target, latent_weights(valid, 0.0).double())) == pytest.approx(by_hand)


def test_karras_levels() -> None:
    sigmas = karras_sigmas(5)
    assert sigmas[0] == pytest.approx(SIGMA_MAX) and sigmas[-1] == pytest.approx(SIGMA_MIN)
    roots = np.array(sigmas) ** (1 / 7)
    np.testing.assert_allclose(np.diff(roots), np.diff(roots)[0])
    with pytest.raises(TrainingError, match="two denoising steps .* got 1"):
        karras_sigmas(1)


def test_a_perfect_network_leads_to_the_clean_latents() -> None:
    clean, noise = torch.randn(2, 2, 4, 3, 2, 2, dtype=torch.float64)

    def velocity(scaled: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        t = time.view(-1, 1, 1, 1, 1)
        return (scaled - (1 - t) * clean) / t - clean  # the noise that is in there, minus the clean latents

    result = sample(velocity, clean[:, :, :1], noise, steps=8)
    assert torch.equal(result[:, :, 0], clean[:, :, 0])
    torch.testing.assert_close(result, clean, rtol=0, atol=0.02)  # SIGMA_MIN of noise is left


def test_the_condition_is_marked_clean_and_at_its_own_time() -> None:
    seen: dict[str, Any] = {}

    def network(**arguments: Any) -> tuple[torch.Tensor]:
        seen.update(arguments)
        return (arguments["hidden_states"],)

    noised, first = torch.randn(2, 4, 3, 2, 2), torch.randn(2, 4, 1, 2, 2)
    predict_velocity(network, noised, first, torch.tensor([0.25, 0.5]), torch.zeros(2, 5, 8), 10)
    assert torch.equal(seen["hidden_states"][:, :, :1], first)
    assert torch.equal(seen["hidden_states"][:, :, 1:], noised[:, :, 1:])
    times = seen["timestep"][:, 0, :, 0, 0]
    torch.testing.assert_close(times, torch.tensor([[CONDITION_TIME, 0.25, 0.25], [CONDITION_TIME, 0.5, 0.5]]))
    assert (seen["condition_mask"][:, :, 0] == 1).all() and (seen["condition_mask"][:, :, 1:] == 0).all()
    assert seen["fps"] == 10


def test_sampling_equals_the_pipeline_of_diffusers() -> None:
    """Same transformer, same noise, same prompt embeddings, with guidance; only the exact first latent differs."""
    from diffusers import AutoencoderKLWan, Cosmos2VideoToWorldPipeline, FlowMatchEulerDiscreteScheduler

    assert TINY.transformer is not None
    torch.manual_seed(0)
    transformer: Any = build_transformer(TINY.transformer, 16)
    for parameter in transformer.parameters():  # also those that start at zero
        torch.nn.init.normal_(parameter, std=0.15)
    vae = AutoencoderKLWan(
        base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True],
        latents_mean=[0.0] * 16, latents_std=[1.0] * 16,
    )  # fmt: skip
    pipeline = Cosmos2VideoToWorldPipeline(
        text_encoder=None,
        tokenizer=None,
        transformer=transformer.eval(),
        vae=vae.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(use_karras_sigmas=True),
        safety_checker=_NoChecks(),
    )
    pipeline.set_progress_bar_config(disable=True)
    picture = torch.rand(1, 3, 32, 64)
    prompt, nothing, noise = torch.randn(1, 6, 384), torch.randn(1, 6, 384), torch.randn(1, 16, 3, 4, 8)
    expected = pipeline(
        image=picture,
        prompt_embeds=prompt,
        negative_prompt_embeds=nothing,
        height=32,
        width=64,
        num_frames=9,
        num_inference_steps=5,
        guidance_scale=3.0,
        fps=10,
        latents=noise.clone(),
        output_type="latent",
        generator=torch.Generator().manual_seed(3),
    ).frames
    with torch.no_grad():
        padded = (picture * 2 - 1).unsqueeze(2).repeat(1, 1, 9, 1, 1)
        first = vae.encode(padded).latent_dist.sample(torch.Generator().manual_seed(3))[:, :, :1]

        def velocity(scaled: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
            given, other = (predict_velocity(transformer, scaled, first, time, text, 10) for text in (prompt, nothing))
            return given + 3.0 * (given - other)

        result = sample(velocity, first, noise, steps=5)
    torch.testing.assert_close(result[:, :, 1:], expected[:, :, 1:], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(result[:, :, 0], expected[:, :, 0], rtol=0, atol=0.02)
    assert (expected[:, :, 1:] - noise[:, :, 1:]).abs().max() > 1.0


class _NoChecks:
    """Stands where the guardrail's weights would be needed."""

    def to(self, device: object) -> _NoChecks:
        return self
