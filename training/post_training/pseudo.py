"""Pseudo-demonstrations: imagined video, and the actions an inverse dynamics model reads out of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from rich.progress import track
from safetensors.numpy import load_file, save_file

from training.common.disk import naming_full_disk, require_free_space, write_text_atomically
from training.common.errors import TrainingError
from training.common.sameness import changes, refuse
from training.post_training.imagined import ImaginedLatents
from training.post_training.interfaces import Imagination
from training.post_training.inverse_dynamics import InverseDynamics

META = "pseudo.json"


@dataclass(frozen=True)
class PseudoData:
    """n frames to clone. Legend: T steps of a policy's chunk."""

    frames: NDArray[np.uint8]  # [n, h, w, 3] packed, memory-mapped
    state: NDArray[np.float32]  # [n, S] robot units, as the inverse dynamics model reads it from the picture
    chunk: NDArray[np.float32]  # [n, T, A] robot units
    prompt: NDArray[np.int64]  # [n] index into ``prompts``
    prompts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.state)


def frames_to_label(frames: int, chunk: int, stride: int) -> list[int]:
    """Frames of a window that have ``chunk`` steps of video after them, every ``stride``-th."""
    return list(range(0, frames - chunk, stride))


def label_window(
    model: InverseDynamics, frames: NDArray[np.uint8], starts: list[int], chunk: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Actions [n, chunk, A] from each of the ``starts`` on and states [n, S], robot units; frames [T, h, w, 3].

    The actions of a chunk longer than the model's M steps are put together from pairs M frames apart.
    """
    steps = model.steps
    pieces, states = [], None
    for offset in range(0, chunk, steps):
        first = [start + offset for start in starts]
        # A last piece that is shorter than M ends with the window's last frame.
        second = [min(frame + steps, len(frames) - 1) for frame in first]
        actions, state = model.label(torch.from_numpy(frames[first]), torch.from_numpy(frames[second]))
        pieces.append(actions.numpy())
        states = state.numpy() if states is None else states
    assert states is not None
    return np.concatenate(pieces, axis=1)[:, :chunk], states


def make_pseudo_data(
    root: Path,
    store: ImaginedLatents,
    count: int,
    world_model: Imagination,
    model: InverseDynamics,
    stride: int,
    facts: dict[str, Any],
) -> PseudoData:
    """Decode and label the windows of the first ``count`` initial states into ``root``, or read what is there."""
    if (root / META).exists():
        return _read(root, facts)
    chunk = model.contract.chunk_length
    starts = frames_to_label(world_model.frames, chunk, stride)
    if not starts:
        raise TrainingError(f"a window of {world_model.frames} frames is too short for chunks of {chunk} actions")
    windows = [
        (number, part * store.origin.windows + window, text)
        for number in range(count)
        for part, text in enumerate(store.states[number].prompts)
        for window in range(store.origin.windows)
    ]
    prompts = sorted({text for *_, text in windows})
    total = len(windows) * len(starts)
    shape = _frame_shape(store, world_model)
    require_free_space(root, total * int(np.prod(shape)) + (16 << 20))
    root.mkdir(parents=True, exist_ok=True)
    states, chunks = [], []
    with naming_full_disk(root):
        frames = open_memmap(root / "frames.npy", mode="w+", dtype=np.uint8, shape=(total, *shape))
        for i, (number, window, _) in enumerate(track(windows, "pseudo-actions")):
            video = world_model.decode(store.latents(number)[window][None])[0]
            actions, state = label_window(model, video, starts, chunk)
            frames[i * len(starts) : (i + 1) * len(starts)] = video[starts]
            states.append(state)
            chunks.append(actions)
        frames.flush()
        arrays: dict[str, NDArray[Any]] = {
            "state": np.concatenate(states).astype(np.float32),
            "chunk": np.concatenate(chunks).astype(np.float32),
            "prompt": np.repeat([prompts.index(text) for *_, text in windows], len(starts)).astype(np.int64),
        }
        save_file(arrays, root / "labels.safetensors")
    write_text_atomically(root / META, json.dumps({"facts": facts, "prompts": prompts}, indent=1))
    return _read(root, facts)


def _frame_shape(store: ImaginedLatents, world_model: Imagination) -> tuple[int, ...]:
    return tuple(world_model.decode(store.latents(0)[:1]).shape[2:])


def _read(root: Path, facts: dict[str, Any]) -> PseudoData:
    meta = json.loads((root / META).read_text())
    refuse(f"{root} was made otherwise", changes(meta["facts"], facts))
    arrays = load_file(root / "labels.safetensors")
    frames = np.load(root / "frames.npy", mmap_mode="r")
    return PseudoData(frames, arrays["state"], arrays["chunk"], arrays["prompt"], tuple(meta["prompts"]))
