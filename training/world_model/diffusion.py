"""Noise, preconditioning and sampling as Cosmos-Predict2 Video2World has them, for latents whose first frame is given.

Sizes: B clips, C channels, L = 1 + N latent frames, h x w. With noise level sigma (EDM's) and t = sigma / (1 + sigma)
the network sees (1 - t) x0 + t noise, and what it predicts is the rectified-flow velocity ``noise - x0``; EDM's loss
weight (1 + sigma)^2 / sigma^2 on the denoised latents is a plain mean square on that velocity. The condition: latent 0
is given without noise, at time ``CONDITION_TIME``, and marked in an additional input channel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from training.common.errors import TrainingError
from training.world_model.config import CHUNK, NoiseConfig

SIGMA_MIN, SIGMA_MAX, RHO = 0.002, 80.0, 7.0
CONDITION_SIGMA = 1e-4
CONDITION_TIME = CONDITION_SIGMA / (1.0 + CONDITION_SIGMA)


def draw_sigmas(count: int, latents: int, config: NoiseConfig, generator: torch.Generator) -> torch.Tensor:
    """Noise levels [count] for clips of ``latents`` latent frames, in (0, SIGMA_MAX]."""
    normal = torch.randn(count, generator=generator)
    uniform = torch.rand(count, generator=generator)
    high = torch.rand(count, generator=generator) < config.high_share
    usual = (config.log_mean + config.log_std * normal).exp()
    if config.scale_with_length:
        usual = usual * math.sqrt(latents)
    low, top = math.log(config.high_from), math.log(SIGMA_MAX)
    return torch.where(high, (low + (top - low) * uniform).exp(), usual).clamp(max=SIGMA_MAX)


def first_only(latents: torch.Tensor) -> torch.Tensor:
    """Indicator [1, 1, L, 1, 1] of the latent frames that are given: the first."""
    indicator = latents.new_zeros(1, 1, latents.shape[2], 1, 1)
    indicator[:, :, 0] = 1.0
    return indicator


Spread = float | tuple[tuple[float, ...], ...]
"""Standard deviation of latents about the first one: one number, or one per cell [h][w]. 0: latents as they are."""


def to_network(latents: torch.Tensor, spread: Spread) -> torch.Tensor:
    """What is noised and predicted: latents [B, C, L, h, w], or those after the first as differences to it.

    spread: what these differences are divided by, so that sigma_data is about 1.
    """
    if spread == 0.0:
        return latents
    scale = torch.as_tensor(spread, dtype=latents.dtype, device=latents.device)
    return torch.cat([latents[:, :, :1], (latents[:, :, 1:] - latents[:, :, :1]) / scale], dim=2)


def from_network(values: torch.Tensor, spread: Spread) -> torch.Tensor:
    """The inverse of :func:`to_network`."""
    if spread == 0.0:
        return values
    scale = torch.as_tensor(spread, dtype=values.dtype, device=values.device)
    return torch.cat([values[:, :, :1], values[:, :, 1:] * scale + values[:, :, :1]], dim=2)


def predict_velocity(
    transformer: nn.Module | Callable[..., Any],
    noised: torch.Tensor,
    first: torch.Tensor,
    time: torch.Tensor,
    text: torch.Tensor,
    fps: int,
) -> torch.Tensor:
    """Run the transformer once; returns velocity float32 [B, C, L, h, w].

    noised: (1 - t) x0 + t noise [B, C, L, h, w]; first: clean latent 0 [B, C, 1, h, w]; time: t [B] in (0, 1);
    text: [B, S, D]; fps: frames per second of the video (it scales the time positions).
    """
    given = first_only(noised)
    mask = given.expand(noised.shape[0], 1, -1, *noised.shape[3:])
    times = given * CONDITION_TIME + (1.0 - given) * time.view(-1, 1, 1, 1, 1)
    padding = noised.new_zeros(1, 1, *noised.shape[3:])
    output = transformer(
        hidden_states=given * first + (1.0 - given) * noised,
        timestep=times,
        encoder_hidden_states=text,
        fps=fps,
        condition_mask=mask,
        padding_mask=padding,
        return_dict=False,
    )
    return output[0].float()


def denoised(velocity: torch.Tensor, noisy: torch.Tensor, sigma: float) -> torch.Tensor:
    """The clean latents implied by a velocity at ``noisy`` = x0 + sigma noise: c_skip noisy + c_out velocity."""
    time = sigma / (1.0 + sigma)
    return (1.0 - time) * noisy - time * velocity


def latent_weights(frames_valid: torch.Tensor, hold_weight: float) -> torch.Tensor:
    """frames_valid bool [B, 1 + 4 N] -> float [B, 1, 1 + N, 1, 1]: what each latent counts in the loss.

    Latent 0 is given and counts nothing; latent k counts 1 when all of its frames 4 (k - 1) + 1 .. 4 k are of the clip,
    else ``hold_weight``.
    """
    whole = frames_valid[:, 1:].unflatten(1, (-1, CHUNK)).all(dim=-1)
    weights = torch.where(whole, 1.0, hold_weight)
    weights = torch.cat([torch.zeros_like(weights[:, :1]), weights], dim=1)
    return weights[:, None, :, None, None]


def weighted_square(prediction: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum over clips and latent frames of weight times mean square over channels and cells; a scalar."""
    return ((prediction - target).square().mean(dim=(1, 3, 4), keepdim=True) * weights).sum()


def karras_sigmas(steps: int) -> list[float]:
    """Noise levels from SIGMA_MAX down to SIGMA_MIN, spaced as Karras et al. 2022, equation 5; TrainingError for
    fewer than two."""
    if steps < 2:
        raise TrainingError(f"at least two denoising steps are needed (0: the world model's own number), got {steps}")
    top, bottom = SIGMA_MAX ** (1 / RHO), SIGMA_MIN ** (1 / RHO)
    return [(top + i / (steps - 1) * (bottom - top)) ** RHO for i in range(steps)]


def sample(
    velocity: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    first: torch.Tensor,
    noise: torch.Tensor,
    steps: int,
) -> torch.Tensor:
    """Euler steps from pure noise [B, C, L, h, w] to latents whose first frame is exactly ``first`` [B, C, 1, h, w].

    velocity(scaled [B, C, L, h, w], t [B]) is the network. The steps equal those of Cosmos2VideoToWorldPipeline with
    ``num_inference_steps=steps`` (whose last one has length zero and is not computed here).
    """
    sigmas = karras_sigmas(steps)
    given = first_only(noise)
    latents = noise * sigmas[0]
    for now, following in zip(sigmas, sigmas[1:]):
        time = now / (1.0 + now)
        predicted = velocity(latents * (1.0 - time), latents.new_full((len(latents),), time))
        clean = given * first + (1.0 - given) * denoised(predicted, latents, now)
        latents = latents + (following - now) * (latents - clean) / now
    return given * first + (1.0 - given) * latents
