"""Runs the episodes that are missing, in this process or in several."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from world2act.episode import EpisodeRequest
from world2act.paired.conditions import ConditionName, Conditions
from world2act.paired.log import Key
from world2act.paired.outcome import Outcome
from world2act.smooth.late_inference import Timing
from world2act_core.worker_process import begin_worker


@dataclass(frozen=True)
class Job:
    """One episode under one condition."""

    condition: ConditionName
    kind: str
    seed: int

    @property
    def key(self) -> Key:
        """As `Outcome.key`."""
        return self.condition, self.kind, self.seed


@dataclass(frozen=True)
class Arm:
    """What every condition is made of. bundle: its folder; robot: profile, a name or a path."""

    bundle: str
    robot: str
    timing: Timing
    reduced: bool

    def conditions(self) -> Conditions:
        """Loads the bundle."""
        return Conditions(self.bundle, self.robot, self.timing, self.reduced)


def run_jobs(arm: Arm, jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """The outcomes of `jobs`, as they come."""
    if workers == 1:
        conditions = arm.conditions()
        for job in jobs:
            yield _run(conditions, job)
        return
    # Not forked: a renderer and an engine do not survive that.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker, (arm,)) as pool:
        futures = [pool.submit(_work, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _run(conditions: Conditions, job: Job) -> Outcome:
    return conditions.run(job.condition, EpisodeRequest(job.seed, kind=job.kind))


_conditions: Conditions | None = None  # of a worker process


def _start_worker(arm: Arm) -> None:
    global _conditions
    begin_worker()
    _conditions = arm.conditions()


def _work(job: Job) -> Outcome:
    assert _conditions is not None, "the worker was not started by run_jobs"
    return _run(_conditions, job)
