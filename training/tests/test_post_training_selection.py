"""Post-training on some tasks only, and checkpoints that stay."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.common.checkpoint import read_info
from training.common.errors import TrainingError
from training.post_training.command import run
from training.post_training.load import load_residual
from training.post_training.trainer import KEPT
from training.tests.synthetic_post_training import (
    FixedCollector,
    TinyActionAdapter,
    TinyVideoAdapter,
    fixed_rollouts,
    imagined_run,
)
from training.tests.test_post_training import settings, trainer_for


def test_only_states_of_some_tasks(tmp_path: Path) -> None:
    store = imagined_run(tmp_path)  # picks and composites take turns
    tasks = [state.episode.task for state in store.states]
    wanted = tuple(dict.fromkeys(task for task in tasks if task != "composite"))[:2]
    numbers = store.numbers(2, wanted)
    assert numbers == [n for n, task in enumerate(tasks) if task in wanted][:2]
    codes, everything = store.codes(TinyVideoAdapter(), 2, wanted), store.codes(TinyVideoAdapter(), 8)
    assert [state.episode.task for state in codes.states] == [tasks[n] for n in numbers]
    assert all(torch.equal(rows, everything.codes[n]) for rows, n in zip(codes.codes, numbers))
    assert store.numbers(3) == [0, 1, 2]
    with pytest.raises(TrainingError, match=r"--trajectories 8 asks for more than the \d of 8 .* of the tasks pick"):
        store.numbers(8, wanted)
    with pytest.raises(TrainingError, match="imagine --count 9"):
        store.numbers(9, wanted)


def test_kept_checkpoints_stay_and_load(tmp_path: Path) -> None:
    config = settings(tmp_path, iterations=5, keep_every=2)
    last = run(trainer_for(config), FixedCollector(fixed_rollouts()))
    kept = sorted((tmp_path / KEPT).iterdir())
    assert [folder.name for folder in kept] == ["step-00000002", "step-00000004"]
    assert last.name == "step-00000005" and not list(kept[0].glob("optimiser*"))
    assert read_info(kept[0])["optimiser_steps"] == 6
    heads = [load_residual(folder, TinyActionAdapter()).head for folder in (kept[0], kept[1], last)]
    weights = [torch.cat([p.flatten() for p in head.network.parameters()]) for head in heads]
    assert not torch.equal(weights[0], weights[1]) and not torch.equal(weights[1], weights[2])
