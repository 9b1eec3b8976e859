"""Restarts come later and later, and then no more."""

from __future__ import annotations

import pytest

from world2act.supervision.back_off import BackOff, RestartLimits


def test_each_restart_waits_twice_as_long_up_to_a_limit_then_it_is_given_up() -> None:
    now = [0.0]
    back_off = BackOff(RestartLimits(first_s=0.5, factor=2, longest_s=3.0, restarts=4, window_s=60), lambda: now[0])
    assert [back_off.lost() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, None]


def test_what_lies_before_the_window_is_forgotten() -> None:
    now = [0.0]
    back_off = BackOff(RestartLimits(first_s=1.0, restarts=1, window_s=60), lambda: now[0])
    for _ in range(5):
        assert back_off.lost() == 1.0
        now[0] += 61.0
    now[0] -= 2.0
    assert back_off.lost() is None


def test_none_means_never() -> None:
    assert BackOff(RestartLimits(restarts=0)).lost() is None


@pytest.mark.parametrize("wrong", [{"restarts": -1}, {"factor": 0.5}, {"window_s": 0.0}, {"longest_s": 0.1}])
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RestartLimits(**wrong)
