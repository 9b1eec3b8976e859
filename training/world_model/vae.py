"""The causal video VAE: uint8 frames to normalised latents and back, with the identity that caches are checked by."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.common.checkpoint import latest_checkpoint, read_info, read_tensors
from training.common.errors import CheckpointError
from training.common.holdout import holdout_of
from training.world_model.config import CHUNK, VaeShape
from training.world_model.linear_vae import LinearVae
from training.world_model.vae_start import start_linear

COSMOS_INDEX = "model_index.json"


def build_vae(shape: VaeShape) -> nn.Module:
    """An untrained AutoencoderKLCosmos: haar patches of 4 in space and time, one more halving in space; or a linear one
    that is not fitted yet."""
    if shape.linear:
        return LinearVae(shape.latent_channels)
    from diffusers import AutoencoderKLCosmos

    model: Any = AutoencoderKLCosmos(
        latent_channels=shape.latent_channels,
        encoder_block_out_channels=shape.encoder_channels,
        decode_block_out_channels=shape.decoder_channels,
        attention_resolutions=(),
        num_layers=shape.layers,
        patch_size=CHUNK,
        spatial_compression_ratio=8,
        temporal_compression_ratio=CHUNK,
        latents_mean=[0.0] * shape.latent_channels,
        latents_std=[1.0] * shape.latent_channels,
    )
    start_linear(model)
    return model


def to_pixels(frames: torch.Tensor) -> torch.Tensor:
    """uint8 [B, T, H, W, 3] -> float32 [B, 3, T, H, W] in [-1, 1]."""
    return frames.permute(0, 4, 1, 2, 3).float() / 127.5 - 1.0


def to_frames(pixels: torch.Tensor) -> torch.Tensor:
    """float [B, 3, T, H, W] in [-1, 1] -> uint8 [B, T, H, W, 3]."""
    scaled = (pixels.float().clamp(-1.0, 1.0) + 1.0) * 127.5
    return scaled.round().to(torch.uint8).permute(0, 2, 3, 4, 1)


class VideoVae:
    """A frozen VAE (AutoencoderKLCosmos, AutoencoderKLWan or LinearVae). Latents are normalised per channel."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model.eval().requires_grad_(False)
        config: Any = model.config
        mean, std = torch.tensor(config.latents_mean), torch.tensor(config.latents_std)
        if mean.ndim != 1 or mean.shape != std.shape or not bool((std > 0).all()):
            raise CheckpointError(
                f"the VAE's latents_mean {tuple(mean.shape)} and latents_std {tuple(std.shape)} "
                "must be one number per channel, the latter positive"
            )
        self._mean, self._std = mean.view(1, -1, 1, 1, 1), std.view(1, -1, 1, 1, 1)
        self._hash: str | None = None
        self.holdout_every: int | None = None
        """As it was trained with; None where that is not known."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def to(self, device: torch.device) -> VideoVae:
        """Move the weights; returns itself."""
        self.model.to(device)
        return self

    @torch.no_grad()
    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """uint8 [B, T, H, W, 3], T = 1 + 4 N -> float32 [B, C, 1 + N, H/8, W/8], zero mean and unit variance."""
        if frames.dtype != torch.uint8 or frames.ndim != 5 or frames.shape[1] % CHUNK != 1:
            raise ValueError(f"expected uint8 [B, 1 + 4 N, H, W, 3] frames, got {frames.dtype} {tuple(frames.shape)}")
        model: Any = self.model
        pixels = to_pixels(frames.to(self.device)).to(next(model.parameters()).dtype)
        raw = model.encode(pixels).latent_dist.mode().float()
        return (raw - self._mean.to(raw.device)) / self._std.to(raw.device)

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """float [B, C, 1 + N, h, w] normalised -> uint8 [B, 1 + 4 N, 8 h, 8 w, 3]."""
        model: Any = self.model
        latents = latents.to(self.device)
        raw = latents * self._std.to(latents.device) + self._mean.to(latents.device)
        return to_frames(model.decode(raw.to(next(model.parameters()).dtype)).sample)

    @property
    def hash(self) -> str:
        """SHA-256 over class, normalisation and every weight: latents of different VAEs never mix."""
        if self._hash is None:
            digest = hashlib.sha256(type(self.model).__name__.encode())
            digest.update(json.dumps([self._mean.flatten().tolist(), self._std.flatten().tolist()]).encode())
            for name, value in sorted(self.model.state_dict().items()):
                digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
                digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
            self._hash = digest.hexdigest()
        return self._hash


def is_cosmos_folder(folder: Path) -> bool:
    """Whether ``folder`` is a pipeline saved by diffusers (Cosmos-Predict2)."""
    return (folder / COSMOS_INDEX).exists()


def load_vae(folder: Path) -> VideoVae:
    """The VAE of a ``world-model-vae`` run, of a world model's checkpoint, or of a Cosmos-Predict2 folder."""
    if is_cosmos_folder(folder):
        from diffusers import AutoencoderKLWan

        return VideoVae(AutoencoderKLWan.from_pretrained(folder, subfolder="vae", torch_dtype=torch.float32))
    checkpoint = latest_checkpoint(folder)
    info = read_info(checkpoint)
    if "vae" not in info:
        raise CheckpointError(f"{checkpoint} is no checkpoint of world-model-vae or world-model (it names no VAE)")
    if info["vae"].get("cosmos"):
        return load_vae(Path(info["vae"]["cosmos"]))
    vae = vae_from(info["vae"], read_tensors(checkpoint, "vae"))
    vae.holdout_every = holdout_of(info)
    return vae


def vae_from(description: dict[str, Any], weights: dict[str, torch.Tensor]) -> VideoVae:
    """A VAE from what :func:`describe_vae` wrote and its weights."""
    shape = dict(description["shape"])
    for name in ("encoder_channels", "decoder_channels"):
        shape[name] = tuple(shape[name])
    model: Any = build_vae(VaeShape(**shape))
    model.register_to_config(latents_mean=description["latents_mean"], latents_std=description["latents_std"])
    model.load_state_dict(weights)
    return VideoVae(model)


def describe_vae(vae: VideoVae, shape: VaeShape | None, cosmos: Path | None) -> dict[str, Any]:
    """What a checkpoint says about its VAE; ``cosmos``: the folder it stays in, else its weights go along."""
    config: Any = vae.model.config
    description: dict[str, Any] = {"hash": vae.hash}
    if cosmos is not None:
        return {**description, "cosmos": str(cosmos)}
    assert shape is not None
    fields = {"shape": {**shape.__dict__}, "latents_mean": config.latents_mean, "latents_std": config.latents_std}
    return {**description, **fields}
