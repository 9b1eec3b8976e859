"""``imagined-codes``: imagined latents to codes in one small file, which robot and evaluation compare with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from training.common.errors import TrainingError
from training.post_training.frozen import module_hash
from training.post_training.imagined import ImaginedCodes, ImaginedLatents
from training.post_training.interfaces import ActionAdapter, VideoAdapter
from training.post_training.load import ADAPTERS
from training.post_training.parts import open_adapters
from world2act_core.imagined import CodeBook, ImaginedStart, start_name, write_code_book


@dataclass(frozen=True)
class ImaginedCodesConfig:
    """Code imagined latents by the frozen video adapter."""

    imagined: Path = Path("data/imagined")
    """Imagined latents, made by `training imagine`."""
    adapters: Path = Path("runs/post-training")
    """A run of `training post-train` (its copy of the adapters) or of `training align`."""
    out: Path = Path("data/imagined/codes.safetensors")
    count: int = 0
    """The first so many initial states; 0: all."""


def write_imagined_codes(config: ImaginedCodesConfig) -> Path:
    """Entry point of ``python -m training imagined-codes``; returns the file."""
    latents = ImaginedLatents(config.imagined)
    if config.count < 0:
        raise TrainingError(f"--count must be 0 (all) or more, got {config.count}")
    folder = config.adapters / ADAPTERS if (config.adapters / ADAPTERS).exists() else config.adapters
    video, action, _ = open_adapters(folder, None, latents.origin.vae)
    codes = latents.codes(cast(VideoAdapter, video), config.count or len(latents))
    chunk = cast(ActionAdapter, action).chunk
    book = code_book(codes, chunk, module_hash(action), module_hash(video))
    write_code_book(config.out, book)
    print(f"{config.out}: {len(book.starts)} initial states, {config.out.stat().st_size / 2**20:.1f} MiB")
    return config.out


def code_book(codes: ImaginedCodes, steps: int, action_adapter: str, video_adapter: str) -> CodeBook:
    """Codes by initial state as they are stored. steps: actions of a chunk; the others: SHA-256 of the adapters."""
    starts = {
        start_name(state.kind, state.split, state.seed): ImaginedStart(state.prompts, rows.numpy())
        for state, rows in zip(codes.states, codes.codes)
    }
    return CodeBook(steps, action_adapter, video_adapter, codes.whole_episode, starts)
