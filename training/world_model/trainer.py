"""The training loop's state: weights, average, optimiser, step; what a checkpoint holds and how it is continued.

Nothing random is kept: batch number n and its noise follow from the seed and n, so a run that continues equals one that
was never cut.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.common.checkpoint import checkpoints, latest_checkpoint, read_info, read_tensors, save_checkpoint
from training.common.ema import WeightAverage
from training.common.errors import TrainingError
from training.common.interrupt import Interrupted
from training.common.precision import use_bf16
from training.common.prefetch import prefetch
from training.common.sameness import changes, refuse
from training.common.schedule import set_learning_rate
from training.common.workers import Workers
from training.world_model.config import RunConfig
from training.world_model.distributed import full, like, local, rejoined, shard
from training.world_model.progress import RunProgress

FREE_FIELDS = (
    "minutes", "steps", "learning_rate", "final_learning_rate", "warmup_steps", "cosine_tail", "threads", "bf16",
    "parallel", "log_every", "checkpoint_minutes", "gradient_checkpointing", "out", "latents", "vae", "dataset",
    "cosmos", "preset", "layout", "cell_height", "cell_width", "kind", "lora",
)  # fmt: skip
"""Of the configuration: may change when a run continues (how long, how fast, how it is run), or are compared as part
of the run's identity. Everything else decides what is drawn and what is minimised."""

Losses = dict[str, torch.Tensor]


class Trainer:
    """Trains those parameters of ``model`` that require gradients."""

    def __init__(self, model: nn.Module, config: RunConfig, out: Path, workers: Workers, identity: dict[str, Any]):
        """identity: what a checkpoint must agree on to be continued (JSON values)."""
        self.config, self.out, self.workers = config, out, workers
        self._bf16 = use_bf16(config.bf16, workers.device.type)
        self.identity: dict[str, Any] = jsonable(identity)
        self.model = model.to(workers.device)
        self.call = shard(self.model, workers, config.parallel)
        self.parameters = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self.average = WeightAverage(_Parts(self.parameters), config.ema)
        self.optimiser = _optimiser(self.parameters, config)
        self.step = 0
        self.clips_seen = 0
        self.seconds = 0.0
        self.history: list[str] = []

    @property
    def progress(self) -> float:
        """Share of the run that is done, in [0, 1]."""
        if self.config.steps:
            return min(1.0, self.step / self.config.steps)
        return min(1.0, self.seconds / (self.config.minutes * 60.0))

    def generator(self) -> torch.Generator:
        """The noise of this step, for the whole batch: the same however many processes share it."""
        return torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step)

    def advance(self, loss: Callable[[], Losses]) -> Losses:
        """One optimiser step on ``loss()["loss"]``; returns what to log."""
        began = time.monotonic()
        config = self.config
        rate = set_learning_rate(
            self.optimiser,
            self.progress,
            self.step,
            peak=config.learning_rate,
            final=config.final_learning_rate,
            warmup=config.warmup_steps,
            tail=config.cosine_tail,
        )
        with torch.autocast(self.workers.device.type, torch.bfloat16, enabled=self._bf16):
            parts = loss()
        self.optimiser.zero_grad(set_to_none=True)
        parts["loss"].backward()  # type: ignore[no-untyped-call]
        norm = full(nn.utils.clip_grad_norm_(self.parameters.values(), config.clip))
        if not torch.isfinite(norm):
            raise TrainingError(
                f"step {self.step}: the gradient is not finite; continue from the last checkpoint in {self.out} with a "
                f"smaller --learning-rate (now {config.learning_rate})"
            )
        self.optimiser.step()
        self.average.update(_Parts(self.parameters), self.step)
        self.step += 1
        self.clips_seen += config.batch
        self.seconds += time.monotonic() - began
        return {**{k: v.detach() for k, v in parts.items()}, "gradient": norm, "learning_rate": torch.tensor(rate)}

    def save(self, tensors: dict[str, dict[str, torch.Tensor]], info: dict[str, Any]) -> Path:
        """Write a checkpoint with ``tensors`` and ``info`` besides its own; every process must call it."""
        groups = {
            "model": {name: full(p) for name, p in self.parameters.items()},
            "average": self.whole_average(),
            "optimiser": self._optimiser_tensors(),
        }
        folder = self.out / f"step-{self.step:08d}"
        if self.workers.main:
            own = {
                "seconds": self.seconds,
                "clips_seen": self.clips_seen,
                "config": jsonable(dataclasses.asdict(self.config)),
                "identity": self.identity,
                "history": self.history,
                "torch": torch.__version__,
            }
            folder = save_checkpoint(self.out, self.step, {**groups, **tensors}, {**own, **info})
        self.workers.wait()
        return folder

    def whole_average(self) -> dict[str, torch.Tensor]:
        """The averaged weights by name, on the CPU; every process must call it."""
        return {name: full(rejoined(self.average.weights[name], p)) for name, p in self.parameters.items()}

    def restore_if_any(self) -> None:
        """Continue from the newest checkpoint of the run's folder, if it has one."""
        if checkpoints(self.out):
            self._restore(latest_checkpoint(self.out))
        self.history.append(f"from step {self.step}: python -m training {' '.join(sys.argv[1:])}")

    def _restore(self, folder: Path) -> None:
        info = read_info(folder)
        there = {name: value for name, value in info["config"].items() if name not in FREE_FIELDS}
        now = jsonable(dataclasses.asdict(self.config))
        found = changes(info.get("identity") or {"step": None}, self.identity)
        refuse(f"{folder} is of another run", found | changes(there, now))
        model, average = read_tensors(folder, "model"), read_tensors(folder, "average")
        moments = read_tensors(folder, "optimiser")
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(like(model[name], parameter))
                self.average.weights[name].copy_(local(like(average[name], parameter)))
                state = {
                    key: moments[f"{name}|{key}"] if key == "step" else like(moments[f"{name}|{key}"], parameter)
                    for key in ("step", "exp_avg", "exp_avg_sq")
                    if f"{name}|{key}" in moments
                }
                self.optimiser.state[parameter] = state
        self.step, self.seconds = int(info["step"]), float(info["seconds"])
        self.clips_seen = int(info.get("clips_seen", self.step * int(info["config"]["batch"])))
        self.history = list(info.get("history", []))

    def _optimiser_tensors(self) -> dict[str, torch.Tensor]:
        return {
            f"{name}|{key}": full(value)
            for name, parameter in self.parameters.items()
            for key, value in self.optimiser.state.get(parameter, {}).items()
        }


class _Parts:
    """This process's parts of the trained parameters."""

    def __init__(self, parameters: dict[str, nn.Parameter]) -> None:
        self._parameters = parameters

    def named_parameters(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Name and local part of each."""
        for name, parameter in self._parameters.items():
            yield name, local(parameter.detach())


def run_loop(
    trainer: Trainer,
    make_batch: Callable[[int], Any],
    loss: Callable[[Any], Losses],
    save: Callable[[], Path],
    progress: RunProgress,
) -> Path:
    """Train until the schedule ends or a signal comes, saving now and then; returns the last checkpoint."""
    interrupted = Interrupted()
    stream = prefetch(make_batch, trainer.step)
    last_save = trainer.seconds
    try:
        while trainer.progress < 1.0:
            batch = next(stream)
            progress.add(trainer.advance(lambda batch=batch: loss(batch)), trainer)  # type: ignore[misc]
            trainer.seconds, stop = trainer.workers.agree(trainer.seconds, bool(interrupted))
            if stop:
                break
            if trainer.seconds - last_save > trainer.config.checkpoint_minutes * 60:
                save()
                last_save = trainer.seconds
    finally:
        stream.close()
        interrupted.restore()
    return save()


def jsonable(value: Any) -> Any:
    """Paths as text and tuples as lists, as they come back from JSON."""
    return json.loads(json.dumps(value, default=str))


def _optimiser(parameters: dict[str, nn.Parameter], config: RunConfig) -> torch.optim.AdamW:
    matrices = [p for p in parameters.values() if p.ndim > 1]
    rest = [p for p in parameters.values() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=config.learning_rate, betas=(0.9, 0.99))
