"""The initial states of three seeds, written down: a change of physics, assets or random draws does not go unseen.

When the change is intended, `python tests/golden/test_reset.py` writes reset.json anew. Look at the difference, say why
in the commit, and measure every bundle again: its evaluation seeds mean other scenes now.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from world2act_sim.tasks import sample_task
from world2act_sim.world import TabletopWorld, WorldConfig

GOLDEN = Path(__file__).with_name("reset.json")
SEEDS = (0, 1, 100_000)
TOLERANCE = 1e-5
"""Metres. One machine repeats itself bit for bit; processors round differently, and contacts carry that on."""


def describe(world: TabletopWorld, seed: int) -> dict[str, Any]:
    """Task, object positions [m, base frame] and state vector after the reset, rounded to a micrometre."""
    task = sample_task("any", seed)
    state = world.reset(seed, task, render=False).state
    return {
        "instruction": task.instruction,
        "skills": [skill.prompt for skill in task.skills],
        "objects": {name: np.round(place, 6).tolist() for name, place in sorted(world.object_positions().items())},
        "state": np.round(state.astype(float), 6).tolist(),
    }


def describe_all() -> dict[str, Any]:
    """Seed -> what its reset gives."""
    world = TabletopWorld(WorldConfig(render="none"))
    return {str(seed): describe(world, seed) for seed in SEEDS}


def test_resets_are_as_they_were() -> None:
    expected, found = json.loads(GOLDEN.read_text()), describe_all()
    assert found.keys() == expected.keys()
    for seed, scene in found.items():
        golden = expected[seed]
        assert (scene["instruction"], scene["skills"]) == (golden["instruction"], golden["skills"]), seed
        assert scene["objects"].keys() == golden["objects"].keys(), seed
        for name, place in scene["objects"].items():
            np.testing.assert_allclose(place, golden["objects"][name], atol=TOLERANCE, err_msg=f"{seed} {name}")
        np.testing.assert_allclose(scene["state"], golden["state"], atol=TOLERANCE, err_msg=seed)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(describe_all(), indent=1) + "\n")
    print(f"{GOLDEN} is written; now look at `git diff {GOLDEN}`")
