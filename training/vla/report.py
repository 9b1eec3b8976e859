"""What a person sees while the policy trains: a line every few steps and TensorBoard."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import torch
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

if TYPE_CHECKING:
    from training.vla.index import FrameIndex
    from training.vla.model import NanoVla
    from training.vla.train import Trainer

LINE = "  ".join(
    (
        "step {step:6d} {percent:5.1f} %  loss {loss:.3f}  action {action:.3f}  move {move_mm:.1f} mm",
        "turn {turn_mrad:.0f} mrad  gripper {gripper_error:.3f}  done {done:.3f}  target {target_mm:.1f} mm",
        "support {support_mm:.1f} mm  pointing {pointing:.2f}  words {target_accuracy:.2f}  lr {learning_rate:.1e}",
        "{rate:.0f} samples/s  {left:.0f} min left",
    )
)


class TrainReport:
    """Averages what each step reports and shows it every ``every`` steps."""

    def __init__(self, out: Path, every: int) -> None:
        self._writer = SummaryWriter(str(out / "tensorboard"))  # type: ignore[no-untyped-call]
        self._console = Console(soft_wrap=True, highlight=False)
        self._every = every
        self._sums: dict[str, float] = {}
        self._count = 0
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()  # type: ignore[no-untyped-call]

    def describe(self, model: NanoVla, index: FrameIndex, step: int) -> None:
        """Say once what is being trained on what."""
        size = sum(p.numel() for p in model.parameters()) / 1e6
        self._console.print(
            f"{size:.2f} M parameters, {len(index.frames)} frames, {len(index.skills)} skills, step {step}"
        )

    def add(self, values: dict[str, float | torch.Tensor], trainer: Trainer, batch: int) -> None:
        """Take in one step's numbers."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._count += 1
        if trainer.step % self._every and trainer.progress < 1.0:
            return
        now = time.monotonic()
        means = {name: value / self._count for name, value in self._sums.items()}
        per_step = (now - self._began) / self._count
        for name, value in means.items():
            self._writer.add_scalar(f"train/{name}", value, trainer.step)  # type: ignore[no-untyped-call]
        self._writer.add_scalar("train/samples_per_second", batch / per_step, trainer.step)  # type: ignore[no-untyped-call]
        minutes = _minutes_left(trainer, per_step)
        line = LINE.format(
            step=trainer.step, percent=100 * trainer.progress, rate=batch / per_step, left=minutes, **means
        )
        self._console.print(line)
        self._sums, self._count, self._began = {}, 0, now


def _minutes_left(trainer: Trainer, seconds_per_step: float) -> float:
    if trainer.config.steps:
        return (trainer.config.steps - trainer.step) * seconds_per_step / 60
    return max(0.0, trainer.config.minutes - trainer.seconds / 60)
