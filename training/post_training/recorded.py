"""What a perfect world model would imagine: the scripted expert, filmed from the same initial states.

A diagnosis, not a method: post-training against these latents has everything but a world model's mistakes, so what it
does not reach, no better world model of this kind would.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.demonstration import record_demonstration
from training.data.noise import NoiseConfig
from training.post_training.initial_states import InitialState
from training.post_training.interfaces import Imagination
from world2act_sim.perturbation import SPLITS
from world2act_sim.tasks import sample_task

if TYPE_CHECKING:
    from world2act_sim.world import TabletopWorld

UNDISTURBED = NoiseConfig(position=0.0, rotation=0.0, shove_probability=0.0, slip_probability=0.0)
SKILL_SECONDS = 15.0
DONE_FRAMES = 6  # as demonstrations are recorded


class ExpertImagination:
    """Films the expert and encodes what it sees."""

    def __init__(self, world: TabletopWorld, model: Imagination) -> None:
        """model: packs and encodes as the world model would."""
        self._world, self._model = world, model

    def imagine(self, states: Sequence[InitialState], windows: int) -> list[torch.Tensor]:
        """Per state, latents float32 [parts * windows, 16, 1 + N, h, w]: each part from its skill's first picture on.

        A part that ends sooner, or that the expert never came to, stands still.
        """
        return [self._state(state, windows) for state in states]

    def _state(self, state: InitialState, windows: int) -> torch.Tensor:
        perturbation = SPLITS[state.split]
        task = sample_task(state.kind, state.seed, "train", perturbation.unseen_category)
        buffer, info = record_demonstration(
            self._world,
            task,
            perturbation,
            UNDISTURBED,
            seed=state.seed,
            kind=state.kind,
            split=state.split,
            done_frames=DONE_FRAMES,
            skill_seconds=SKILL_SECONDS,
        )
        frames = self._model.pack({name: np.stack(images) for name, images in buffer.images.items()})
        starts = [segment.start for segment in info.segments][: len(state.prompts)]
        stops = [*starts[1:], len(frames)]
        starts += [len(frames) - 1] * (len(state.prompts) - len(starts))
        stops += [len(frames)] * (len(state.prompts) - len(stops))
        parts = [self._cut(frames, start, stop, windows) for start, stop in zip(starts, stops)]
        return self._model.encode(np.concatenate(parts))

    def _cut(self, frames: NDArray[np.uint8], start: int, stop: int, windows: int) -> NDArray[np.uint8]:
        """[windows, 1 + 4 N, h, w, 3] from ``start`` on; past ``stop`` its last frame. A window begins with the last
        frame of the one before."""
        length = self._model.frames
        rows = start + (length - 1) * np.arange(windows)[:, None] + np.arange(length)
        return frames[np.minimum(rows, stop - 1)]
