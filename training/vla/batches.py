"""Training batches: drawn, augmented and prefetched; batch number n is a function of the seed and n alone."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from training.common.prefetch import prefetch
from training.data.cache import FrameCache
from training.data.layout import CALIBRATION_PATH
from training.vla.augment import colour_change, shifted
from training.vla.config import AugmentConfig, SamplingConfig
from training.vla.index import FrameIndex
from training.vla.text import SkillTexts
from world2act_core.calibration import CameraCalibration, read_calibrations
from world2act_core.contract import Contract


@dataclass
class Batch:
    """B samples. Images are uint8 [B, H, W, 3]; the rest is float32 unless said otherwise."""

    images: dict[str, torch.Tensor]
    colour: dict[str, tuple[torch.Tensor, torch.Tensor]]  # (gain, offset) [B, 3]
    state: torch.Tensor  # [B, S] robot units
    text: torch.Tensor  # [B, D]
    chunk: torch.Tensor  # [B, T, A] robot units
    done: torch.Tensor  # [B]
    positions: torch.Tensor  # [B, 6] target and support relative to the end effector, decimetres, NaN when none
    labels: torch.Tensor  # int64 [B, 3]: skill kind, target object, support object (last class: none)
    seen: dict[str, torch.Tensor]  # camera -> [B, 2, 2]: (x, y) of target and support as fractions, NaN: unseen


class BatchSource:
    """Makes batches from a cache and its index."""

    def __init__(
        self,
        cache: FrameCache,
        index: FrameIndex,
        texts: SkillTexts,
        sampling: SamplingConfig,
        augment: AugmentConfig,
        batch: int,
        seed: int,
    ) -> None:
        self._cache, self._index, self._texts = cache, index, texts
        self._sampling, self._augment, self._size, self._seed = sampling, augment, batch, seed
        self._contract: Contract = cache.contract
        self._labels = skill_labels(self._contract, index)
        self._calibrations = read_calibrations(cache.dataset / CALIBRATION_PATH)

    def batch(self, number: int) -> Batch:
        """Batch ``number`` of the run: always the same for the same seed."""
        rng = np.random.default_rng([self._seed, number])
        index, contract = self._index, self._contract
        frames = index.draw(self._size, rng)
        state = index.state[frames]
        skill = index.skill[frames]
        hand = state[:, contract.state_slice("eef_position")]
        positions = np.concatenate([index.target[frames] - hand, index.support[frames] - hand], axis=-1) * 10.0
        if self._augment.state_noise:
            state = state + rng.normal(0, self._augment.state_noise, state.shape).astype(np.float32)
        images, colour, seen = {}, {}, {}
        for camera in contract.cameras:
            shifts = rng.integers(-self._augment.shift, self._augment.shift + 1, (self._size, 2))
            images[camera.name] = torch.from_numpy(shifted(self._cache.frames(camera.name, frames), shifts))
            gain, offset = colour_change(self._size, self._augment, rng)
            colour[camera.name] = (torch.from_numpy(gain), torch.from_numpy(offset))
            if camera.name in self._calibrations:
                where = self._project(self._calibrations[camera.name], frames)
                moved = where + (shifts[:, ::-1] / [camera.width, camera.height])[:, None]
                seen[camera.name] = torch.from_numpy(moved.astype(np.float32))
        text = self._texts.draw(skill, self._sampling.paraphrase_probability, rng)
        chunk = index.chunks(frames, contract.chunk_length, contract)
        return Batch(
            images,
            colour,
            torch.from_numpy(state),
            torch.from_numpy(text),
            torch.from_numpy(chunk),
            torch.from_numpy(index.done[frames]),
            torch.from_numpy(positions.astype(np.float32)),
            torch.from_numpy(self._labels[skill]),
            seen,
        )

    def _project(self, calibration: CameraCalibration, frames: NDArray[np.int64]) -> NDArray[np.float64]:
        """Where target and support are in the pictures of ``frames``, [B, 2, 2] fractions of width and height."""
        state, contract = self._index.state[frames], self._contract
        columns = state[:, contract.state_slice("eef_rotation")].reshape(-1, 2, 3).transpose(0, 2, 1)
        rotation = np.concatenate([columns, np.cross(columns[..., 0], columns[..., 1])[..., None]], axis=-1)
        points = np.stack([self._index.target[frames], self._index.support[frames]], axis=1)
        hand = state[:, contract.state_slice("eef_position")]
        return calibration.project(points, hand[:, None], rotation[:, None])

    def stream(self, start: int, ahead: int = 3) -> Generator[Batch]:
        """Batches from number ``start`` on, prepared by a thread while the previous ones are used."""
        return prefetch(self.batch, start, ahead)


def skill_labels(contract: Contract, index: FrameIndex) -> NDArray[np.int64]:
    """[skills, 3]: kind, target and support of every skill as classes (-100, ignored, for names outside)."""
    names = [entry.name for entry in contract.vocabulary.objects]
    classes = {name: i for i, name in enumerate(names)}
    rows = [
        (
            contract.vocabulary.skills.index(skill.kind),
            classes.get(skill.target, -100),
            len(names) if skill.support is None else classes.get(skill.support, -100),
        )
        for skill in index.skills
    ]
    return np.array(rows, np.int64)
