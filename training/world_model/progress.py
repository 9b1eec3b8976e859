"""What a person sees while a model trains: a progress bar with the numbers, a line now and then, and TensorBoard."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from torch.utils.tensorboard import SummaryWriter

if TYPE_CHECKING:
    from training.world_model.trainer import Trainer


class RunProgress:
    """Averages what each step reports and shows it every ``every`` steps; silent where ``show`` is false."""

    def __init__(self, out: Path, every: int, show: bool) -> None:
        self._every = every
        self._console = Console(soft_wrap=True, highlight=False, quiet=not show)
        self._writer = SummaryWriter(str(out / "tensorboard")) if show else None  # type: ignore[no-untyped-call]
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>5.1f} %"))
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal or not show)
        self._task = self._bar.add_task("training", total=1.0)
        self._sums: dict[str, float] = {}
        self._count = 0
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if self._writer is not None:
            self._writer.close()  # type: ignore[no-untyped-call]

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(text)

    def add(self, values: dict[str, torch.Tensor], trainer: Trainer) -> None:
        """Take in one step's numbers."""
        for name, number in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(number)
        self._count += 1
        self._bar.update(self._task, completed=trainer.progress)
        if trainer.step % self._every and trainer.progress < 1.0:
            return
        now = time.monotonic()
        means = {name: value / self._count for name, value in self._sums.items()}
        means["clips_per_second"] = trainer.config.batch * self._count / max(now - self._began, 1e-9)
        if self._writer is not None:
            for name, value in means.items():
                self._writer.add_scalar(f"train/{name}", value, trainer.step)  # type: ignore[no-untyped-call]
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in means.items())
        self.say(f"step {trainer.step:6d} {100 * trainer.progress:5.1f} %  {numbers}")
        self._sums, self._count, self._began = {}, 0, now
