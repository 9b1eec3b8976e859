"""The wrapper of a transformer from scratch: exact where the answer is known, and usable wherever the bare one is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from training.world_model.config import TransformerShape
from training.world_model.diffusion import denoised, predict_velocity
from training.world_model.model import build_transformer
from training.world_model.scratch import ScratchTransformer

SHAPE = TransformerShape(heads=2, head_dim=16, layers=2, adaln_dim=8, text_dim=8, scratch=True)


class Answers(nn.Module):
    """A network that remembers what it was given and answers with a constant."""

    def __init__(self, answer: torch.Tensor) -> None:
        super().__init__()
        self.answer, self.seen = answer, torch.zeros(0)

    def forward(self, hidden_states: torch.Tensor, **others: Any) -> tuple[torch.Tensor]:
        self.seen = hidden_states
        return (self.answer,)


@pytest.mark.parametrize("sigma", [0.01, 1.0, 80.0])
def test_the_output_is_what_the_noised_latents_do_not_tell(sigma: float) -> None:
    """EDM with sigma_data 1: D = x / (sigma^2 + 1) + sigma / sqrt(sigma^2 + 1) F, where x = x0 + sigma n."""
    noisy, answer = torch.randn(2, 1, 4, 3, 2, 2, dtype=torch.float64)
    time = sigma / (1.0 + sigma)
    model = ScratchTransformer(Answers(answer))
    times = torch.full((1, 1, 3, 1, 1), time, dtype=torch.float64)
    (velocity,) = model(hidden_states=noisy * (1.0 - time), timestep=times)
    expected = noisy / (sigma**2 + 1) + sigma / (sigma**2 + 1) ** 0.5 * answer.float().double()
    # ``denoised`` takes x0 + sigma n and the velocity.
    torch.testing.assert_close(denoised(velocity, noisy, sigma), expected, rtol=1e-5, atol=1e-6)


def test_the_network_sees_the_first_latent_beside_every_one() -> None:
    noised, first = torch.randn(2, 4, 3, 2, 2), torch.randn(2, 4, 1, 2, 2)
    network = Answers(torch.zeros(2, 4, 3, 2, 2))
    predict_velocity(ScratchTransformer(network), noised, first, torch.tensor([0.25, 0.5]), torch.zeros(2, 5, 8), 10)
    assert network.seen.shape == (2, 8, 3, 2, 2)
    assert torch.equal(network.seen[:, 4:], first.expand(-1, -1, 3, -1, -1))
    assert torch.equal(network.seen[:, :4, 1:], noised[:, :, 1:]) and torch.equal(network.seen[:, :4, :1], first)


def test_before_training_it_is_the_best_guess_without_a_network() -> None:
    """At pure noise: all zeros as x0, whose loss is the latents' own variance and not that of the noise."""
    torch.manual_seed(0)
    model = build_transformer(SHAPE, 16)
    clean, noise = torch.randn(2, 3, 16, 3, 4, 8)
    time = 80.0 / 81.0
    noised = (1 - time) * clean + time * noise
    velocity = predict_velocity(model, noised, clean[:, :, :1], torch.full((3,), time), torch.zeros(3, 5, 8), 10)
    loss = float((velocity - (noise - clean))[:, :, 1:].square().mean().detach())
    assert loss == pytest.approx(float(clean[:, :, 1:].square().mean()), rel=0.03)


def test_it_can_be_checkpointed_and_sharded_as_the_bare_one() -> None:
    model: Any = build_transformer(SHAPE, 16)
    assert len(model.transformer_blocks) == SHAPE.layers and model.config.in_channels == 33
    model.enable_gradient_checkpointing()
    bare: Any = build_transformer(TransformerShape(heads=2, head_dim=16, layers=1, adaln_dim=8, text_dim=8), 16)
    assert bare.config.in_channels == 17 and not isinstance(bare, ScratchTransformer)
