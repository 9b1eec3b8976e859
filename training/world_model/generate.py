"""``world-model-generate``: imagine what a list of skills looks like from one picture on; mp4 and latents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from training.common.disk import write_bytes_atomically, write_text_atomically
from training.common.errors import DatasetError, TrainingError
from training.common.workers import pick_device
from training.data.video import encode_frames
from training.world_model.composition import Handover, generate_composition, joined_frames
from training.world_model.model import WorldModel, load_world_model
from training.world_model.windows import ClipReader, clip_seed


@dataclass(frozen=True)
class GenerateConfig:
    """Generate one sub-video per prompt. The first picture is a frame of a dataset, or a file."""

    model: Path
    """Run (or checkpoint) of ``world-model``, or a Cosmos-Predict2 folder."""
    prompts: tuple[str, ...]
    """One sentence per skill, in order."""
    out: Path = Path("runs/imagined")
    dataset: Path | None = Path("data/tabletop")
    episode: int = 0
    frame: int = 0
    picture: Path | None = None
    """An already packed picture (PNG) instead of a dataset's frame."""
    chunks: tuple[int, ...] = ()
    """Chunks of 4 frames per skill (default: the trained window for each)."""
    steps: int = 0
    """Denoising steps (0: the preset's)."""
    seed: int = 0
    handover: Handover = "frame"
    threads: int = 2


def generate(config: GenerateConfig) -> Path:
    """Entry point of ``python -m training world-model-generate``; returns the folder written.

    ``video.mp4`` is the whole composition, ``latents.safetensors`` has ``part-00`` ... [1, 16, 1 + N, h, w] per skill,
    ``video.json`` says what they are of.
    """
    torch.set_num_threads(config.threads)
    if not config.prompts:
        raise DatasetError("nothing to imagine: give at least one sentence with --prompts")
    if config.chunks and (len(config.chunks) != len(config.prompts) or min(config.chunks) < 1):
        raise TrainingError(
            f"--chunks {' '.join(map(str, config.chunks))}: give one number of at least 1 for each of the "
            f"{len(config.prompts)} prompts, or none"
        )
    model = load_world_model(config.model).to(pick_device())
    first, source = first_picture(config, model)
    parts = generate_composition(
        model,
        torch.from_numpy(first),
        config.prompts,
        generator=torch.Generator().manual_seed(config.seed),
        steps=config.steps or None,
        chunks=config.chunks or None,
        handover=config.handover,
    )
    frames = joined_frames(model, parts)[0].cpu().numpy()
    config.out.mkdir(parents=True, exist_ok=True)
    tensors = {f"part-{number:02d}": part.cpu().contiguous() for number, part in enumerate(parts)}
    write_bytes_atomically(config.out / "latents.safetensors", save(tensors))
    write_bytes_atomically(config.out / "video.mp4", encode_frames(list(frames), model.info.fps))
    content = {
        "prompts": list(config.prompts),
        "first": source,
        "frames": len(frames),
        "fps": model.info.fps,
        "seed": config.seed,
        "steps": config.steps or model.info.steps,
        "handover": config.handover,
        "vae_sha256": model.vae.hash,
    }
    write_text_atomically(config.out / "video.json", json.dumps(content, indent=1))
    print(f"{config.out}: {len(config.prompts)} skills, {len(frames)} frames")
    return config.out


def first_picture(config: GenerateConfig, model: WorldModel) -> tuple[NDArray[np.uint8], str]:
    """The packed first picture uint8 [H, W, 3] and where it is from."""
    layout = model.info.layout
    if config.picture is not None:
        picture = cv2.imread(str(config.picture), cv2.IMREAD_COLOR)
        if picture is None or picture.shape[:2] != (layout.height, layout.width):
            found = "no readable picture" if picture is None else f"{picture.shape[1]}x{picture.shape[0]}"
            raise DatasetError(f"{config.picture}: {found}, the world model needs {layout.width}x{layout.height}")
        return np.ascontiguousarray(picture[..., ::-1]).astype(np.uint8), str(config.picture)
    if config.dataset is None:
        raise DatasetError("name the first picture with --dataset and --episode, or with --picture")
    reader = ClipReader(config.dataset, layout)
    if not 0 <= config.episode < len(reader.rows):
        raise DatasetError(f"{config.dataset} has {len(reader.rows)} episodes, there is no number {config.episode}")
    length = int(reader.rows[config.episode]["length"])
    if not 0 <= config.frame < length:
        raise DatasetError(
            f"episode {config.episode} of {config.dataset} has {length} frames, there is no number {config.frame}"
        )
    frames, _ = reader.frames(config.episode, config.frame, 1)
    return frames[0], f"episode with seed {clip_seed(reader.rows[config.episode])}, frame {config.frame}"
