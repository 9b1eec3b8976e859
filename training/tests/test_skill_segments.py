"""Segmentation of synthetic trajectories whose true cuts are known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from training.common.errors import DatasetError
from training.skills.agreement import BoundaryAgreement, match_boundaries
from training.skills.interactions import GripperConfig, TouchConfig, closed_frames, holds, runs, touches
from training.skills.motion import trajectory_source
from training.skills.segment import SegmentationConfig, segment
from training.tests.trajectories import HOLD, OPEN, Hand
from world2act_core.contract import StateDim
from world2act_core.tabletop import tabletop_contract

CONFIG = SegmentationConfig()


def test_one_segment_per_contact_cycle_cut_after_the_retreat() -> None:
    hand = Hand()
    first = hand.carry((0.45, 0.1), (0.5, 0.3))
    second = hand.carry((0.6, -0.1), (0.5, -0.3))
    hand.carry((0.4, 0.0), (0.5, 0.0))
    parts = segment(hand.trajectory(), CONFIG)
    assert [part.cue for part in parts] == ["grasp"] * 3
    assert abs(parts[1].start - first) <= 2 and abs(parts[2].start - second) <= 2
    assert parts[0].start == 0 and parts[-1].stop == len(hand.positions)
    assert all(a.stop == b.start for a, b in zip(parts, parts[1:]))
    assert not any(part.starts_holding or part.ends_holding for part in parts)


def test_without_a_pause_the_cut_is_at_the_release() -> None:
    hand = Hand()
    retreated = hand.carry((0.45, 0.1), (0.5, 0.3), pause=0)
    hand.carry((0.6, -0.1), (0.5, -0.3))
    widths = np.array(hand.widths[:retreated])
    released = int(np.flatnonzero(widths < OPEN - 0.01)[-1])
    assert 0 <= segment(hand.trajectory(), CONFIG)[1].start - released <= 3


def test_hysteresis_closes_at_the_threshold_and_opens_below_its_share() -> None:
    width = np.array([0.08, 0.06, 0.04, 0.029, 0.04, 0.054, 0.056, 0.08])
    # Threshold 0.05 of closing: closed from 0.03 down; open again from 0.055 (closing below 0.025) up.
    closed = closed_frames(width, GripperConfig(closing_m=0.05))
    assert closed.tolist() == [False, False, False, True, True, True, False, False]
    # The robot's equivalent: 12 % of 0.08 = 0.0096.
    assert closed_frames(np.array([0.08, 0.071, 0.070, 0.074, 0.0755]), GripperConfig()).tolist() == [
        False, False, True, True, False,
    ]  # fmt: skip


def test_fingers_that_are_still_opening_at_the_start_hold_nothing() -> None:
    hand = Hand(width=0.05)
    hand.fingers(OPEN, 8)
    hand.carry((0.45, 0.1), (0.5, 0.3))
    assert len(holds(hand.trajectory(), GripperConfig())) == 1


def test_a_bounce_an_empty_grasp_and_a_second_try_are_no_cycles_of_their_own() -> None:
    hand = Hand()
    hand.go(0.5, 0.1, 0.02)
    hand.fingers(0.06, 2)  # a twitch shorter than the debounce time
    hand.fingers(OPEN, 1)
    hand.stay(5)
    hand.fingers(0.0, 4)  # closed on nothing
    hand.fingers(OPEN, 4)
    hand.fingers(HOLD, 4)
    hand.go(0.5, 0.1, 0.1)
    hand.fingers(OPEN, 4)  # lost ...
    hand.stay(6)
    hand.go(0.5, 0.12, 0.02)
    hand.fingers(HOLD, 4)  # ... and grasped again
    hand.go(0.5, 0.3, 0.1)
    hand.fingers(OPEN, 4)
    hand.go(0.5, 0.3, 0.2)
    found = holds(hand.trajectory(), GripperConfig())
    assert len(found) == 1
    assert len(segment(hand.trajectory(), CONFIG)) == 1


def test_lift_pause_carry_is_two_skills() -> None:
    hand = Hand()
    hand.go(0.5, 0.1, 0.02)
    hand.fingers(HOLD)
    hand.go(0.5, 0.1, 0.15)
    carry = hand.stay(6)
    hand.go(0.5, 0.35, 0.15)
    hand.go(0.5, 0.35, 0.02)
    hand.fingers(OPEN)
    hand.go(0.5, 0.35, 0.2)
    lift, put = segment(hand.trajectory(), CONFIG)
    assert abs(put.start - carry) <= 2
    assert (lift.starts_holding, lift.ends_holding) == (False, True)
    assert (put.starts_holding, put.ends_holding) == (True, False)


def test_a_pick_ends_holding() -> None:
    hand = Hand()
    hand.go(0.5, 0.1, 0.02)
    hand.fingers(HOLD)
    hand.go(0.5, 0.1, 0.15)
    hand.stay(6)
    (only,) = segment(hand.trajectory(), CONFIG)
    assert only.ends_holding and not only.starts_holding


def test_press_is_seen_by_stopping_and_turning_back() -> None:
    hand = Hand()
    hand.go(0.5, 0.2, 0.2)
    hand.go(0.5, 0.2, 0.05)
    touched = hand.stay(5)
    end = hand.go(0.5, 0.2, 0.2)
    hand.carry((0.6, -0.1), (0.5, -0.3))
    press, carry = segment(hand.trajectory(), CONFIG)
    assert (press.cue, carry.cue) == ("touch", "grasp")
    assert touched <= carry.start <= end + 3


def test_push_against_something_is_seen_by_motion_that_does_not_happen() -> None:
    hand = Hand()
    hand.go(0.5, -0.1, 0.03)
    start = len(hand.positions)
    hand.stay(6, push=(0.0, 0.05, 0.0))  # told to move, does not: the drawer is shut
    stop = len(hand.positions)
    hand.go(0.7, -0.1, 0.03)  # aside, not back: the velocity cue alone would not see it
    found = touches(hand.trajectory(), [], TouchConfig(turn_cosine=-1.1))
    assert [(item.start, item.stop) for item in found] == [(start, stop)]
    without = touches(hand.trajectory(), [], TouchConfig(enabled=False))
    assert without == []


def test_a_contact_sensor_is_believed() -> None:
    hand = Hand()
    hand.go(0.5, 0.3, 0.2)
    contact = np.zeros(len(hand.positions), bool)
    contact[6:12] = True
    found = touches(hand.trajectory(contact=contact), [], TouchConfig())
    assert [(item.start, item.stop) for item in found] == [(6, 12)]


def test_free_motion_is_one_segment_without_a_cue() -> None:
    hand = Hand()
    hand.go(0.5, 0.3, 0.2)
    (only,) = segment(hand.trajectory(), CONFIG)
    assert (only.start, only.stop, only.cue) == (0, len(hand.positions), "none")


@pytest.mark.parametrize("fps", [10.0, 20.0])
def test_times_are_seconds_whatever_the_frame_rate(fps: float) -> None:
    hand = Hand()
    hand.carry((0.45, 0.1), (0.5, 0.3))
    hand.carry((0.6, -0.1), (0.5, -0.3))
    slow = hand.trajectory()
    repeat = int(fps / 10)
    times = np.arange(len(slow) * repeat) / repeat
    position = np.stack([np.interp(times, np.arange(len(slow)), slow.position[:, i]) for i in range(3)], axis=1)
    width = np.interp(times, np.arange(len(slow)), slow.width)
    parts = segment(type(slow)(position, width, None, fps), CONFIG)
    assert len(parts) == 2
    assert abs(parts[1].start / repeat - segment(slow, CONFIG)[1].start) <= 1


def test_runs() -> None:
    assert runs(np.array([1, 1, 0, 1, 0, 0, 1], bool)) == [(0, 2), (3, 4), (6, 7)]
    assert runs(np.zeros(3, bool)) == []


def test_boundaries_are_matched_once_each_nearest_first() -> None:
    assert match_boundaries([10, 20], [9, 12, 26], tolerance=5) == [-1]
    assert match_boundaries([10, 14], [13], tolerance=5) == [-1]
    agreement = BoundaryAgreement(5)
    agreement.add([10, 20], [9, 12, 22])
    agreement.add([30], [30])
    summary = agreement.summary()
    # 3 true, 4 found, 3 matched (off by -1, +2 and 0)
    assert summary is not None
    assert (summary["precision"], summary["recall"], summary["same_count"]) == (0.75, 1.0, 1)
    assert summary["mean_absolute_error_frames"] == 1.0
    assert BoundaryAgreement(5).summary() is None


def test_a_contract_without_a_gripper_is_refused_by_name() -> None:
    contract = tabletop_contract()
    joints = StateDim(name="joints", size=7, unit="rad", frame="joint", representation="joint_angle")
    bare = contract.model_copy(update={"state": (contract.state[0], joints)})
    with pytest.raises(DatasetError, match=r"somewhere: .*'width'.*eef_position \(position\), joints \(joint_angle\)"):
        trajectory_source(bare, "somewhere")
    source = trajectory_source(contract, "somewhere")
    assert (source.position, source.width, source.command) == (slice(0, 3), 9, slice(0, 3))
