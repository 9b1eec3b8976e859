"""Recording what is done to a drawer and a button, and pushes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from training.common.errors import DatasetError
from training.data.collect import CollectConfig, KindWeights, _write_contract, collect, kind_of_seed
from training.data.demonstration import record_demonstration
from training.data.noise import NoiseConfig
from world2act_core.contract import Contract
from world2act_core.vocabulary import FIXTURE_VOCABULARY
from world2act_sim.perturbation import SPLITS
from world2act_sim.tasks import sample_task
from world2act_sim.world import TabletopWorld, WorldConfig

FIXTURE_ONLY = KindWeights(pick=0, place=0, stack=0, composite=0, open=1, close=1, press=1, push=1)


@pytest.fixture(scope="module")
def world() -> Iterator[TabletopWorld]:
    world = TabletopWorld(WorldConfig(render="none", fixtures=("drawer", "button")))
    yield world
    world.close()


@pytest.mark.parametrize("kind", ["open", "push"])
def test_rows_say_where_the_fixture_or_the_side_is(world: TabletopWorld, kind: str) -> None:
    buffer, info = record_demonstration(
        world,
        sample_task(kind, 100_000),  # type: ignore[arg-type]
        SPLITS["seen"],
        NoiseConfig(),
        seed=100_000,
        kind=kind,
        split="seen",
        done_frames=3,
        skill_seconds=15.0,
    )
    columns = buffer.stacked()
    (segment,) = info.segments
    assert info.success and segment.kind == kind and bool(columns["done"][-1])
    assert {"drawer", "button"} < set(info.objects)
    moved = columns["target_position"][-1] - columns["target_position"][0]
    sideways = {"left": 1.0, "right": -1.0, None: -1.0}[segment.support]
    assert sideways * moved[1] > 0.05 and abs(moved[2]) < 0.02, "the handle, or the object, went along y"
    assert bool(np.isfinite(columns["support_position"]).all()) == (kind == "push")


def test_kinds_need_their_fixture_and_defaults_stay(tmp_path: Path) -> None:
    assert {kind_of_seed(seed, FIXTURE_ONLY) for seed in range(60)} == {"open", "close", "press", "push"}
    assert "push" in {kind_of_seed(seed, KindWeights(push=0.5)) for seed in range(60)}
    with pytest.raises(DatasetError, match="kinds open, close, press, push need --fixtures drawer button; got .* none"):
        collect(CollectConfig(out=tmp_path / "new", kinds=FIXTURE_ONLY))
    with pytest.raises(DatasetError, match="kinds press need"):
        collect(CollectConfig(out=tmp_path / "new", kinds=KindWeights(press=1), fixtures=("drawer",)))
    assert not (tmp_path / "new").exists(), "nothing was written"


def test_the_contract_says_which_skills_there_are(tmp_path: Path) -> None:
    _write_contract(CollectConfig(out=tmp_path, fixtures=("drawer", "button")))
    assert Contract.from_yaml(tmp_path / "meta" / "contract.yaml").vocabulary == FIXTURE_VOCABULARY
    _write_contract(CollectConfig(out=tmp_path, fixtures=("drawer", "button")))
    with pytest.raises(DatasetError, match="use the same --fixtures"):
        _write_contract(CollectConfig(out=tmp_path))
