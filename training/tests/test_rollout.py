"""What needs the simulator: collecting (resumed, interrupted by a full disk) and evaluating a bundle."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from training.common import disk
from training.common.errors import DatasetDiskFullError, DatasetError, EvaluationError
from training.data import collect as collecting
from training.data import lerobot_writer
from training.data.cache import CacheConfig, build_cache
from training.data.collect import CollectConfig, KindWeights, collect, kind_of_seed, known_seeds
from training.data.lerobot_reader import LeRobotReader
from training.data.takeover import TakeoverConfig
from training.evaluation.evaluate import EvaluateConfig, evaluate
from training.evaluation.rollout import Episode, RolloutConfig, run_episode
from training.export.policy import PolicyExportConfig, export_policy
from training.tests.synthetic_run import TEXT_ENCODER, tiny_config
from training.vla.config import SamplingConfig
from training.vla.index import build_index
from training.vla.train import train
from world2act_core.bundle import load_bundle
from world2act_core.contract import Contract
from world2act_core.policy import BundlePolicy
from world2act_sim.world import TabletopWorld, WorldConfig

PICKS = KindWeights(pick=1, place=0, stack=0, composite=0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recorded picks, collected in two runs of one command."""
    out = tmp_path_factory.mktemp("tabletop")
    config = CollectConfig(out=out, episodes=1, workers=1, kinds=PICKS)
    collect(config)
    collect(replace(config, episodes=2))
    return out


@pytest.fixture(scope="module")
def bundle(dataset: Path) -> Path:
    cache = build_cache(CacheConfig(dataset=dataset, image_size=32, workers=1))
    checkpoint = train(tiny_config(cache, dataset / "run", 2))
    out = dataset / "models" / "tiny"
    export_policy(PolicyExportConfig(checkpoint=checkpoint, out=out, name="tiny", text_encoder=TEXT_ENCODER))
    return out


@pytest.fixture
def world() -> Iterator[TabletopWorld]:
    world = TabletopWorld(WorldConfig())
    yield world
    world.close()


def test_collected_episodes_say_what_happened(dataset: Path) -> None:
    reader = LeRobotReader(dataset)
    assert [row["seed"] for row in reader.episodes] == [100_000, 100_001] and known_seeds(dataset) == {100_000, 100_001}
    for row in reader.episodes:
        columns = reader.episode_columns(row["episode_index"])
        assert row["kind"] == "pick" and row["skill_kinds"] == ["pick"] and row["skill_from"] == [0]
        assert row["skill_to"] == [row["length"]] and row["skills"][0] in reader.tasks
        assert row["success"] == bool(columns["done"][-1])
        assert columns["action"].min() >= -1.0 and columns["action"].max() <= 1.0
        assert columns["target_position"][0, 0] > 0.2  # metres in front of the robot's base
        assert sum(1 for _ in reader.episode_frames(row["episode_index"], "scene")) == row["length"]
    assert Contract.from_yaml(dataset / "meta" / "contract.yaml").robot == "Panda"
    assert reader.info["robot_type"] == "panda"


def test_the_expert_takes_over_from_a_policy(bundle: Path, tmp_path: Path) -> None:
    takeover = TakeoverConfig(policy=bundle, probability=1.0, seconds=2.0)
    config = CollectConfig(out=tmp_path, episodes=2, workers=1, kinds=PICKS, takeover=takeover)
    collect(config)
    reader = LeRobotReader(tmp_path)
    starts = [row["skill_from"][0] for row in reader.episodes]
    assert max(starts) > 0 and all(0 <= start <= 20 for start in starts)  # up to 2 s at 10 Hz
    for row, start in zip(reader.episodes, starts):
        columns = reader.episode_columns(row["episode_index"])
        assert row["skill_to"] == [row["length"]] and row["success"]
        # What the policy did is in the video and in executed_action; the label is the expert's all along.
        driven = np.abs(columns["executed_action"][:start] - columns["action"][:start]).max(axis=1)
        assert (driven > 1e-3).all()
    frames = build_index(reader, len(reader), Contract.from_yaml(bundle / "contract.yaml"), SamplingConfig()).frames
    first = reader.episodes[0]["dataset_from_index"]
    assert not set(range(first, first + starts[0])) & set(frames.tolist())  # none of the policy's is cloned


def test_a_policy_that_cannot_begin_is_refused(tmp_path: Path) -> None:
    missing = TakeoverConfig(policy=tmp_path / "nothing")
    with pytest.raises(DatasetError, match="--takeover.policy: .*nothing"):
        collect(CollectConfig(out=tmp_path / "data", takeover=missing))
    assert not (tmp_path / "data").exists()
    with pytest.raises(DatasetError, match=r"probability must be in \[0, 1\]"):
        TakeoverConfig(probability=1.5)


def test_full_disk_while_collecting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: TabletopWorld) -> None:
    monkeypatch.setattr(lerobot_writer, "require_free_space", lambda root, minimum: _full(root))
    monkeypatch.setitem(collecting._worker, "world", world)
    monkeypatch.setitem(collecting._worker, "config", CollectConfig(out=tmp_path, kinds=PICKS))
    with pytest.raises(DatasetDiskFullError, match=r"no space left for .* MiB free"):
        collecting._record(100_000)
    assert not list(tmp_path.glob(".staging/*"))


def test_a_disk_that_fills_up_keeps_the_dataset_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: TabletopWorld
) -> None:
    """The whole command: one episode fits, then no byte does, then there is room again."""
    # In this process, so that a fault set here is there in the worker too.
    monkeypatch.setattr(collecting, "ProcessPoolExecutor", _NoPool)
    monkeypatch.setattr(collecting, "_start_worker", lambda config: collecting._worker.update(config=config))
    monkeypatch.setitem(collecting._worker, "world", world)
    monkeypatch.setitem(collecting._worker, "config", None)
    config = CollectConfig(out=tmp_path, episodes=1, workers=1, kinds=PICKS)
    collect(config)
    frames = len(LeRobotReader(tmp_path))

    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(disk.os, "fsync", no_space)
        with pytest.raises(DatasetDiskFullError, match=r"no space left for .*00010000[12].*run the same command again"):
            collect(replace(config, episodes=3))
    reader = LeRobotReader(tmp_path)
    assert len(reader) == frames and reader.frame(frames - 1, "scene").shape == (128, 128, 3)
    reader.close()
    collect(replace(config, episodes=2))
    assert [row["seed"] for row in LeRobotReader(tmp_path).episodes] == [100_000, 100_001]


class _NoPool:
    """A pool that does its work at once, here."""

    def __init__(self, workers: int, context: object, initializer: Callable[..., None], arguments: tuple) -> None:
        initializer(*arguments)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is running."""

    def submit(self, function: Callable[..., object], *arguments: object) -> Future:
        future: Future = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool, cancel_futures: bool) -> None:
        """Nothing is running."""


def _full(root: Path) -> None:
    from training.common.disk import disk_full_error

    raise disk_full_error(root)


def test_kinds_follow_from_seeds() -> None:
    kinds = [kind_of_seed(seed, KindWeights()) for seed in range(400)]
    assert kinds == [kind_of_seed(seed, KindWeights()) for seed in range(400)]
    assert set(kinds) == {"pick", "place", "stack", "composite"}
    assert abs(kinds.count("stack") / 400 - KindWeights().stack) < 0.08


def test_one_seed_gives_one_trajectory(bundle: Path, world: TabletopWorld) -> None:
    policy = BundlePolicy(load_bundle(bundle, world.contract))
    config = RolloutConfig(skill_seconds=1.5)
    first, again = (run_episode(world, policy, Episode("place", "seen", 5), config) for _ in range(2))
    assert first.to_json() == again.to_json()
    assert first.ending in ("timeout", "finished") and first.inferences >= 2


def test_evaluation_resumes_and_updates_the_bundle(bundle: Path, tmp_path: Path) -> None:
    rollout = RolloutConfig(skill_seconds=1.0)
    config = EvaluateConfig(
        bundle=bundle, out=tmp_path, kinds=("pick",), episodes=1, workers=1, videos=1, rollout=rollout
    )
    evaluate(config)
    report = evaluate(replace(config, episodes=2, update_bundle=True))
    metric = report["metrics"]["pick"]["seen"]
    assert metric["n"] == 2 and metric["seeds"] == [0, 1] and len(metric["interval"]) == 2
    assert len((tmp_path / "episodes.jsonl").read_text().splitlines()) == 2
    assert json.loads((tmp_path / "evaluation.json").read_text())["commit"]
    assert (tmp_path / "evaluation.png").stat().st_size > 1000 and (tmp_path / "episodes.mp4").stat().st_size > 1000
    assert load_bundle(bundle).manifest.metrics["pick"]["seen"].n == 2
    assert "| pick | seen |" in (bundle / "card.md").read_text()
    with pytest.raises(EvaluationError, match="cannot evaluate"):
        evaluate(replace(config, splits=("moon",)))
