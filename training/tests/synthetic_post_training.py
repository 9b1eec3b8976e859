"""Stand-ins for the frozen parts of post-training, small enough to reason about, and made-up rollouts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.common.checkpoint import save_checkpoint
from training.post_training.config import ResidualConfig
from training.post_training.imagine import ImagineConfig, imagine_states
from training.post_training.imagined import ImaginedCodes, ImaginedLatents
from training.post_training.initial_states import InitialState, StartsConfig
from training.post_training.residual import ResidualHead
from training.post_training.rollouts import Trajectory
from training.vla.config import TINY_MODEL
from training.vla.model import NanoVla
from training.vla.normalisation import Normalisation
from world2act_core.contract import Contract
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk, FloatArray, Observation

CODE, CHUNKS = 32, 3
CONTRACT = tabletop_contract(image_size=32)
STATES = tuple(InitialState("pick", "seen", 2_000_000 + i, ("pick up the can",)) for i in range(8))


class TinyActionAdapter(nn.Module):
    """Two linear layers there and two back; smooth, so that finite differences can check its gradients."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.chunk, self.code = 4, CODE
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = nn.Sequential(nn.Linear(28, 48), nn.Tanh(), nn.Linear(48, CODE))
            self.decoder = nn.Sequential(nn.Linear(CODE, 48), nn.Tanh(), nn.Linear(48, 28))

    def encode(self, actions: torch.Tensor) -> torch.Tensor:
        return self.encoder(actions.flatten(-2))

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        return self.decoder(codes).unflatten(-1, (4, 7))


class TinyVideoAdapter(nn.Module):
    """The mean of each latent's channels, spread over the code."""

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return latents[:, :, 1:].mean(dim=(-2, -1)).transpose(1, 2).repeat(1, 1, CODE // 16)


class TinyImagination:
    """Noise for latents; a "video" whose grey level follows from the latent's mean."""

    def __init__(self, name: str = "a", chunks: int = CHUNKS) -> None:
        self.sha256 = name * 64
        self.vae_sha256 = "0" * 64
        self.frames = 1 + 4 * chunks
        self.calls: list[list[list[str]]] = []

    def pack(self, images: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
        views = [images[name] for name in ("scene", "wrist")]
        factor = views[0].shape[-3] // 16
        return np.concatenate([view[..., ::factor, ::factor, :] for view in views], axis=-2)

    def unpack(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
        return {"scene": frames[..., :16, :], "wrist": frames[..., 16:, :]}

    def imagine(
        self, first: NDArray[np.uint8], prompts: Sequence[Sequence[str]], generator: torch.Generator
    ) -> list[torch.Tensor]:
        assert first.shape[1:] == (16, 32, 3) and len(first) == len(prompts)
        self.calls.append([list(texts) for texts in prompts])
        shape = (16, 1 + (self.frames - 1) // 4, 2, 4)
        return [torch.randn((len(texts), *shape), generator=generator) for texts in prompts]

    def encode(self, frames: NDArray[np.uint8]) -> torch.Tensor:
        """Every latent is the mean brightness of its frames."""
        grey = torch.from_numpy(frames).float().mean(dim=(2, 3, 4))  # [B, 1+4N]
        values = torch.cat([grey[:, :1], grey[:, 1:].unflatten(1, (-1, 4)).mean(dim=2)], dim=1)
        return values[:, None, :, None, None].expand(-1, 16, -1, 2, 4).clone()

    def decode(self, latents: torch.Tensor) -> NDArray[np.uint8]:
        grey = (latents.mean(dim=(1, 3, 4)) * 100 + 128).clamp(0, 255).to(torch.uint8)  # [B, 1+N]
        frames = torch.cat([grey[:, :1], grey[:, 1:].repeat_interleave(4, dim=1)], dim=1)
        return frames[..., None, None, None].expand(-1, -1, 16, 32, 3).contiguous().numpy()


class FixedPolicy:
    """A policy that is somebody else's: it answers with the same chunk, whatever it sees."""

    def __init__(self, actions: FloatArray, contract: Contract = CONTRACT) -> None:
        self.actions = actions
        self.contract = contract

    def act(
        self, observation: Observation, prompt: str, noise: FloatArray | None = None, skill_id: int = 0
    ) -> ActionChunk:
        return ActionChunk(1, observation.time_s, 0.1, self.actions, 0.0, 0.0, skill_id)


class FixedCollector:
    """Rollouts that do not depend on the weights; counts how often it was asked."""

    def __init__(self, trajectories: Sequence[Trajectory]) -> None:
        self.trajectories = list(trajectories)
        self.asked: list[list[int]] = []

    def collect(self, states: Sequence[int], weights: Mapping[str, torch.Tensor]) -> list[Trajectory]:
        self.asked.append(list(states))
        return [self.trajectories[n] for n in states]

    def close(self) -> None:
        """Nothing to free."""


def tiny_head(seed: int = 0, adapter: nn.Module | None = None, **changes: object) -> ResidualHead:
    """A residual head over the tiny adapter."""
    torch.manual_seed(seed)
    return ResidualHead(CONTRACT, adapter or TinyActionAdapter(), ResidualConfig(**changes))  # type: ignore[arg-type]


def stir(module: nn.Module, size: float, seed: int = 1) -> None:
    """Random weights everywhere, so that nothing is zero any more."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(size * torch.randn(parameter.shape, generator=generator))


def tiny_vla(seed: int = 0) -> NanoVla:
    """An untrained NanoVla for 32 pixel pictures."""
    torch.manual_seed(seed)
    return NanoVla(CONTRACT, TINY_MODEL, Normalisation(CONTRACT)).eval()


def some_inputs(count: int, seed: int = 0) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Pictures, states and base chunks [count, 8, 7] within the limits; some entries are -0.0 and some at a limit."""
    generator = torch.Generator().manual_seed(seed)
    images = {
        name: torch.randint(0, 256, (count, 32, 32, 3), generator=generator).to(torch.uint8)
        for name in ("scene", "wrist")
    }
    low, high = torch.from_numpy(CONTRACT.action_low), torch.from_numpy(CONTRACT.action_high)
    base = low + (high - low) * torch.rand((count, 8, 7), generator=generator)
    base[:, 0, 0] = -0.0
    base[:, :, 6] = torch.where(base[:, :, 6] > 0, 1.0, -1.0)
    return images, torch.randn((count, 10), generator=generator), base


def fixed_rollouts(count: int = 8, chunks: int = CHUNKS) -> list[Trajectory]:
    """One trajectory per state; trajectory 1 is one chunk shorter than what was imagined."""
    result = []
    for number in range(count):
        length = chunks - (number == 1)
        images, state, base = some_inputs(length, seed=100 + number)
        arrays = {name: value.numpy() for name, value in images.items()}
        prompts = ("pick up the can",) * length
        result.append(Trajectory(number, arrays, state.numpy(), base.numpy(), np.arange(length), prompts))
    return result


def imagined_codes(count: int = 8, chunks: int = CHUNKS, seed: int = 5) -> ImaginedCodes:
    """Random codes, one part per state."""
    generator = torch.Generator().manual_seed(seed)
    codes = tuple(torch.randn((1, chunks, CODE), generator=generator) for _ in range(count))
    return ImaginedCodes(STATES[:count], codes, whole_episode=False)


def tiny_vla_run(root: Path) -> Path:
    """A run of ``training vla`` with one checkpoint of :func:`tiny_vla`."""
    model = tiny_vla()
    tensors = {"model": dict(model.state_dict()), "average": dict(model.named_parameters())}
    config = {"model": dataclasses.asdict(TINY_MODEL), "cache": "no data", "batch": 1, "seed": 0}
    info = {"config": config, "contract": CONTRACT.to_text(), "history": ["made up"], "seconds": 0.0, "torch": ""}
    save_checkpoint(root, 1, tensors, json.loads(json.dumps(info)))
    return root


def imagined_run(root: Path, count: int = 8, **changes: object) -> ImaginedLatents:
    """Latents of the tiny imagination on disk."""
    settings: dict[str, object] = {"starts": StartsConfig(kinds=("pick", "composite")), "shard_size": 4, **changes}
    config = ImagineConfig(out=root, count=count, **settings)  # type: ignore[arg-type]
    return imagine_states(config, TinyImagination(), grey_pictures)


def grey_pictures(state: InitialState) -> dict[str, NDArray[np.uint8]]:
    """First pictures, grey by seed; every seed that ends in 5 is one that the simulator cannot make."""
    if state.seed % 10 == 5:
        return {}
    return {name: np.full((128, 128, 3), state.seed % 251, np.uint8) for name in ("scene", "wrist")}
