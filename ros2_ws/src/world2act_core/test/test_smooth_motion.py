"""Chunks, measured poses and a clock together: an emulated arm that answers late is led so that it is on time."""

from __future__ import annotations

import numpy as np
import pytest

from world2act_core.motion import SmoothMotion
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk, EefPose

CONTRACT = tabletop_contract(image_size=16)
DOWN = np.array([1.0, 0.0, 0.0, 0.0])
PERIOD_S = 0.01


def pose(x: float) -> EefPose:
    return EefPose(np.array([x, 0.0, 0.2]), DOWN)


def chunk(start_s: float, sequence: int, step_m: float = 0.0) -> ActionChunk:
    actions = np.zeros((8, 7), dtype=np.float32)
    actions[:, 0] = step_m
    actions[:, 6] = 1.0
    return ActionChunk(sequence, start_s, 0.1, actions)


def test_an_arm_that_is_late_is_led_by_its_delay() -> None:
    """A hand that goes back and forth, told by chunks that come 0.15 s late, on an arm that answers after 0.2 s."""
    motion = SmoothMotion(CONTRACT, PERIOD_S, initial_delay_s=0.1)
    commands = [0.4] * 20
    for tick in range(1500):
        now_s = tick * PERIOD_S
        motion.measure(now_s, pose(commands[tick]))
        if tick % 40 == 15:
            start_s = now_s - 0.15
            rows = start_s + 0.1 * np.arange(9)
            way = 0.05 * np.sin(2 * np.pi * 0.5 * rows)
            new = chunk(start_s, tick)
            new.actions[:, 0] = np.diff(way)
            assert motion.push(new)
        reference = motion.step(now_s)
        commands.append(commands[-1] if reference is None else float(reference.pose.position[0]))
    assert motion.delay.value_s == pytest.approx(0.2, abs=0.02)
    assert motion.lookahead_s == pytest.approx(motion.delay.value_s, abs=0.005)
    # On time: the measured way is in step with what the chunks say, 0.05 sin(pi t) about some middle.
    measured = np.array(commands[900:1500])
    said = 0.05 * np.sin(np.pi * PERIOD_S * np.arange(900, 1500))
    off = (measured - measured.mean()) - (said - said.mean())
    assert np.sqrt(np.mean(off**2)) < 0.012


def test_a_chunk_from_before_anything_was_measured_is_not_placed() -> None:
    motion = SmoothMotion(CONTRACT, PERIOD_S)
    assert not motion.push(chunk(0.0, 1))
    motion.measure(5.0, pose(0.4))
    assert not motion.push(chunk(4.0, 2))
    assert motion.unplaced == 2 and motion.step(5.0) is None
    assert motion.push(chunk(5.0, 3)) and motion.step(5.0) is not None


def test_after_a_hold_it_begins_at_rest_where_it_was_held() -> None:
    motion = SmoothMotion(CONTRACT, PERIOD_S)
    motion.measure(0.0, pose(0.4))
    motion.push(chunk(0.0, 1, 0.03))
    assert motion.step(0.3) is not None
    motion.hold(pose(0.45))
    assert motion.step(0.31) is None
    motion.measure(0.4, pose(0.44))
    motion.push(chunk(0.4, 2, 0.03))
    begun = motion.step(0.41)
    assert begun is not None
    np.testing.assert_allclose(begun.pose.position, [0.45, 0.0, 0.2], atol=1e-12)
    np.testing.assert_allclose(begun.linear_velocity, 0.0, atol=1e-12)
    assert begun.gripper == 1.0 and begun.chunk_sequence == 2
