"""The real period of commands, as far as lateness cannot explain it."""

from __future__ import annotations

import pytest

from world2act_core.robot.pace import Pace


def seen(times: list[float], **options: float) -> list[float]:
    pace = Pace(0.01, **options)
    return [pace.see(time_s) for time_s in times]


def test_nine_commands_at_half_the_period_are_enough() -> None:
    shares = seen([0.005 * index for index in range(60)])
    assert shares[:9] == [1.0] * 9 and shares[9] < 1.0
    assert shares[-1] == pytest.approx((25 + 4) / 50) and min(shares) == shares[-1]


def test_a_burst_within_an_otherwise_punctual_stream_is_seen_and_forgotten() -> None:
    times = [0.01 * index for index in range(20)]
    shares = seen([*times, *[times[-1] + 0.001] * 10, *[times[-1] + 0.01 * index for index in range(1, 61)]])
    assert shares[19] == 1.0 and min(shares) < 0.5 and shares[-1] == 1.0


def test_lateness_is_no_haste() -> None:
    assert seen([0.01 * index + (0.019 if index == 10 else 0.0) for index in range(60)]) == [1.0] * 60


def test_a_restart_forgets() -> None:
    pace = Pace(0.01)
    shares = [pace.see(0.0) for _ in range(20)]
    pace.restart()
    assert shares[-1] < 0.3 and pace.see(0.0) == 1.0


@pytest.mark.parametrize("options", [{"slack": 0.0}, {"least": 0}, {"least": 6, "most": 5}])
def test_settings_must_make_sense(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="need period_s > 0"):
        seen([], **options)
