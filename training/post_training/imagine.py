"""``imagine``: for initial states of the simulator, what a frozen world model thinks would happen, once and for all.

The latents are what post-training compares with; they are never decoded, except for a preview somebody asks for.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from training.common.errors import DatasetError, TrainingError
from training.common.machine import describe_machine, git_commit
from training.common.workers import pick_device
from training.post_training.imagined import META, ImaginedLatents, Origin, write_meta, write_shard
from training.post_training.initial_states import (
    InitialState,
    PromptKind,
    StartsConfig,
    candidate_states,
    first_pictures,
)
from training.post_training.interfaces import Imagination

if TYPE_CHECKING:
    from world2act_sim.world import TabletopWorld

Pictures = Mapping[str, NDArray[np.uint8]]
Look = Callable[[InitialState], Pictures | None]
"""The first pictures of an initial state; None when the simulator cannot make it."""
Film = Callable[[Sequence[InitialState]], list[torch.Tensor]]
"""Latents of initial states, as the world model would give them."""


@dataclass(frozen=True)
class ImagineConfig:
    """Imagine what follows initial states. Run again with a larger --count to add states; finished ones are kept."""

    world_model: Path = Path("runs/world-model-skill")
    """A run of `training world-model`, or a Cosmos-Predict2 folder."""
    out: Path = Path("data/imagined")
    source: Literal["world-model", "expert"] = "world-model"
    """expert: film the scripted expert instead, which is what a perfect world model would imagine (for diagnosis)."""
    count: int = 1000
    """Initial states."""
    prompts: PromptKind = "skill"
    """skill: one part per skill with its canonical prompt. instruction: the whole sentence, one part (for a world model
    of whole episodes)."""
    windows: int = 1
    """Windows per part, each conditioned on the last frame of the one before: more than one when a skill takes longer
    than the world model's window."""
    steps: int = 0
    """Denoising steps (0: as the world model says)."""
    shard_size: int = 8
    """States that are imagined together and stored in one file."""
    seed: int = 0
    robot: str = "Panda"
    device: str = "auto"
    threads: int = 2
    preview: int = 0
    """Decode the first states to mp4, to look at."""
    starts: StartsConfig = field(default_factory=StartsConfig)


def imagine(config: ImagineConfig) -> Path:
    """Entry point of ``python -m training imagine``; returns the folder."""
    from training.post_training.parts import open_imagination
    from world2act_sim.world import TabletopWorld, WorldConfig

    torch.set_num_threads(config.threads)
    model = open_imagination(config.world_model, pick_device(config.device), config.steps)
    world = TabletopWorld(WorldConfig(robot=config.robot))
    try:
        imagine_states(config, model, lambda state: _look(world, state), _film(config, model, world))
    finally:
        world.close()
    if config.preview:
        write_preview(config.out, model, config.preview)
    return config.out


def _film(config: ImagineConfig, model: Imagination, world: TabletopWorld) -> Film | None:
    if config.source == "world-model":
        return None
    from training.post_training.recorded import ExpertImagination

    expert = ExpertImagination(world, model)
    return lambda states: expert.imagine(states, config.windows)


def imagine_states(config: ImagineConfig, model: Imagination, look: Look, film: Film | None = None) -> ImaginedLatents:
    """Imagine whole shards until ``config.count`` states are there; what exists already is kept.

    film: makes the latents of states instead of the world model.
    """
    if config.count < 1 or config.windows < 1 or config.shard_size < 1:
        raise TrainingError("--count, --windows and --shard-size must be at least 1")
    starts = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(config.starts).items()}
    origin = Origin(
        world_model=model.sha256,
        vae=model.vae_sha256,
        prompts=config.prompts,
        windows=config.windows,
        steps=config.steps,
        seed=config.seed,
        shard_size=config.shard_size,
        starts=starts,
        source=config.source,
    )
    states = _existing(config.out, origin, config.robot)
    number = _next_number(states, config.starts)
    shards = range(len(states) // config.shard_size, -(-config.count // config.shard_size))
    # Beside the origin and not in it, whose hash stands in measurements that are finished.
    facts = {
        "machine": describe_machine(), "commit": git_commit(), "frames": model.frames, "robot": config.robot
    }  # fmt: skip
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    candidates = candidate_states(config.starts, config.prompts, number)
    with Progress(TextColumn("imagine"), *columns) as progress:
        task = progress.add_task("imagine", total=len(shards) * config.shard_size)
        for shard in shards:
            seen = ((state, look(state)) for _, state in candidates)
            chosen = [
                (state, model.pack(pictures))
                for state, pictures in itertools.islice((pair for pair in seen if pair[1]), config.shard_size)
                if pictures is not None
            ]
            begin = time.monotonic()
            if film is not None:
                latents = film([state for state, _ in chosen])
            else:
                generator = torch.Generator().manual_seed(config.seed * 1_000_003 + shard)
                prompts = [[text for text in state.prompts for _ in range(config.windows)] for state, _ in chosen]
                latents = model.imagine(np.stack([frame for _, frame in chosen]), prompts, generator)
            write_shard(config.out, shard, len(states), latents)
            states += [state for state, _ in chosen]
            facts["seconds_per_state"] = round((time.monotonic() - begin) / len(chosen), 3)
            write_meta(config.out, origin, states, facts)
            progress.update(task, advance=len(chosen))
    return ImaginedLatents(config.out)


def write_preview(root: Path, model: Imagination, count: int) -> None:
    """Decode the first ``count`` states to ``preview-NNNNNN.mp4`` at 10 pictures a second."""
    from training.data.video import encode_frames

    store = ImaginedLatents(root)
    for number in range(min(count, len(store))):
        windows = model.decode(store.latents(number))
        frames = [frame for window in windows for frame in window]
        (root / f"preview-{number:06d}.mp4").write_bytes(encode_frames(frames, 10))


def _existing(root: Path, origin: Origin, robot: str) -> list[InitialState]:
    if not (root / META).exists():
        return []
    store = ImaginedLatents(root)
    theirs, ours = ({**vars(of), "robot": arm} for of, arm in ((store.origin, store.robot or robot), (origin, robot)))
    if theirs != ours:
        changed = {key: (theirs[key], ours[key]) for key in ours if theirs[key] != ours[key]}
        raise DatasetError(f"{root} was imagined otherwise (there, now): {changed}; choose another --out")
    return list(store.states)


def _next_number(states: list[InitialState], starts: StartsConfig) -> int:
    return states[-1].seed - starts.first_seed + 1 if states else 0


def _look(world: object, state: InitialState) -> Pictures | None:
    from world2act_sim.placement import PlacementError
    from world2act_sim.world import TabletopWorld

    assert isinstance(world, TabletopWorld)
    try:
        return first_pictures(world, state)
    except PlacementError:
        return None  # the objects do not fit on the table: the next seed takes its place
