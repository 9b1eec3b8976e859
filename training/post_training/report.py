"""What a person sees while a policy is post-trained: a line per iteration, a bar, TensorBoard."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

LINE = (
    "iteration {iteration:4.0f}  loss {loss:.3f}  alignment {alignment:+.3f} (before {alignment_before:+.3f})  "
    "retrieval {retrieval:.2f} (chance {chance:.2f})  residual {change:.3f}  {chunks:.0f} chunks  {seconds:.1f} s"
)


class PostTrainReport:
    """Shows each iteration's numbers."""

    def __init__(self, out: Path, iterations: int, done: int) -> None:
        columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._writer = SummaryWriter(str(out / "tensorboard"))  # type: ignore[no-untyped-call]
        self._progress = Progress(TextColumn("post-train"), *columns)
        self._task = self._progress.add_task("post-train", total=iterations, completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        self._writer.close()  # type: ignore[no-untyped-call]

    def add(self, row: dict[str, float]) -> None:
        """Show the numbers of one iteration."""
        for name, value in row.items():
            if name != "iteration":
                self._writer.add_scalar(f"post-train/{name}", value, int(row["iteration"]))  # type: ignore[no-untyped-call]
        self._progress.console.print(LINE.format(**row), highlight=False, soft_wrap=True)
        self._progress.advance(self._task)
