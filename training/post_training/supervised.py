"""A plain supervised run that can be stopped and continued: its batches follow from the step number."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from training.common.checkpoint import checkpoints, latest_checkpoint, read_info, read_tensors, save_checkpoint
from training.common.errors import TrainingError
from training.common.interrupt import Interrupted
from training.common.optimiser_state import load_optimiser, optimiser_tensors
from training.common.sameness import changes, refuse
from training.common.schedule import set_learning_rate

LossOfStep = Callable[[int], tuple[torch.Tensor, dict[str, torch.Tensor]]]


@dataclass(frozen=True)
class SupervisedConfig:
    """Length and optimiser of a supervised run."""

    steps: int = 2000
    batch: int = 64
    learning_rate: float = 5e-4
    final_learning_rate: float = 1e-5
    warmup_steps: int = 50
    weight_decay: float = 0.01
    clip: float = 1.0
    save_every: int = 250


def train_supervised(
    name: str, model: nn.Module, loss: LossOfStep, config: SupervisedConfig, out: Path, facts: dict[str, Any]
) -> bool:
    """Train ``model`` in place; returns whether the last step was reached (False: interrupted, continue later).

    Args:
        name: shown beside the bar. loss: scalar and parts of a step's batch, a function of the step number alone.
        out: folder of the checkpoints; a run found there is continued. facts: must be equal to those found there, as
            JSON; what a run does not say counts as equal.
    Raises:
        CheckpointError: ``out`` holds a run with other facts.
        TrainingError: a gradient is not finite.
    """  # fmt: skip
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    step, seconds = _restore(model, optimiser, out, facts)
    writer = SummaryWriter(str(out / "tensorboard"))  # type: ignore[no-untyped-call]
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    began = time.monotonic() - seconds
    with (
        Progress(TextColumn(name), *columns, TextColumn("{task.fields[detail]}")) as bar,
        Interrupted() as interrupted,
    ):
        task = bar.add_task(name, total=config.steps, completed=step, detail="")
        while step < config.steps and not interrupted:
            parts = _advance(model, optimiser, loss, config, step)
            step += 1
            for key, value in parts.items():
                writer.add_scalar(f"{name}/{key}", value, step)  # type: ignore[no-untyped-call]
            bar.update(task, advance=1, detail=f"loss {parts['loss']:.4f}")
            if step % config.save_every == 0 or step == config.steps or interrupted:
                _save(model, optimiser, out, step, {**facts, "seconds": time.monotonic() - began})
    writer.close()  # type: ignore[no-untyped-call]
    return step >= config.steps


def _advance(
    model: nn.Module, optimiser: torch.optim.Optimizer, loss_of: LossOfStep, config: SupervisedConfig, step: int
) -> dict[str, float]:
    rate = set_learning_rate(
        optimiser,
        step / config.steps,
        step,
        peak=config.learning_rate,
        final=config.final_learning_rate,
        warmup=config.warmup_steps,
        tail=0.5,
    )
    loss, parts = loss_of(step)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    if not torch.isfinite(norm):
        raise TrainingError(f"step {step}: the gradient is not finite; lower the learning rate (now {rate:.1e})")
    optimiser.step()
    return {**{key: float(value) for key, value in parts.items()}, "loss": float(loss.detach())}


def _save(model: nn.Module, optimiser: torch.optim.Optimizer, out: Path, step: int, info: dict[str, Any]) -> None:
    moments = optimiser_tensors(model.named_parameters(), optimiser)
    save_checkpoint(out, step, {"model": dict(model.state_dict()), "optimiser": moments}, info)


def _restore(model: nn.Module, optimiser: torch.optim.Optimizer, out: Path, facts: dict[str, Any]) -> tuple[int, float]:
    if not checkpoints(out):
        return 0, 0.0
    folder = latest_checkpoint(out)
    info = read_info(folder)
    refuse(f"{folder} was trained otherwise", changes({key: info[key] for key in facts if key in info}, facts))
    model.load_state_dict(read_tensors(folder, "model"))
    load_optimiser(model.named_parameters(), optimiser, read_tensors(folder, "optimiser"))
    return int(info["step"]), float(info["seconds"])
