"""Sizes, objective and schedule of the latent alignment: presets as data, every value open to change."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from training.common.errors import TrainingError

Direction = Literal["both", "video-to-action", "action-to-video"]
Granularity = Literal["chunk", "global"]
Preset = Literal["paper", "released-code"]
Size = Literal["full", "nano", "tiny"]


@dataclass(frozen=True)
class AdapterConfig:
    """Shape of both adapters. The action's length comes from the contract, the latents' channels from the VAE."""

    latent_channels: int = 16
    chunk: int = 4
    """Actions per chunk; also the frames that one latent covers, because a chunk pairs with one latent."""
    code: int = 32
    variational: bool = False
    """The action encoder gives a mean and a log variance (needed for a KL term)."""
    changes: bool = False
    """The video adapter also sees each latent's difference to the one before."""


@dataclass(frozen=True)
class Objective:
    """The loss; the defaults are the paper's (``paper`` preset)."""

    direction: Direction = "both"
    granularity: Granularity = "chunk"
    """``chunk``: every chunk is told from other chunks; ``global``: every window's mean code from other windows'."""
    temperature: float = 0.1
    negatives: int = 16
    hard_share: float = 0.25
    """Share of the negatives that come from another demonstration of the same task."""
    contrastive: float = 1.0
    reconstruction: float = 1.0
    kl: float = 0.0


@dataclass(frozen=True)
class Schedule:
    """How long and how fast; ``batch`` and ``per_task`` count windows of one process."""

    steps: int = 30_000
    batch: int = 16
    per_task: int = 4
    """Windows of one task, from different demonstrations, that enter a batch together: the source of hard negatives."""
    learning_rate: float = 1e-4
    final_learning_rate: float = 1e-5
    warmup: int = 500
    cosine_tail: float = 0.3
    """Share of the schedule, at its end, in which the learning rate falls."""
    weight_decay: float = 1e-2
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0


PRESETS: dict[Preset, Objective] = {
    "paper": Objective(),
    "released-code": Objective(
        direction="video-to-action", temperature=0.07, hard_share=0.75, contrastive=0.1, kl=1e-4
    ),
}

SCHEDULES: dict[Size, Schedule] = {
    "full": Schedule(),
    "nano": Schedule(steps=3_000, batch=32, learning_rate=1e-3, final_learning_rate=2e-5, warmup=100),
    "tiny": Schedule(steps=60, batch=8, per_task=2, learning_rate=2e-3, final_learning_rate=2e-4, warmup=5),
}


@dataclass(frozen=True)
class ObjectiveChanges:
    """What to change of the preset's objective; unset: as the preset says."""

    direction: Direction | None = None
    granularity: Granularity | None = None
    temperature: float | None = None
    negatives: int | None = None
    hard_share: float | None = None
    contrastive: float | None = None
    reconstruction: float | None = None
    kl: float | None = None


@dataclass(frozen=True)
class ScheduleChanges:
    """What to change of the size's schedule; unset: as the size says."""

    steps: int | None = None
    batch: int | None = None
    per_task: int | None = None
    learning_rate: float | None = None
    final_learning_rate: float | None = None
    warmup: int | None = None


@dataclass(frozen=True)
class AlignConfig:
    """Align video latents and action chunks. Run again with the same --out to continue from the last checkpoint."""

    latents: Path = Path("data/tabletop-skill/latents-nano")
    """Latents cached by the world model: their windows, prompts and the hash of the VAE that made them."""
    dataset: Path = Path("data/tabletop-skill")
    """The LeRobot dataset the latents were made from: actions by episode and frame."""
    out: Path = Path("runs/align")
    preset: Preset = "paper"
    size: Size = "nano"
    objective: ObjectiveChanges = field(default_factory=ObjectiveChanges)
    schedule: ScheduleChanges = field(default_factory=ScheduleChanges)
    changes: bool = False
    """Show the video adapter each latent's difference to the one before, too (the paper does not)."""
    chunks: int = 0
    """Chunks per training sample, cropped at random from a longer window (0: the whole window)."""
    action_chunks: int = 0
    """Action chunks per sample, those beyond the latents reconstructed only (the paper: 32; 0: as many as latents)."""
    holdout_every: int = 10
    """Demonstrations whose seed leaves the remainder ``holdout_every - 1`` are never trained on and measure retrieval:
    the same ones as the world model's (0: train on all, measure nothing)."""
    eval_windows: int = 64
    """Held-out windows in the fixed set that retrieval is measured on."""
    eval_every: int = 500
    checkpoint_every: int = 500
    log_every: int = 20
    seed: int = 0
    threads: int = 2
    device: str = "auto"
    """``auto``: this process's GPU when there is one, else the CPU."""
    bf16: bool = False
    """Mixed precision; worth it on a GPU only (strided bf16 convolutions are slow on a CPU)."""


def objective_of(config: AlignConfig) -> Objective:
    """The preset with the changes applied; TrainingError when the result contradicts itself."""
    objective = dataclasses.replace(PRESETS[config.preset], **_set(config.objective))
    if not 0.0 <= objective.hard_share <= 1.0:
        raise TrainingError(f"--objective.hard-share must be a share in [0, 1], got {objective.hard_share}")
    if objective.temperature <= 0.0 or objective.negatives < 1:
        raise TrainingError(
            "--objective.temperature must be above 0 and --objective.negatives at least 1, got "
            f"{objective.temperature} and {objective.negatives}"
        )
    return objective


def schedule_of(config: AlignConfig) -> Schedule:
    """The size's schedule with the changes applied; TrainingError when the result contradicts itself."""
    schedule = dataclasses.replace(SCHEDULES[config.size], **_set(config.schedule))
    if schedule.steps < 1 or schedule.batch < 2 or not 1 <= schedule.per_task <= schedule.batch:
        raise TrainingError(
            "need steps >= 1, batch >= 2 (negatives come from the batch) and 1 <= per-task <= batch, got steps "
            f"{schedule.steps}, batch {schedule.batch}, per-task {schedule.per_task}"
        )
    return schedule


def _set(changes: ObjectiveChanges | ScheduleChanges) -> dict[str, Any]:
    return {key: value for key, value in dataclasses.asdict(changes).items() if value is not None}
