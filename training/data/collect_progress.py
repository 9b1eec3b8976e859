"""The live view of a collection: bar, rate, time left, success per kind of task."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from training.data.collect import EpisodeResult


class CollectProgress:
    """Context manager; :meth:`add` once per finished episode."""

    def __init__(self, total: int, completed: int) -> None:
        columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._progress = Progress(TextColumn("collect"), *columns, TextColumn("{task.fields[detail]}"))
        self._task = self._progress.add_task("collect", total=total, completed=completed, detail="starting")
        self._tried: Counter[str] = Counter()
        self._succeeded: Counter[str] = Counter()
        self._frames = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        print(f"{sum(self._tried.values())} episodes, {self._frames} frames, successes: {self.summary()}", flush=True)

    def add(self, result: EpisodeResult) -> None:
        """Count one episode."""
        self._tried[result.kind] += 1
        self._succeeded[result.kind] += result.success
        self._frames += result.frames
        if result.problem:
            self._progress.console.print(f"seed {result.seed} skipped: {result.problem}")
        elapsed = max(self._progress.tasks[0].elapsed or 0.0, 1e-9)
        rate = sum(self._tried.values()) / elapsed
        detail = f"{rate * 60:.0f}/min {self._frames / elapsed:.0f} frames/s {self.summary()}"
        self._progress.update(self._task, advance=1, detail=detail)
        count = sum(self._tried.values())
        if not self._progress.console.is_terminal and count % 50 == 0:
            self._progress.console.print(f"{count} episodes, {detail}")

    def summary(self) -> str:
        """Successes per kind, as "pick 19/20 place 30/34"."""
        return " ".join(f"{kind} {self._succeeded[kind]}/{self._tried[kind]}" for kind in sorted(self._tried))
