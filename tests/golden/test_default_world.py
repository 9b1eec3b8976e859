"""The Tabletop without fixtures is the one that bundles are trained and measured on: written down, so that it stays.

What is exact is kept as a hash, what processors round differently as numbers. When a change is intended,
`python tests/golden/test_default_world.py` writes default_world.json anew; every bundle must then be measured again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from training.data.collect import KindWeights, kind_of_seed
from world2act_core.pose import apply_action
from world2act_core.tabletop import tabletop_contract
from world2act_core.vocabulary import EXTENDED_VOCABULARY
from world2act_sim.expert import ScriptedExpert
from world2act_sim.perturbation import SPLITS
from world2act_sim.tasks import sample_task
from world2act_sim.world import TabletopWorld, WorldConfig

GOLDEN = Path(__file__).with_name("default_world.json")
TOLERANCE = 1e-4
"""Metres and radians after TICKS control periods."""
TICKS = 5
EPISODES = (("place", 7, "seen"), ("stack", 8, "distractors"), ("pick", 9, "unseen_instance"))


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def describe_words() -> dict[str, str]:
    """Contract, tasks and kinds of task as hashes."""
    kinds = ("pick", "place", "stack", "composite", "any")
    tasks = [
        repr(sample_task(kind, seed, wording, unseen))  # type: ignore[arg-type]
        for kind in kinds
        for seed in range(100)
        for wording in ("train", "heldout")
        for unseen in (False, True)
    ]
    vocabularies = (tabletop_contract("Panda", 128).vocabulary, EXTENDED_VOCABULARY)
    return {
        "vocabulary": _digest([vocabulary.model_dump_json() for vocabulary in vocabularies]),
        "tasks": _digest(tasks),
        "kinds": _digest([kind_of_seed(seed, KindWeights()) for seed in range(2000)]),
    }


def describe_model(world: TabletopWorld) -> dict[str, Any]:
    """Sizes and names of the compiled model."""
    model = world.model
    names = [model.body(i).name for i in range(model.nbody)] + [model.joint(i).name for i in range(model.njnt)]
    return {"sizes": [model.nq, model.nv, model.nu, model.nbody, model.ngeom, model.nmesh], "names": _digest(names)}


def describe_episode(world: TabletopWorld, kind: str, seed: int, split: str) -> list[float]:
    """Joint and object positions after the expert's first TICKS actions."""
    task = sample_task(kind, seed)  # type: ignore[arg-type]
    world.reset(seed, task, SPLITS[split], render=False)
    expert = ScriptedExpert(world)
    for _ in range(TICKS):
        world.step(apply_action(world.eef_pose(), expert.act(task.skills[0])), render=False)
    positions = world.object_positions()
    places = [position for name, position in sorted(positions.items())]
    joints = world.observe(render=False).joint_position
    return [float(value) for value in np.round(np.concatenate([joints, *places]), 6)]


def describe_all() -> dict[str, Any]:
    """Everything that is written down."""
    world = TabletopWorld(WorldConfig(render="none"))
    episodes = {f"{kind} {seed} {split}": describe_episode(world, kind, seed, split) for kind, seed, split in EPISODES}
    return {**describe_words(), "model": describe_model(world), "episodes": episodes}


def test_the_default_world_is_as_it_was() -> None:
    expected, found = json.loads(GOLDEN.read_text()), describe_all()
    assert found.keys() == expected.keys()
    for name in ("vocabulary", "tasks", "kinds", "model"):
        assert found[name] == expected[name], name
    for name, numbers in expected["episodes"].items():
        np.testing.assert_allclose(found["episodes"][name], numbers, atol=TOLERANCE, err_msg=name)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(describe_all(), indent=1) + "\n")
    print(f"{GOLDEN} is written; now look at `git diff {GOLDEN}`")
