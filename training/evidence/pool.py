"""Episodes of one arm in this process or in several, each with its own world and policy; in order."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.policy import ChunkPolicy
from training.evaluation.rollout import Episode, EpisodeOutcome, run_episode
from training.evidence.probe import ScoredPolicy, open_probe
from training.post_training.load import open_policy
from training.post_training.policies import BaseSource
from world2act_core.worker_process import begin_worker

if TYPE_CHECKING:
    from training.evidence.arm import EvaluateArmConfig
    from world2act_sim.world import TabletopWorld


@dataclass(frozen=True)
class Job:
    """An episode to run, filmed or not."""

    episode: Episode
    film: bool = False


@dataclass(frozen=True)
class Played:
    """An episode that was run. score: its alignment score; frames: uint8 [H, 2W, 3] each, when filmed."""

    outcome: EpisodeOutcome
    score: float | None = None
    frames: list[NDArray[np.uint8]] = field(default_factory=list, repr=False)


def play(config: EvaluateArmConfig, jobs: Sequence[Job]) -> Iterator[Played]:
    """Run every job; the results come in the order of ``jobs`` and do not depend on the number of workers."""
    if not jobs:
        return
    os.environ.setdefault("MUJOCO_GL", "egl")
    if config.workers < 1:
        with closing(_open_world(config)) as world:
            policy = _open_policy(config)
            for job in jobs:
                yield _play_one(config, world, policy, job)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    workers = min(config.workers, len(jobs))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker, (config,)) as pool:
        try:
            yield from pool.map(_play_in_worker, jobs)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _open_world(config: EvaluateArmConfig) -> TabletopWorld:
    from world2act_sim.world import TabletopWorld, WorldConfig

    return TabletopWorld(WorldConfig(robot=config.robot))


def _open_policy(config: EvaluateArmConfig) -> ChunkPolicy:
    policy = open_policy(BaseSource(config.base, config.text_encoder), config.residual)
    if config.adapters is None or config.imagined is None:
        return policy
    return open_probe(policy, config.adapters, config.imagined)


def _play_one(config: EvaluateArmConfig, world: TabletopWorld, policy: ChunkPolicy, job: Job) -> Played:
    from world2act_sim.placement import PlacementError

    if isinstance(policy, ScoredPolicy):
        policy.begin(job.episode)
    try:
        outcome = run_episode(world, policy, job.episode, config.rollout, job.film)
    except PlacementError:
        # The same for every policy, so it stays a pair; it just tells nothing.
        outcome = EpisodeOutcome(job.episode, "", (), False, (), "no_room", 0.0, 0, 0)
    score = policy.score if isinstance(policy, ScoredPolicy) else None
    return Played(replace(outcome, frames=[]), score, outcome.frames)


_worker: dict[str, Any] = {}


def _start_worker(config: EvaluateArmConfig) -> None:
    begin_worker()
    import torch

    torch.set_num_threads(1)
    _worker.update(config=config, world=_open_world(config), policy=_open_policy(config))


def _play_in_worker(job: Job) -> Played:
    return _play_one(_worker["config"], _worker["world"], _worker["policy"], job)
