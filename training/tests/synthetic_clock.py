"""A clip whose picture shows its own frame number, and whose action says it too: what catches a shift in time.

On disk (``clock_dataset``) the number is written into the pictures as bars; ``oracle_latents`` turns pictures into
latents as a causal VAE would, but without losing the number, and ``numbers_shown`` reads it back. In memory
(``clock_clips``) pictures and actions are random tables by frame number, quick to learn and impossible to guess.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import adaptive_avg_pool2d

from training.alignment.actions import EpisodeActions
from training.alignment.clips import MemoryClips, WindowInfo
from training.alignment.config import AlignConfig, ScheduleChanges
from training.data.episode import EpisodeBuffer, EpisodeInfo, SkillSegment
from training.data.lerobot_reader import LeRobotReader
from training.data.lerobot_writer import stage_episode
from training.data.pack import pack_dataset
from world2act_core.contract import Contract
from world2act_core.tabletop import tabletop_contract

CHUNK = 4
BITS = 8
SIZE = 64
NUMBER_UNIT = 1e-4  # metres of commanded motion per frame number


def clock_picture(number: int) -> NDArray[np.uint8]:
    """Eight bars, bright for the bits of the number that are set: uint8 [64, 64, 3]."""
    bars = np.array([235 if number >> bit & 1 else 20 for bit in range(BITS)], np.uint8)
    return np.repeat(np.broadcast_to(np.repeat(bars, SIZE // BITS), (SIZE, SIZE))[..., None], 3, axis=-1)


def clock_dataset(root: Path, lengths: tuple[int, ...]) -> Path:
    """A LeRobot dataset with one episode per length; action i of every episode says i, its picture shows i."""
    for seed, length in enumerate(lengths):
        buffer = EpisodeBuffer()
        for i in range(length):
            action = np.array([i * NUMBER_UNIT, 0, 0, 0, 0, 0, 1.0], np.float32)
            values = {
                "observation.state": np.zeros(10, np.float32), "observation.gripper": 0.0, "action": -action,
                "executed_action": action, "done": False, "skill_index": 0, "target_position": [0.0] * 3,
                "support_position": [np.nan] * 3,
            }  # fmt: skip
            picture = clock_picture(i)
            buffer.add({"scene": picture, "wrist": picture}, values)
        segment = SkillSegment("pick", "red cube", None, "pick up the red cube", 0, length, True)
        stage_episode(root, buffer, EpisodeInfo(seed, "pick", "seen", "watch the clock", True, (segment,)), 10)
    pack_dataset(root, 10)
    tabletop_contract(image_size=SIZE).to_yaml(root / "meta" / "contract.yaml")
    return root


def oracle_latents(frames: NDArray[np.uint8]) -> torch.Tensor:
    """uint8 [1 + 4 N, H, W, 3] -> [16, 1 + N, 8, 8]: channel c of latent k >= 1 is frame 4 (k - 1) + 1 + c made small.

    Latent 0 sees frame 0 alone, as a causal VAE does.
    """
    small = adaptive_avg_pool2d(torch.from_numpy(frames).float().mean(-1), BITS)
    grouped = torch.cat([small[:1].expand(CHUNK, -1, -1), small[1:]]).reshape(-1, CHUNK, BITS, BITS)
    return grouped.transpose(0, 1).repeat(4, 1, 1, 1)


def numbers_shown(latents: torch.Tensor) -> torch.Tensor:
    """Frame numbers in oracle latents [..., 16, K, 8, 8] -> int64 [..., K, 4]."""
    bits = (latents[..., :CHUNK, :, :, :].mean(-2) > 127.5).long()
    return (bits << torch.arange(BITS)).sum(-1).transpose(-1, -2)


def numbers_said(actions: torch.Tensor, contract: Contract) -> torch.Tensor:
    """Frame numbers in normalised actions [..., 4, 7] -> int64 [..., 4]."""
    return (actions[..., 0] * float(contract.action_high[0]) / NUMBER_UNIT).round().long()


def oracle_clips(root: Path, frames: int, starts: dict[int, tuple[int, ...]], shift: int = 0) -> MemoryClips:
    """Windows of a clock dataset at ``starts`` by episode; ``shift`` moves the pictures against what is claimed."""
    reader = LeRobotReader(root)
    infos, latents = [], []
    for episode, places in starts.items():
        pictures = np.stack(list(reader.episode_frames(episode, "scene")))
        for start in places:
            shown = np.minimum(np.arange(start, start + frames) + shift, len(pictures) - 1)
            valid = min(frames, len(pictures) - start)
            infos.append(WindowInfo(episode, start, valid, "watch the clock", episode))
            latents.append(oracle_latents(pictures[shown]))
    reader.close()
    return MemoryClips(infos, torch.stack(latents), "oracle")


def clock_clips(
    episodes: int = 20, windows: int = 2, chunks: int = 6, shift: int = 0, frames: int = 48, tasks: int = 2
) -> tuple[MemoryClips, EpisodeActions]:
    """Windows at random places of ``episodes`` episodes in memory, the last ones padded, and their actions.

    shift: frames by which the pictures run ahead of what is claimed.
    """
    rng = np.random.default_rng(0)
    seen = torch.from_numpy(rng.normal(size=(frames + 16, 16, 4, 8)).astype(np.float32))
    done = rng.uniform(-1, 1, (frames, 7)).astype(np.float32) * tabletop_contract().action_high
    infos, latents = [], []
    for episode in range(episodes):
        for _ in range(windows):
            start = int(rng.integers(0, frames - CHUNK * (chunks - 1)))
            valid = min(CHUNK * chunks + 1, frames - start)
            infos.append(WindowInfo(episode, start, valid, f"task {episode % tasks}", episode))
            at = start + shift + 1 + np.arange(CHUNK * chunks).reshape(chunks, CHUNK)
            paired = seen[torch.from_numpy(at)].mean(1)
            latents.append(torch.cat([seen[start + shift][None], 2 * paired]).transpose(0, 1))
    bounds = np.stack([np.arange(episodes), np.arange(1, episodes + 1)], axis=1) * frames
    actions = EpisodeActions(tabletop_contract(), np.tile(done, (episodes, 1)), bounds)
    return MemoryClips(infos, torch.stack(latents), "clock-vae"), actions


def tiny_align(out: Path, steps: int, **changes: object) -> AlignConfig:
    """Align for ``steps`` steps on one core; every fifth demonstration is held out."""
    settings: dict[str, object] = {"size": "tiny", "threads": 1, "device": "cpu", "holdout_every": 5, **changes}
    schedule = settings.pop("schedule", ScheduleChanges(steps=steps))
    return AlignConfig(out=out, schedule=schedule, **settings)  # type: ignore[arg-type]
