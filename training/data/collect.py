"""``collect``: scripted demonstrations on every core, resumable, one LeRobot v3 dataset in the end."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from training.common.errors import DatasetError
from training.data.collect_progress import CollectProgress
from training.data.lerobot_writer import discard_unfinished, read_staged, stage_episode, staged_folders
from training.data.noise import NoiseConfig
from training.data.pack import episode_rows, pack_dataset
from training.data.takeover import PolicyDriver, TakeoverConfig
from world2act_core.worker_process import begin_worker

if TYPE_CHECKING:
    from world2act_sim.tasks import TaskKind
    from world2act_sim.world import TabletopWorld

FPS = 10
FIXTURE_KINDS: tuple[TaskKind, ...] = ("open", "close", "press", "push")


@dataclass(frozen=True)
class KindWeights:
    """How often each kind of task is drawn (relative)."""

    pick: float = 0.15
    place: float = 0.3
    stack: float = 0.35
    composite: float = 0.2
    open: float = 0.0
    close: float = 0.0
    press: float = 0.0
    push: float = 0.0


@dataclass(frozen=True)
class CollectConfig:
    """Record scripted demonstrations. Running the same command again continues where it stopped."""

    out: Path = Path("data/tabletop")
    episodes: int = 1839
    """Episodes in the dataset in the end, successful and failed together."""
    workers: int = 2
    first_seed: int = 100_000
    """Episode i has seed first_seed + i; evaluation uses seeds below 100000."""
    robot: str = "Panda"
    image_size: int = 128
    fixtures: tuple[Literal["drawer", "button"], ...] = ()
    """Drawer and button besides bin and plate: kinds open and close, press, and push (with either) need them."""
    kinds: KindWeights = field(default_factory=KindWeights)
    split: str = "seen"
    light: float | None = None
    """Strength of light variation in [0, 1]; None: the split's own."""
    camera_pose: float | None = None
    """Strength of camera-pose variation in [0, 1]; None: the split's own."""
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    takeover: TakeoverConfig = field(default_factory=TakeoverConfig)
    done_frames: int = 6
    """Frames recorded once a skill's condition holds."""
    skill_seconds: float = 15.0
    """A skill that takes the expert longer than this has failed."""
    episodes_per_file: int = 50


@dataclass(frozen=True)
class EpisodeResult:
    """What a worker reports about one episode."""

    seed: int
    kind: str
    success: bool
    frames: int
    problem: str | None = None


def collect(config: CollectConfig) -> None:
    """Entry point of ``python -m training collect``."""
    _check_kinds(config)
    if config.takeover.policy is not None:
        _check_policy(config.takeover.policy, config)
    config.out.mkdir(parents=True, exist_ok=True)
    discard_unfinished(config.out)
    _write_contract(config)
    _write_calibrations(config)
    done = known_seeds(config.out)
    seeds = [s for s in range(config.first_seed, config.first_seed + config.episodes) if s not in done]
    try:
        with CollectProgress(config.episodes, config.episodes - len(seeds)) as progress:
            _run(config, seeds, progress)
    except KeyboardInterrupt:
        print("interrupted: packing what is finished; run the same command to continue")
        raise
    finally:
        pack_dataset(config.out, FPS, config.episodes_per_file)


def known_seeds(root: Path) -> set[int]:
    """Seeds of every finished episode under ``root``, packed or staged."""
    packed = {int(row["seed"]) for row in episode_rows(root)}
    return packed | {read_staged(folder)[0].seed for folder in staged_folders(root)}


def kind_of_seed(seed: int, weights: KindWeights) -> TaskKind:
    """The kind of task this seed records: a function of the seed and the weights alone."""
    names: tuple[TaskKind, ...] = ("pick", "place", "stack", "composite")
    # Only when asked for: the draws of a collection without fixtures stay what they were.
    names += tuple(kind for kind in FIXTURE_KINDS if getattr(weights, kind) != 0)
    shares = np.array([getattr(weights, name) for name in names], dtype=np.float64)
    if shares.min() < 0 or shares.sum() <= 0:
        raise DatasetError(f"kind weights must be non-negative with a positive sum, got {weights}")
    return names[int(np.random.default_rng([seed, 3]).choice(len(names), p=shares / shares.sum()))]


def _check_kinds(config: CollectConfig) -> None:
    """Refuse kinds that the table has no fixture for, before anything is written."""
    from world2act_core.vocabulary import fixture_vocabulary

    possible = fixture_vocabulary(config.fixtures).skills
    wanted = [kind for kind in FIXTURE_KINDS if getattr(config.kinds, kind) != 0 and kind not in possible]
    if wanted:
        fixtures = " ".join(config.fixtures) or "none"
        raise DatasetError(f"kinds {', '.join(wanted)} need --fixtures drawer button; got --fixtures {fixtures}")


def _check_policy(folder: Path, config: CollectConfig) -> None:
    """Refuse a bundle that cannot act in this world, before workers start and anything is written."""
    from world2act_core.bundle import BundleError, load_bundle
    from world2act_core.tabletop import tabletop_contract
    from world2act_core.vocabulary import fixture_vocabulary

    contract = tabletop_contract(config.robot, config.image_size, fixture_vocabulary(config.fixtures))
    try:
        load_bundle(folder, contract, "this collection")
    except BundleError as error:
        raise DatasetError(f"--takeover.policy: {error}") from error


def _write_contract(config: CollectConfig) -> None:
    from training.data.layout import CONTRACT_PATH
    from world2act_core.compatibility import check_compatible
    from world2act_core.contract import Contract
    from world2act_core.tabletop import tabletop_contract
    from world2act_core.vocabulary import fixture_vocabulary

    path = config.out / CONTRACT_PATH
    contract = tabletop_contract(config.robot, config.image_size, fixture_vocabulary(config.fixtures))
    if path.exists():
        written = Contract.from_yaml(path)
        check_compatible(contract, written, "this collection", str(path))
        if written.vocabulary.skills != contract.vocabulary.skills:
            raise DatasetError(
                f"{config.out} was begun with skills {', '.join(written.vocabulary.skills)}, these fixtures give "
                f"{', '.join(contract.vocabulary.skills)}; use the same --fixtures or another --out"
            )
    else:
        contract.to_yaml(path)


def _write_calibrations(config: CollectConfig) -> None:
    """Nominal calibration of both cameras, so that training can tell where in a picture a position is."""
    from training.data.layout import CALIBRATION_PATH
    from world2act_core.calibration import write_calibrations
    from world2act_sim.world import TabletopWorld, WorldConfig

    path = config.out / CALIBRATION_PATH
    if not path.exists():
        world = TabletopWorld(WorldConfig(robot=config.robot, image_size=config.image_size, render="none"))
        write_calibrations(path, world.calibrations())


def _run(config: CollectConfig, seeds: list[int], progress: CollectProgress) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    remaining = iter(seeds)
    unpacked = 0
    with ProcessPoolExecutor(config.workers, context, _start_worker, (config,)) as pool:
        try:
            pending = {pool.submit(_record, seed) for seed in islice(remaining, 2 * config.workers)}
            while pending:
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                pending |= {pool.submit(_record, seed) for seed in islice(remaining, len(finished))}
                unpacked += _report(finished, progress)
                if unpacked >= config.episodes_per_file:
                    pack_dataset(config.out, FPS, config.episodes_per_file, only_full=True)
                    unpacked = 0
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _report(finished: set[Future[EpisodeResult]], progress: CollectProgress) -> int:
    """Show what finished; raises the first worker error (a full disk, a broken world)."""
    for future in finished:
        progress.add(future.result())
    return len(finished)


_worker: dict[str, Any] = {}


def _start_worker(config: CollectConfig) -> None:
    """Runs once in each worker process: Ctrl-C is handled by the parent, which lets episodes finish."""
    begin_worker()
    from world2act_sim.world import TabletopWorld, WorldConfig

    world = TabletopWorld(
        WorldConfig(robot=config.robot, image_size=config.image_size, fixtures=tuple(config.fixtures))
    )
    _worker.update(config=config, world=world, policy=None)
    if config.takeover.policy is not None:
        from world2act_core.bundle import load_bundle
        from world2act_core.policy import BundlePolicy

        _worker["policy"] = BundlePolicy(load_bundle(config.takeover.policy, world.contract, "the simulated world"))


def _record(seed: int) -> EpisodeResult:
    """Record and stage the episode of ``seed`` in this worker."""
    from training.data.demonstration import record_demonstration
    from world2act_sim.perturbation import SPLITS
    from world2act_sim.placement import PlacementError
    from world2act_sim.tasks import sample_task

    config: CollectConfig = _worker["config"]
    world: TabletopWorld = _worker["world"]
    kind = kind_of_seed(seed, config.kinds)
    changes = {"light": config.light, "camera_pose": config.camera_pose}
    perturbation = SPLITS[config.split].with_changes(**{k: v for k, v in changes.items() if v is not None})
    policy = _worker.get("policy")
    driver = PolicyDriver(policy, config.takeover, np.random.default_rng([seed, 4])) if policy is not None else None
    try:
        buffer, info = record_demonstration(
            world,
            sample_task(kind, seed),
            perturbation,
            config.noise,
            seed=seed,
            kind=kind,
            split=config.split,
            done_frames=config.done_frames,
            skill_seconds=config.skill_seconds,
            driver=driver,
        )
    except PlacementError as error:
        return EpisodeResult(seed, kind, False, 0, str(error))
    stage_episode(config.out, buffer, info, FPS)
    return EpisodeResult(seed, kind, info.success, len(buffer))
