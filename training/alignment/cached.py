"""The world model's latent cache (:mod:`training.world_model.latents`) as :class:`LatentClips`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from training.alignment.clips import WindowInfo
from training.common.errors import DatasetError
from training.data.lerobot_reader import LeRobotReader


class CachedClips:
    """Latents on disk of the windows of a dataset."""

    def __init__(self, root: Path, dataset: Path) -> None:
        """Open the cache at ``root`` made from ``dataset``.

        Raises DatasetError when the cache is missing or unfinished, or was made from another dataset (both are named).
        """
        # Here and not above: alignment does not need the world model where latents come from elsewhere.
        from training.world_model.latents import LatentCache
        from training.world_model.windows import dataset_hash

        self._cache: Any = LatentCache(root)
        made_from, at_hand = str(self._cache.meta["dataset_sha256"]), dataset_hash(dataset)
        if made_from != at_hand:
            raise DatasetError(
                f"the latents in {root} were made from dataset {made_from[:12]} ({self._cache.meta['dataset']}), "
                f"{dataset} is {at_hand[:12]}: actions would not belong to pictures; run `world-model-latents` again"
            )
        tasks = [task_of(row) for row in LeRobotReader(dataset).episodes]
        self._infos = [
            WindowInfo(w.episode_index, w.start, w.valid, tasks[w.episode_index], w.seed) for w in self._cache.windows
        ]

    @property
    def vae(self) -> str:
        """Hash of the VAE that made the latents."""
        return str(self._cache.vae_hash)

    @property
    def origin(self) -> str:
        """Hash of all that decides the latents."""
        return str(self._cache.origin)

    @property
    def holdout_every(self) -> int | None:
        """``--holdout-every`` of the VAE or, for imagined latents, of the world model; None where it is not known."""
        value: int | None = self._cache.holdout_every
        return value

    @property
    def chunks(self) -> int:
        """N: latents per window after the first."""
        return (int(self._cache.frames) - 1) // 4

    def __len__(self) -> int:
        return len(self._infos)

    def info(self, index: int) -> WindowInfo:
        """Where window ``index`` is."""
        return self._infos[index]

    def latents(self, index: int) -> torch.Tensor:
        """float32 [16, 1 + N, h, w]."""
        latents: torch.Tensor = self._cache.clip(index).latents
        return latents


def task_of(row: dict[str, Any]) -> str:
    """What an episode does, whatever its wording: its skills' canonical prompts, else its instruction."""
    return "; ".join(row.get("skills") or row["tasks"])
