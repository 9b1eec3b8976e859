"""Which windows are trained on, which are held out, and which enter a batch together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.alignment.clips import LatentClips
from training.alignment.pairs import Crop, valid_chunks
from training.common.errors import DatasetError, TrainingError


@dataclass(frozen=True)
class WindowIndex:
    """Per-window arrays (W windows) and the rows that may be drawn for training and for measuring."""

    source: NDArray[np.int64]  # [W] seed of the demonstration
    task: NDArray[np.int64]  # [W] number of the task in ``tasks``
    valid: NDArray[np.int64]  # [W] chunks that are not padding
    episode: NDArray[np.int64]  # [W] row of the dataset
    start: NDArray[np.int64]  # [W] frame of the episode
    tasks: tuple[str, ...]
    training: NDArray[np.int64]  # windows with at least one chunk, of demonstrations to train on
    held_out: NDArray[np.int64]
    chunks: int  # chunks per sample
    chunk: int  # actions per chunk

    @property
    def hard_share(self) -> float:
        """Share of the training windows whose task has another demonstration, that can have hard negatives."""
        pairs = {(int(self.task[i]), int(self.source[i])) for i in self.training}
        sources = np.bincount([task for task, _ in pairs], minlength=len(self.tasks))
        return float((sources[self.task[self.training]] > 1).mean())

    def draw(self, batch: int, per_task: int, rng: np.random.Generator) -> list[Crop]:
        """A training batch: groups of ``per_task`` windows of one task from different demonstrations.

        Where a task has too few, the group is smaller. Each group's task is that of a window drawn evenly, so that
        windows come up about equally often.
        """
        rows: list[int] = []
        while len(rows) < batch:
            seed = int(rng.choice(self.training))
            wanted = min(per_task, batch - len(rows))
            rows += self._group(seed, wanted, rng)
        return [self._crop(row, rng) for row in rows]

    def fixed(self, count: int) -> list[Crop]:
        """At most ``count`` held-out windows, always the same, spread evenly over them; cropped at their beginning.

        No moment comes twice: of windows that share a chunk's frames the earliest stays. A copy of a query's own chunk
        among the answers is as similar as the chunk itself, so that retrieval could not but miss it.
        """
        rows = self.held_out[np.linspace(0, len(self.held_out) - 1, min(count, len(self.held_out))).round().astype(int)]
        kept: list[int] = []
        free: dict[int, int] = {}  # episode -> first frame that no window before has shown
        for row in sorted(rows.tolist(), key=lambda row: (self.episode[row], self.start[row])):
            episode, start = int(self.episode[row]), int(self.start[row])
            if start >= free.get(episode, 0):
                kept.append(row)
                free[episode] = start + self.chunk * min(int(self.valid[row]), self.chunks)
        return [Crop(row, 0, self.chunks) for row in sorted(kept)]

    def _group(self, seed: int, wanted: int, rng: np.random.Generator) -> list[int]:
        rows, sources = [seed], {int(self.source[seed])}
        same = self.training[self.task[self.training] == self.task[seed]]
        for row in rng.permutation(same):
            if len(rows) == wanted:
                break
            if int(self.source[row]) not in sources:
                rows.append(int(row))
                sources.add(int(self.source[row]))
        return rows

    def _crop(self, row: int, rng: np.random.Generator) -> Crop:
        last = max(0, int(self.valid[row]) - self.chunks)
        return Crop(row, int(rng.integers(0, last + 1)), self.chunks)


def build_index(clips: LatentClips, chunk: int, chunks: int, holdout_every: int) -> WindowIndex:
    """Index all windows of ``clips`` for samples of ``chunks`` chunks (0: all of a window's) of ``chunk`` actions.

    Raises:
        TrainingError: more chunks asked for than a window has. DatasetError: no window is as long as one chunk, or
        too little is left to train on.
    """
    if not 0 <= chunks <= clips.chunks:
        raise TrainingError(f"--chunks {chunks}: the cached windows have {clips.chunks}; ask for at most that many")
    infos = [clips.info(i) for i in range(len(clips))]
    valid = np.array([min(valid_chunks(info, chunk), clips.chunks) for info in infos], np.int64)
    usable = np.flatnonzero(valid)
    if not len(usable):
        longest = max((info.valid_frames for info in infos), default=0)
        raise DatasetError(
            f"none of the {len(infos)} windows holds a whole chunk: that takes {chunk + 1} frames, the longest has "
            f"{longest}; collect longer clips"
        )
    names = sorted({info.task for info in infos})
    numbers = {name: i for i, name in enumerate(names)}
    task = np.array([numbers[info.task] for info in infos], np.int64)
    source = np.array([info.source for info in infos], np.int64)
    episode, start = (np.array([getattr(info, name) for info in infos], np.int64) for name in ("episode", "start"))
    # As training.world_model.windows.held_out: what the world model never saw is what retrieval is measured on.
    held_out = source[usable] % max(1, holdout_every) == holdout_every - 1
    training = usable[~held_out]
    if len(set(source[training])) < 2:
        raise DatasetError(
            f"{len(set(source[usable]))} demonstrations with whole chunks, {len(set(source[usable[held_out]]))} of "
            "them held out: at least two must be left to train on, because negatives come from other demonstrations; "
            "collect more or change --holdout-every"
        )
    return WindowIndex(
        source, task, valid, episode, start, tuple(names), training, usable[held_out], chunks or clips.chunks, chunk
    )
