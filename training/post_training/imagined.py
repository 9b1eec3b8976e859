"""Imagined latents on disk: safetensors shards and one JSON that says whose they are.

``imagined.json`` is written after every shard; a shard that it does not name does not exist.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from training.common.disk import naming_full_disk, write_text_atomically
from training.common.errors import DatasetError, TrainingError
from training.post_training.initial_states import InitialState, PromptKind
from training.post_training.interfaces import VideoAdapter

META = "imagined.json"
VERSION = 1


@dataclass(frozen=True)
class Origin:
    """What decides the latents besides the initial states; two sets mix only when all of it is equal."""

    world_model: str
    """SHA-256 of the world model's weights."""
    vae: str
    """SHA-256 of the VAE's."""
    prompts: PromptKind
    windows: int
    """Windows imagined per part, each going on where the one before ended."""
    steps: int
    """Denoising steps (0: the world model's own number)."""
    seed: int
    """Of the noise; shard s draws from seed * 1000003 + s."""
    shard_size: int
    starts: dict[str, Any]
    """The :class:`~training.post_training.initial_states.StartsConfig`."""
    source: Literal["world-model", "expert"] = "world-model"
    """expert: recordings of the scripted expert in the place of imagination."""


class ImaginedLatents:
    """The imagined latents in a folder; ``states`` are its initial states in order."""

    def __init__(self, root: Path) -> None:
        """Open ``root``; DatasetError when there are none."""
        path = root / META
        if not path.exists():
            raise DatasetError(f"{root} holds no imagined latents ({META} is missing); run `training imagine` first")
        self.root = root
        try:
            self.meta: dict[str, Any] = json.loads(path.read_text())
        except ValueError as error:
            raise DatasetError(f"cannot read {path}: {error}; delete it and run `training imagine` again") from error
        if self.meta.get("version") != VERSION:
            raise DatasetError(f"{path} has layout {self.meta.get('version')!r}, this reader needs {VERSION}")
        self.origin = Origin(**self.meta["origin"])
        self.states = tuple(InitialState.from_json(row) for row in self.meta["states"])
        self.robot: str | None = self.meta.get("robot")
        """Whose first pictures these are; None where it was not kept."""

    def __len__(self) -> int:
        return len(self.states)

    def latents(self, number: int) -> torch.Tensor:
        """Windows of initial state ``number``: float32 [parts * windows, 16, 1+N, h, w]."""
        if not 0 <= number < len(self):
            raise DatasetError(f"{self.root} holds {len(self)} initial states, there is no number {number}")
        return self._of_shard(self._shard(number), number)

    def numbers(self, count: int, tasks: Sequence[str] = ()) -> list[int]:
        """The first ``count`` states, of ``tasks`` only when there are any; TrainingError when there are fewer."""
        if count > len(self):
            raise TrainingError(
                f"--trajectories {count} asks for more than the {len(self)} imagined initial states in {self.root}; "
                f"run `training imagine --count {count}` first"
            )
        found = [n for n, state in enumerate(self.states) if not tasks or state.episode.task in tasks]
        if count > len(found):
            raise TrainingError(
                f"--trajectories {count} asks for more than the {len(found)} of {len(self)} initial states in "
                f"{self.root} that are of the tasks {', '.join(tasks)}; imagine more, or name more --tasks"
            )
        return found[:count]

    @torch.no_grad()
    def codes(self, adapter: VideoAdapter, count: int, tasks: Sequence[str] = ()) -> ImaginedCodes:
        """Codes of the states of :meth:`numbers` by a frozen video adapter (on the CPU)."""
        numbers = self.numbers(count, tasks)
        shards: dict[int, dict[str, torch.Tensor]] = {}
        rows = []
        for number in numbers:
            shard = number // self.origin.shard_size
            if shard not in shards:
                shards = {shard: self._shard(number)}
            windows = adapter(self._of_shard(shards[shard], number))  # [parts * windows, N, C]
            rows.append(windows.reshape(len(self.states[number].prompts), -1, windows.shape[-1]))
        states = tuple(self.states[number] for number in numbers)
        return ImaginedCodes(states, tuple(rows), whole_episode=self.origin.prompts == "instruction")

    def _shard(self, number: int) -> dict[str, torch.Tensor]:
        """Everything in the file that state ``number`` is in."""
        path = shard_path(self.root, number // self.origin.shard_size)
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise DatasetError(
                f"cannot read {path}: {error}; delete {META} and run `training imagine` again"
            ) from error

    def _of_shard(self, shard: dict[str, torch.Tensor], number: int) -> torch.Tensor:
        if _key(number) not in shard:
            path = shard_path(self.root, number // self.origin.shard_size)
            raise DatasetError(f"{path} lacks {_key(number)}; delete {META} and run `training imagine` again")
        return shard[_key(number)].float()


@dataclass(frozen=True)
class ImaginedCodes:
    """Imagined codes of K initial states. Legend: P parts of a state, L chunks per part, C entries of a code."""

    states: tuple[InitialState, ...]
    codes: tuple[torch.Tensor, ...]  # per state [P, L, C]
    whole_episode: bool
    """A chunk's index counts from the episode's start and not from its skill's."""

    @property
    def parts(self) -> int:
        """Most parts of any state."""
        return max((len(rows) for rows in self.codes), default=0)

    @property
    def chunks(self) -> int:
        """Chunks imagined per part."""
        return int(self.codes[0].shape[1]) if self.codes else 0

    @property
    def slots(self) -> int:
        """Places a chunk can have in an episode: part * chunks + index within the part."""
        return self.parts * self.chunks

    def slot(self, state: int, skill: int, chunk_in_skill: int, chunk_in_episode: int) -> int | None:
        """The slot whose imagined code belongs to an executed chunk; None when nothing was imagined for it."""
        part, chunk = (0, chunk_in_episode) if self.whole_episode else (skill, chunk_in_skill)
        if part >= len(self.codes[state]) or chunk >= self.chunks:
            return None
        return part * self.chunks + chunk

    def table(self, states: list[int]) -> torch.Tensor:
        """Codes [len(states), slots, C], zeros where a state has fewer parts."""
        result = torch.zeros(len(states), self.slots, int(self.codes[0].shape[2]))
        for row, state in enumerate(states):
            flat = self.codes[state].flatten(0, 1)
            result[row, : len(flat)] = flat
        return result


class SlotTracker:
    """Follows one episode and says which imagined code each query of the policy belongs to."""

    def __init__(self, codes: ImaginedCodes, state: int, chunk_s: float) -> None:
        """state: number of the initial state among ``codes``; chunk_s: seconds that one executed chunk takes."""
        self._codes, self._state, self._chunk_s = codes, state, chunk_s
        self._skill, self._skill_began = 0, 0.0

    def slot(self, time_s: float, skill: int) -> int | None:
        """The slot of a query at ``time_s`` since the episode's start, in its skill number ``skill``; None: none."""
        if skill != self._skill:
            self._skill, self._skill_began = skill, time_s
        in_skill = round((time_s - self._skill_began) / self._chunk_s)
        return self._codes.slot(self._state, skill, in_skill, round(time_s / self._chunk_s))


def shard_path(root: Path, shard: int) -> Path:
    """Where a shard is."""
    return root / f"latents-{shard:05d}.safetensors"


def write_shard(root: Path, shard: int, first: int, latents: list[torch.Tensor]) -> None:
    """Write one shard, float16: latents have about unit variance, and a thousand states of a 2B model are 5 GB."""
    path = shard_path(root, shard)
    temporary = path.with_suffix(".tmp")
    tensors = {_key(first + i): value.detach().cpu().half().contiguous() for i, value in enumerate(latents)}
    with naming_full_disk(path):
        root.mkdir(parents=True, exist_ok=True)
        save_file(tensors, temporary)
        temporary.replace(path)


def write_meta(root: Path, origin: Origin, states: list[InitialState], facts: dict[str, Any]) -> None:
    """Replace the description; it names what the shards hold."""
    meta = {"version": VERSION, "origin": vars(origin), "states": [state.to_json() for state in states], **facts}
    write_text_atomically(root / META, json.dumps(meta, indent=1))


def _key(number: int) -> str:
    return f"state-{number:06d}"
