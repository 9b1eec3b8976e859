"""Violations count whenever they happen: before a reset, after it, and in an arm that was started again."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from world2act.faults.referee_tally import RefereeTally
from world2act.simulation.referee_report import MotionMeter, referee_report
from world2act_core.robot.find import find_profile
from world2act_core.robot.referee import CommandReferee

PROFILE = find_profile("sim_panda")
HOME = np.array(PROFILE.home)


class Arm:
    """A referee with what it reports."""

    def __init__(self, process: int) -> None:
        self.process = process
        self.referee = CommandReferee(PROFILE.limits, PROFILE.period_s)
        self.now_s = 100.0

    def send(self, commands: int, jump: float = 0.0) -> None:
        for number in range(commands):
            self.now_s += PROFILE.period_s
            self.referee.see_position(self.now_s, HOME + (jump if number == commands - 1 else 0.0))

    def report(self) -> dict[str, Any]:
        text = referee_report(self.referee, 0, False, MotionMeter(PROFILE.limits), self.now_s, 0.0)
        return {**json.loads(text), "process": self.process}


def test_what_comes_before_and_after_a_reset_counts_and_only_once() -> None:
    arm, tally = Arm(1), RefereeTally()
    arm.send(10)
    tally.see(arm.report())
    judged = tally.take()
    assert (judged.commands, judged.violations, judged.example) == (10, 0, "")
    arm.send(5, jump=0.5)  # while it heals, then the reset: no report in between
    found = arm.referee.findings.violation_count
    arm.referee.restart()
    arm.send(7)
    tally.see(arm.report())
    judged = tally.take()
    assert (judged.commands, judged.violations) == (12, found) and found > 0
    arm.send(3, jump=0.5)  # the resume
    tally.see(arm.report())
    judged = tally.take()
    assert judged.violations == arm.referee.findings.violation_count > 0
    assert judged.example.startswith("velocity of robot0_joint1 50, limit 2.197")
    tally.see(arm.report())
    assert tally.take().commands == 0


def test_an_arm_that_was_started_again_begins_at_nought_and_takes_nothing_away() -> None:
    old, new, tally = Arm(1), Arm(2), RefereeTally()
    old.send(20, jump=0.5)
    tally.see(old.report())
    new.send(30)
    tally.see(new.report())
    judged = tally.take()
    assert judged.commands == 50 and judged.violations == old.referee.violations_ever > 0
    again = Arm(2)  # set up anew in the same process
    again.send(4)
    tally.see(again.report())
    assert tally.take().commands == 4


def test_the_newest_report_has_a_time() -> None:
    arm, tally = Arm(1), RefereeTally()
    assert tally.stamp_s == 0.0
    tally.see(arm.report())
    assert tally.stamp_s == pytest.approx(100.0)
