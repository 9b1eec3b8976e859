"""After which runs a bundle is known."""

from __future__ import annotations

from world2act.commander.run_record import PROVEN_S, RunRecord


def after(moved_s: float) -> RunRecord:
    run = RunRecord()
    run.moved(moved_s)
    return run


def test_a_run_without_motion_says_nothing() -> None:
    assert not RunRecord().speaks_for_the_bundle
    assert not after(PROVEN_S / 2).speaks_for_the_bundle
    assert after(PROVEN_S).speaks_for_the_bundle


def test_a_fault_that_was_cleared_was_a_fault() -> None:
    run = after(1.0)
    run.latched(True)
    run.latched(False)
    run.moved(PROVEN_S)
    assert not run.speaks_for_the_bundle


def test_what_was_latched_before_the_first_motion_does_not_count() -> None:
    run = RunRecord()
    run.latched(True)
    run.latched(False)
    run.moved(PROVEN_S)
    assert run.speaks_for_the_bundle


def test_a_simulated_arm_says_nothing_about_a_real_one() -> None:
    run = after(PROVEN_S)
    run.simulated = True
    assert not run.speaks_for_the_bundle
