"""What an evaluation records of the residual: its size and the alignment score, per inference and per episode."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from training.evaluation.rollout import Episode, RolloutConfig, run_episode
from training.evaluation.scores import ScoreLog
from training.evaluation.watch import AlignmentWatch
from training.post_training.policies import ResidualPolicy
from training.tests.synthetic_post_training import CONTRACT, FixedPolicy, stir, tiny_head
from world2act_core.imagined import CodeBook, ImaginedStart
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk
from world2act_sim.world import TabletopWorld, WorldConfig

PROMPT = "pick up the can"


def book(codes: np.ndarray, prompt: str = PROMPT, name: str = "pick/seen/5") -> CodeBook:
    return CodeBook(4, "a" * 64, "b" * 64, False, {name: ImaginedStart((prompt,), codes)})


def test_inferences_without_a_code_are_none_and_do_not_count() -> None:
    codes = np.eye(3, dtype=np.float32)[None, :2]
    watch, log = AlignmentWatch(book(codes), "pick/seen/5", (PROMPT,)), ScoreLog()
    for tick, size in ((0, 0.1), (4, 0.3), (8, 0.2)):
        code = np.array([1.0, 0.0, 0.0], np.float32)
        chunk = ActionChunk(0, 0.1 * tick, 0.1, np.zeros((8, 7), np.float32), code=code, residual_size=size)
        log.see(watch.scored(chunk, 0), 0)
    assert log.alignment_chunks == (1.0, 0.0, None) and log.residual_size == pytest.approx(0.2)
    plain = ScoreLog()
    plain.see(watch.scored(replace(chunk, code=None, residual_size=float("nan")), 0), 0)
    assert plain.alignment_chunks is None and plain.residual_size is None


def test_an_episode_records_what_its_chunks_said() -> None:
    base = np.zeros((8, 7), np.float32)
    head = tiny_head(bound=(0.5,))
    stir(head.network, 0.3)
    policy = ResidualPolicy(FixedPolicy(base, tabletop_contract()), head)
    world = TabletopWorld(WorldConfig())
    episode, config = Episode("pick", "seen", 5), RolloutConfig(skill_seconds=1.5)
    before = run_episode(world, policy, episode, config)
    assert before.scores.alignment is None and before.scores.alignment_chunks is None
    (prompt,) = before.skills
    with torch.no_grad():
        code = head.coder.code_of(torch.zeros(1, 8, 7))[0].numpy()
    found = run_episode(world, policy, episode, config, codes=book(np.stack([code, -code])[None], prompt))
    policy.enabled = False
    off = run_episode(world, policy, episode, config, codes=book(np.stack([code, -code])[None], prompt))
    world.close()
    assert (found.ending, found.inferences) == (before.ending, before.inferences) and found.inferences >= 3
    log, plain = found.scores, off.scores
    assert log.alignment_chunks is not None and log.alignment_chunks[2] is None
    first, second = log.alignment_chunks[:2]
    assert first is not None and second is not None and first > 0 > second
    assert log.alignment == pytest.approx((first + second) / 2)
    assert log.residual_size is not None and 0 < log.residual_size <= 0.5
    assert plain.residual_size == 0.0 and plain.alignment_chunks is not None
    assert plain.alignment_chunks[:2] == pytest.approx((1.0, -1.0)) and off.inferences == len(plain.alignment_chunks)
    row = json.loads(json.dumps(found.to_json()))
    assert row["alignment_chunks"] == list(log.alignment_chunks) and row["alignment"] == log.alignment
    assert row["residual_size"] == log.residual_size


def test_the_size_is_in_shares_of_half_the_range() -> None:
    from world2act_core.residual import residual_size

    base = np.zeros((4, 7), np.float32)
    actions = base.copy()
    actions[:, :3] = 0.01  # a fifth of half the range of 0.05 m
    actions[0, 6] = -0.5
    assert residual_size(actions, base, CONTRACT) == pytest.approx((12 * 0.2 + 0.5) / 28)
