"""What a person sees while the adapters train: a progress bar, a line per evaluation, and TensorBoard."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from training.alignment.evaluate import Evaluation

FIGURES = "loss {loss:.3f}  contrast {contrast:.3f}  reconstruction {reconstruction:.4f}  cosine {cosine:.3f}"


class AlignReport:
    """Shows one run; ``quiet`` (ranks other than the first) shows and writes nothing."""

    def __init__(self, out: Path, steps: int, every: int, quiet: bool = False) -> None:
        self._writer: Any = None if quiet else SummaryWriter(str(out / "tensorboard"))  # type: ignore[no-untyped-call]
        self._progress = Progress(
            TextColumn("align"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"), disable=quiet,
        )  # fmt: skip
        self._task = self._progress.add_task("align", total=steps, figures="")
        self._steps, self._every = steps, every
        self._sums: dict[str, torch.Tensor] = {}
        self._count = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        if self._writer is not None:
            self._writer.close()

    def say(self, text: str) -> None:
        """A line above the progress bar."""
        if self._writer is None:
            return
        self._progress.console.print(text, highlight=False, soft_wrap=True)

    def step(self, step: int, values: dict[str, torch.Tensor]) -> None:
        """Take in the numbers of the step that ended as number ``step``; shows their means every few steps."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, torch.zeros_like(value)) + value
        self._count += 1
        if step % self._every and step < self._steps:
            return
        means = {name: float(value) / self._count for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        self._progress.update(self._task, completed=step, figures=FIGURES.format(**means))
        if self._writer is not None:
            for name, mean in means.items():
                self._writer.add_scalar(f"train/{name}", mean, step)

    def evaluation(self, step: int, evaluation: Evaluation) -> None:
        """Show what the adapters retrieve after ``step`` steps."""
        if self._writer is None:
            return
        self.say(f"step {step}: {evaluation.line()}")
        for name in ("top1", "top5", "within_top1"):
            self._writer.add_scalar(f"held_out/{name}", getattr(evaluation.retrieval, name).rate, step)
        self._writer.add_scalar("held_out/score", evaluation.score, step)
        self._writer.add_scalar("held_out/reconstruction", evaluation.reconstruction, step)
        if evaluation.shifts.best is not None:
            self._writer.add_scalar("held_out/best_shift", evaluation.shifts.best, step)
