"""What a video transformer needs that is trained from scratch in minutes, around diffusers' unchanged one.

Cosmos-Predict2's network predicts the velocity ``noise - x0`` itself. Near pure noise, where it is decided what will
happen, that is to copy the noise through the whole network, exactly, before anything is gained by knowing ``x0``: a
small model spends its first thousand steps on it. And what a pixel shows now has to be fetched by attention.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class ScratchTransformer(nn.Module):
    """A CosmosTransformer3DModel of 2 C + 1 input channels, called as one of C + 1.

    The network sees the first latent beside every later one, and what it predicts is the part of ``x0`` that cannot be
    told from the noised latents alone (Karras et al. 2022, section 5, with sigma_data 1): with time t, d = (1 - t)^2 +
    t^2 and its output F, the velocity is ``((2 t - 1) / d) x_t - F / sqrt(d)``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @property
    def config(self) -> Any:
        """Of the network inside."""
        return self.network.config

    @property
    def transformer_blocks(self) -> Any:
        """Of the network inside, for sharding."""
        return self.network.transformer_blocks

    def enable_gradient_checkpointing(self) -> None:
        """Of the network inside."""
        network: Any = self.network
        network.enable_gradient_checkpointing()

    def forward(self, hidden_states: torch.Tensor, timestep: torch.Tensor, **others: Any) -> tuple[torch.Tensor]:
        """hidden_states [B, C, L, h, w], latent 0 clean; timestep [B, 1, L, 1, 1] -> velocity, the same shape.

        others: as the network takes them, with ``return_dict=False``.
        """
        first = hidden_states[:, :, :1].expand_as(hidden_states)
        output = self.network(hidden_states=torch.cat([hidden_states, first], dim=1), timestep=timestep, **others)[0]
        power = (1.0 - timestep) ** 2 + timestep**2
        return (((2.0 * timestep - 1.0) / power) * hidden_states - output.float() * power.rsqrt(),)
