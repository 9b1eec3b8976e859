"""Where a VAE from scratch begins: as nearly linear a network as its layers allow.

PyTorch's own beginning suits it badly: each of its convolutions is one in space and one in time with nothing between
them, whose random products shrink the signal and smear it over time, and hundreds of steps go by before the code says
anything. Here a convolution in time passes on the present latent, a residual block is the identity, and what changes
the number of channels keeps lengths.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


@torch.no_grad()
def start_linear(model: nn.Module) -> None:
    """Set the weights of a diffusers AutoencoderKLCosmos."""
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            _pass_on(module)
    for module in model.modules():
        part: Any = module
        kind = type(module).__name__
        if kind == "CosmosResnetBlock3d":
            nn.init.zeros_(part.conv2.conv_s.weight)
        elif kind == "CosmosCausalAttention":
            nn.init.zeros_(part.to_out[0].weight)
    out: Any = model
    out.decoder.conv_out.conv_s.weight.mul_(0.1)  # a grey picture is a better beginning than a wild one


def _pass_on(layer: nn.Conv3d) -> None:
    """The present latent as it is, or a random rotation where a layer looks at neighbours or changes the channels."""
    in_space = layer.kernel_size[1] > 1 or layer.kernel_size[2] > 1
    nn.init.zeros_(layer.weight)
    present = layer.weight[:, :, -1]  # causal: the last of the kernel's times
    if not in_space and layer.in_channels == layer.out_channels:
        present.copy_(torch.eye(layer.in_channels)[..., None, None])
    else:
        nn.init.orthogonal_(present)
