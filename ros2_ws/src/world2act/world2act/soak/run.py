"""Works a graph that is up for as long as is wanted, sampling it and telling people how it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from world2act.errors import GraphError
from world2act.graph import DEFAULT_SIM_PROFILE
from world2act.soak.counts import Counts
from world2act.soak.listener import Listener
from world2act.soak.meters import MEMORY, Values
from world2act.soak.recordings import remove_old_recordings
from world2act.soak.sampler import Sampler
from world2act.soak.settings import Settings
from world2act.soak.steps import steps
from world2act.soak.table import SampleWriter
from world2act.soak.worker import Worker
from world2act.supervision.graph_watch import GraphWatch
from world2act.supervision.supervisor import Supervisor

Tell = Callable[[str], None]
RECORDINGS = "recordings"


class _OverError(Exception):
    """The time is over, or the graph is."""


class SoakRun:
    """Everything runs in this thread; `run` returns when the time is over.

    folders: those whose size is followed; the one called "recordings" is kept small. shm_before: files in shared memory
    that are others'. problem: why it ended before its time, "" when it did not.
    """

    def __init__(
        self, supervisor: Supervisor, settings: Settings, table: SampleWriter, folders: Mapping[str, Path],
        shm_before: frozenset[str], tell: Tell,
    ) -> None:  # fmt: skip
        self.settings, self.counts, self.problem = settings, Counts(), ""
        self._tell, self._folders = tell, folders
        self._watch = GraphWatch(supervisor, "restart", tell=lambda name, text: tell(f"{name}: {text}"))
        self.listener = Listener(supervisor.session.node, DEFAULT_SIM_PROFILE, self.counts)
        self.sampler = Sampler(supervisor, self.listener, self.counts, table, folders, shm_before)
        self._worker = Worker(supervisor.session, self.listener, self.counts, self._tick)
        self.began_s = time.monotonic()
        self.seconds = 0.0
        """How long it worked, when it has ended."""
        self._sample_due_s = self.began_s
        self._progress_due_s = self.began_s + settings.progress_s

    @property
    def elapsed_s(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began_s

    def run(self) -> None:
        """Give the graph work until the time is over or the supervisor has given the graph up (see `problem`)."""
        try:
            for step in steps(self.settings.seed):
                self._worker.run(step)
        except _OverError as over:
            self.problem = str(over)
            self._sample()  # what has stopped since the last one is not to be missed
        finally:
            self.seconds = self.elapsed_s

    def _tick(self) -> None:
        try:
            self._watch.tick()
        except GraphError as error:
            raise _OverError(f"the graph ended after {self.elapsed_s:.0f} s: {error}") from error
        self.listener.look()
        if time.monotonic() >= self._sample_due_s:
            self._sample()
        if self.elapsed_s >= self.settings.seconds:
            raise _OverError("")

    def _sample(self) -> None:
        values = self.sampler.take(self.elapsed_s, time.time())
        now_s = time.monotonic()
        self._sample_due_s = now_s + self.settings.sample_s
        if RECORDINGS in self._folders:
            remove_old_recordings(self._folders[RECORDINGS], self.settings.keep)
        if now_s >= self._progress_due_s:
            self._progress_due_s = now_s + self.settings.progress_s
            self._tell(self._progress(values))

    def _progress(self, values: Values) -> str:
        left_s = max(0.0, self.settings.seconds - self.elapsed_s)
        counts = self.counts
        own_mib = sum(value for name, value in values.items() if name.endswith(MEMORY))
        ends = time.strftime("%H:%M", time.localtime(time.time() + left_s))
        return (
            f"{clock(self.elapsed_s)} of {clock(self.settings.seconds)}, until {ends}: "
            f"{counts.instructions} instructions, {counts.succeeded} done, {counts.cancelled} cancelled, "
            f"{counts.e_stops} e-stops, {sum(counts.faults.values())} faults, {counts.problem_count} problems; "
            f"{own_mib:.0f} MiB; "
            f"commands {values['commands.hz']:.1f} Hz, longest gap {self.listener.commands.longest_s:.2f} s"
        )


def clock(seconds: float) -> str:
    """Seconds as 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
