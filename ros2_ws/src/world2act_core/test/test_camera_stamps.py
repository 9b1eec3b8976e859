"""A device's clock on ours."""

from __future__ import annotations

import numpy as np

from world2act_core.cameras.stamps import StampMapper

MS = 1_000_000
S = 1000 * MS
ZERO = 1_700_000_000 * S


def test_jitter_is_taken_out() -> None:
    mapper, rng = StampMapper(), np.random.default_rng(0)
    errors = []
    for number in range(300):
        device = number * 33 * MS
        arrival = ZERO + device + 20 * MS + int(rng.exponential(10 * MS))
        stamp = mapper.stamp_ns(device, arrival)
        assert stamp <= arrival
        errors.append(abs(stamp - (ZERO + device + 20 * MS)))
    assert max(errors[30:]) < 2 * MS


def test_a_drifting_clock_is_followed() -> None:
    """A device clock that is 100 ppm slow falls 60 ms behind in ten minutes; the stamps do not."""
    mapper = StampMapper()
    for number in range(6000):
        true = number * 100 * MS
        stamp = mapper.stamp_ns(int(true * (1 - 1e-4)), ZERO + true)
    assert mapper.restarts == 0
    assert abs(stamp - (ZERO + true)) < 3 * MS  # 20 s at 100 ppm are 2 ms


def test_a_clock_set_anew_starts_again() -> None:
    mapper = StampMapper()
    for device, arrival in ((5 * S, ZERO), (6 * S, ZERO + S), (0, ZERO + 2 * S), (S, ZERO + 3 * S)):
        assert mapper.stamp_ns(device, arrival) == arrival
    assert mapper.restarts == 1
    assert mapper.stamp_ns(60 * S, ZERO + 4 * S) == ZERO + 4 * S
    assert mapper.restarts == 2
