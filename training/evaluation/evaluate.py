"""``evaluate``: success of a bundle per kind of task and split, over fixed seeds, on every core, resumable."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from training.common.errors import EvaluationError
from training.evaluation.results import Results
from training.evaluation.rollout import Episode, EpisodeOutcome, RolloutConfig, run_episode
from world2act_core.bundle import Bundle, BundleError, load_bundle
from world2act_core.files import sha256_file
from world2act_core.imagined import ImaginedCodesError
from world2act_core.monitor import MonitorError, monitor_mode
from world2act_core.monitor_config import MONITOR_NAME
from world2act_core.worker_process import begin_worker
from world2act_sim.perturbation import SPLITS
from world2act_sim.tasks import TASK_KINDS, TaskKind


@dataclass(frozen=True)
class EvaluateConfig:
    """Measure a bundle. Running the same command again continues; finished episodes are not repeated."""

    bundle: Path = Path("models/tabletop-nano")
    out: Path | None = None
    """Default: runs/evaluation/<bundle's name>."""
    kinds: tuple[str, ...] = ("pick", "place", "stack", "composite")
    splits: tuple[str, ...] = ("seen",)
    """Names of world2act_sim's splits, or "all"."""
    episodes: int = 100
    """Episodes per kind and split."""
    first_seed: int = 0
    workers: int = 2
    videos: int = 3
    """Episodes per kind of the first split that are filmed."""
    robot: str = "Panda"
    imagined_codes: Path | None = None
    """What a world model imagined from the same initial states (made by `training imagined-codes`), for the alignment
    score of every episode; default: the bundle's own, if it has them."""
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    update_bundle: bool = False
    """Write the measured success into the bundle's manifest and card."""


def evaluate(config: EvaluateConfig) -> dict[str, Any]:
    """Entry point of ``python -m training evaluate``; returns what is written to ``evaluation.json``."""
    episodes = _episodes(config)
    try:
        bundle = load_bundle(config.bundle)
        bundle.code_book(config.imagined_codes)
        monitor_mode(config.rollout.monitor, bundle.monitor)
    except (BundleError, ImaginedCodesError, MonitorError) as error:
        raise EvaluationError(str(error)) from error
    out = config.out or Path("runs/evaluation") / bundle.manifest.name
    results = Results(out, policy_identity(bundle, config))
    filmed = {episode for episode in episodes if _is_filmed(episode, config)}
    missing = [e for e in episodes if not results.has(e) or (e in filmed and results.film(e) is None)]
    _run(config, missing, filmed, results)
    from training.evaluation.report import write_report

    report = write_report(config, bundle, results, episodes, out)
    if config.update_bundle:
        from training.evaluation.update import update_bundle

        update_bundle(config.bundle, report)
    return report


def policy_identity(bundle: Bundle, config: EvaluateConfig) -> str:
    """Hash of what decides an episode's record besides kind, split and seed: weights, contract, text, protocol, codes.

    What is as it was before there were residuals and monitors leaves no trace in it: older results are found again.
    """
    manifest = bundle.manifest
    residual = manifest.residual
    rollout = {name: value for name, value in asdict(config.rollout).items() if name != "monitor"}
    rollout["residual"] = "on" if manifest.residual_is_on(config.rollout.residual) else "off"
    if rollout["residual"] == "on":
        del rollout["residual"]
    parts: dict[str, Any] = {
        "policy": manifest.files[manifest.policy_graph],
        "contract": manifest.files["contract.yaml"],
        "text": manifest.text_encoder.sha256,
        "rollout": rollout,
        "robot": config.robot,
    }
    if residual is not None:
        parts["residual"] = bundle.manifest.files[residual.fused_graph or residual.graph]
    if config.imagined_codes is not None:
        parts["imagined_codes"] = sha256_file(config.imagined_codes)
    elif residual is not None and residual.imagined_codes:
        parts["imagined_codes"] = bundle.manifest.files[residual.imagined_codes]
    mode = monitor_mode(config.rollout.monitor, bundle.monitor)
    if mode != "off":
        parts["monitor"] = [mode, manifest.files[MONITOR_NAME]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _episodes(config: EvaluateConfig) -> list[Episode]:
    splits = tuple(SPLITS) if config.splits == ("all",) else config.splits
    unknown = [s for s in splits if s not in SPLITS] + [k for k in config.kinds if k not in TASK_KINDS]
    if unknown or config.episodes < 1:
        known = f"kinds are {', '.join(TASK_KINDS)}, splits {', '.join(SPLITS)}, episodes at least 1"
        raise EvaluationError(f"cannot evaluate {unknown or config.episodes}: {known}")
    seeds = range(config.first_seed, config.first_seed + config.episodes)
    return [Episode(cast(TaskKind, kind), split, seed) for split in splits for kind in config.kinds for seed in seeds]


def _is_filmed(episode: Episode, config: EvaluateConfig) -> bool:
    first_split = "seen" if config.splits == ("all",) else config.splits[0]
    return episode.split == first_split and episode.seed - config.first_seed < config.videos


def _run(config: EvaluateConfig, episodes: list[Episode], filmed: set[Episode], results: Results) -> None:
    if not episodes:
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    workers = min(config.workers, len(episodes))
    with ProcessPoolExecutor(workers, context, _start_worker, (config,)) as pool, _progress() as progress:
        task = progress.add_task("evaluate", total=len(episodes), detail="starting")
        jobs = [(episode, episode in filmed) for episode in episodes]
        try:
            for outcome in pool.map(_run_one, jobs):
                results.add(outcome)
                progress.update(task, advance=1, detail=results.summary())
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise EvaluationError("interrupted; run the same command again to continue") from None


def _progress() -> Progress:
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(TextColumn("evaluate"), *columns, TextColumn("{task.fields[detail]}"))


_worker: dict[str, Any] = {}


def _start_worker(config: EvaluateConfig) -> None:
    begin_worker()
    from world2act_core.policy import BundlePolicy
    from world2act_sim.world import TabletopWorld, WorldConfig

    world = TabletopWorld(WorldConfig(robot=config.robot))
    bundle = load_bundle(config.bundle, world.contract, "the simulated world")
    policy = BundlePolicy(bundle)
    policy.residual_on = bundle.manifest.residual_is_on(config.rollout.residual)
    _worker.update(config=config, world=world, policy=policy, codes=bundle.code_book(config.imagined_codes))


def _run_one(job: tuple[Episode, bool]) -> EpisodeOutcome:
    episode, record = job
    world, policy, codes = _worker["world"], _worker["policy"], _worker["codes"]
    return run_episode(world, policy, episode, _worker["config"].rollout, record, codes, policy.bundle.monitor)
