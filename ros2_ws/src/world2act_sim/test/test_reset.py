"""A reset is a function of its seed alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from world2act_core.pose import apply_action
from world2act_sim import placement
from world2act_sim.perturbation import SPLITS
from world2act_sim.placement import PlacementError, place_objects
from world2act_sim.tasks import sample_task
from world2act_sim.world import TabletopWorld


def _rollout(world: TabletopWorld, seed: int, ticks: int = 4) -> list[np.ndarray]:
    world.reset(seed, sample_task("stack", seed))
    trace = [world.data.qpos.copy()]
    for tick in range(ticks):
        action = np.array([0.02, -0.01, -0.03, 0.0, 0.05, 0.1, 1.0 if tick > 1 else -1.0], np.float32)
        observation = world.step(apply_action(world.eef_pose(), action))
        trace += [world.data.qpos.copy(), observation.state, *observation.images.values()]
    return trace


def test_same_seed_gives_identical_states_and_pictures_whatever_happened_before(world: TabletopWorld) -> None:
    first = _rollout(world, 11)
    world.reset(12, sample_task("composite", 12), SPLITS["texture"])
    _rollout(world, 13)
    second = _rollout(world, 11)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_other_seed_gives_another_scene(world: TabletopWorld) -> None:
    world.reset(1, sample_task("pick", 1), render=False)
    first = world.object_positions()
    world.reset(2, sample_task("pick", 2), render=False)
    assert first.keys() != world.object_positions().keys() or any(
        not np.allclose(first[name], position) for name, position in world.object_positions().items()
    )


@pytest.mark.parametrize("split", [name for name in SPLITS if name not in {"seen", "unseen_category"}])
def test_every_perturbation_changes_the_picture_and_is_undone(world: TabletopWorld, split: str) -> None:
    task = sample_task("place", 5)
    nominal = world.reset(5, task).images["scene"]
    changed = world.reset(5, task, SPLITS[split]).images["scene"]
    assert np.abs(nominal.astype(int) - changed).mean() > 0.5
    assert np.array_equal(nominal, world.reset(5, task).images["scene"])


def test_objects_rest_on_the_table_apart_from_each_other(world: TabletopWorld) -> None:
    for seed in range(20):
        world.reset(seed, sample_task("any", seed), render=False)
        positions = world.object_positions()
        names = [name for name in positions if name in world.scene.present]
        assert 3 <= len(names) <= 5
        for name in names:
            body = world.scene.bodies[name]
            assert abs(body.bottom(world.data) - 0.8) < 0.004, (seed, name)
            others = [np.linalg.norm(positions[name][:2] - positions[other][:2]) for other in names if other != name]
            assert min(others) > 0.06, (seed, name)


def test_too_many_objects_is_a_clear_error() -> None:
    radii = {f"object {index}": 0.05 for index in range(30)}
    with pytest.raises(PlacementError, match="no room on the table for all of: object 0"):
        place_objects(np.random.default_rng(0), radii, attempts=3)


def test_distractors_that_do_not_fit_are_left_out(world: TabletopWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    # A wider hand: some tables have room for five objects and all three distractors, others do not.
    monkeypatch.setattr(placement, "FINGER_ROOM_M", 0.055)
    counts = set()
    for seed in range(30):
        task = sample_task("composite", seed)
        if len(task.objects) == 5:
            world.reset(seed, task, SPLITS["distractors"], render=False)
            assert set(task.objects) <= set(world.scene.present)
            counts.add(len(world.scene.present))
    assert 5 <= min(counts) < 8, counts


def test_calibrations_project_objects_onto_their_pictures(world: TabletopWorld) -> None:
    wanted = {"red cube": 0, "green cube": 1, "blue cube": 2}
    hits: dict[str, list[bool]] = {"scene": [], "wrist": []}
    for seed in range(12):
        observation = world.reset(seed, sample_task("stack", seed))
        rotation = Rotation.from_quat(observation.eef_pose.quaternion).as_matrix()
        for camera, calibration in world.calibrations().items():
            picture = observation.images[camera].astype(int)
            for name, channel in wanted.items():
                if name not in world.object_positions():
                    continue
                place = calibration.project(world.object_positions()[name], observation.eef_pose.position, rotation)
                if not np.isnan(place).any():
                    pixel = picture[int(place[1] * len(picture) - 1e-9), int(place[0] * len(picture) - 1e-9)]
                    hits[camera].append(bool(pixel[channel] > 1.5 * np.delete(pixel, channel).max()))
    for camera, found in hits.items():
        # A few are hidden behind the hand or another object.
        assert len(found) >= 10 and np.mean(found) > 0.8, (camera, found)
