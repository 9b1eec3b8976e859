"""Rollouts in the simulator: what is recorded, what is executed, and that a zero residual changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.post_training.config import RolloutSettings
from training.post_training.imagine import ImagineConfig, imagine_states
from training.post_training.imagined import ImaginedCodes
from training.post_training.initial_states import InitialState, StartsConfig, first_pictures
from training.post_training.policies import NanoVlaPolicy
from training.post_training.rollouts import LocalCollector, RecordingPolicy, StopRolloutError, Trajectory
from training.post_training.students import ResidualStudent
from training.tests.synthetic_post_training import (
    CHUNKS,
    CODE,
    CONTRACT,
    FixedPolicy,
    TinyImagination,
    TinyVideoAdapter,
    stir,
    tiny_head,
    tiny_vla,
)
from training.tests.synthetic_run import TEXT_ENCODER
from world2act_core.text_encoder import TextEncoder
from world2act_core.types import Observation


class _Unchanged:
    """A policy that nothing corrects."""

    def __init__(self, base: FixedPolicy) -> None:
        self.base = base

    def correct(self, observation: Observation, chunk: object) -> object:
        return chunk


def _codes(prompts: tuple[str, ...], whole_episode: bool = False) -> ImaginedCodes:
    state = InitialState("composite", "seen", 1, prompts)
    return ImaginedCodes((state,), (torch.zeros(len(prompts), CHUNKS, CODE),), whole_episode)


def _ask(recording: RecordingPolicy, tick: int, skill: int) -> None:
    images = {name: np.full((32, 32, 3), tick, np.uint8) for name in ("scene", "wrist")}
    recording.act(Observation(tick * 0.1, images, np.full(10, tick, np.float32)), f"skill {skill}", skill_id=skill)


def _recording(codes: ImaginedCodes, to_the_end: bool = False) -> RecordingPolicy:
    policy = _Unchanged(FixedPolicy(np.zeros((8, 7), np.float32)))
    return RecordingPolicy(policy, codes, 0, 4, to_the_end)  # type: ignore[arg-type]


def test_chunks_count_from_the_start_of_their_skill() -> None:
    recording = _recording(_codes(("a", "b")))
    # Skill 0 takes five queries, of which three were imagined; skill 1 begins at tick 20.
    for tick in range(0, 20, 4):
        _ask(recording, tick, 0)
    for tick in range(20, 32, 4):
        _ask(recording, tick, 1)
    with pytest.raises(StopRolloutError):
        _ask(recording, 32, 1)
    kept = recording.trajectory(None)
    assert kept.slots.tolist() == [0, 1, 2, 3, 4, 5]
    assert kept.state[:, 0].tolist() == [0, 4, 8, 20, 24, 28] and kept.images["wrist"][3, 0, 0, 0] == 20
    assert kept.prompts == ("skill 0",) * 3 + ("skill 1",) * 3


def test_whole_episodes_and_runs_to_the_end() -> None:
    recording = _recording(_codes(("a, then b",), whole_episode=True))
    for tick, skill in ((0, 0), (4, 1), (8, 1)):
        _ask(recording, tick, skill)
    with pytest.raises(StopRolloutError):
        _ask(recording, 12, 1)
    assert recording.trajectory(None).slots.tolist() == [0, 1, 2]
    patient = _recording(_codes(("a",)), to_the_end=True)
    for tick in range(0, 40, 4):
        _ask(patient, tick, 0)
    assert patient.trajectory(True).slots.tolist() == [0, 1, 2] and patient.trajectory(True).success
    assert len(_recording(_codes(("a",))).trajectory(None)) == 0


def test_two_initial_states_in_the_simulator(tmp_path: Path) -> None:
    student = ResidualStudent(tiny_head(), NanoVlaPolicy(tiny_vla(), TextEncoder(TEXT_ENCODER)))
    untrained = {name: value.clone() for name, value in student.tensors().items()}
    starts = StartsConfig(kinds=("pick", "place"))
    seen: dict[int, dict[str, np.ndarray]] = {}
    # Its world also shows the first pictures. An untrained policy may report that it is done: that must not end a run.
    collector = LocalCollector(student, _codes(("a",)), 4, RolloutSettings(done_threshold=1.1))
    world = collector._world

    def look(state: InitialState) -> dict[str, np.ndarray]:
        seen[len(seen)] = first_pictures(world, state)
        return seen[len(seen) - 1]

    config = ImagineConfig(out=tmp_path, count=2, shard_size=2, starts=starts)
    collector._codes = imagine_states(config, TinyImagination(), look).codes(TinyVideoAdapter(), 2)
    base = collector.collect([1, 0], untrained)
    assert [t.state_number for t in base] == [1, 0] and [len(t) for t in base] == [CHUNKS, CHUNKS]
    for trajectory in base:
        # A rollout begins with the very picture that the world model imagined from.
        first = fit(seen[trajectory.state_number]["scene"])
        np.testing.assert_array_equal(trajectory.images["scene"][0], first)
        assert trajectory.success is None and np.isfinite(trajectory.state).all()
    stir(student.head.network, 0.5)
    moved = collector.collect([1], {**student.tensors()})
    assert same(moved[0], base[0], 0) and not same(moved[0], base[0], 2)
    again = collector.collect([1], untrained)
    assert all(same(again[0], base[0], row) for row in range(CHUNKS))
    collector.close()


def same(one: Trajectory, other: Trajectory, row: int) -> bool:
    """Whether two rollouts saw and wanted the same, bit for bit."""
    pictures = all((one.images[name][row] == other.images[name][row]).all() for name in one.images)
    return pictures and one.state[row].tobytes() == other.state[row].tobytes()


def fit(image: np.ndarray) -> np.ndarray:
    """As the policy wants it."""
    from world2act_core.images import fit_image

    return fit_image(image, CONTRACT.camera("scene"))
