"""The measuring instruments, with a clock of our own."""

from __future__ import annotations

import math

import pytest

from world2act.meters import LatencyMeter, Meters, RateMeter


def test_rate_and_age() -> None:
    now = [0.0]
    meter = RateMeter(clock=lambda: now[0])
    assert meter.rate_hz == 0.0 and math.isinf(meter.age_s)
    for _ in range(5):
        meter.tick()
        now[0] += 0.1
    assert meter.rate_hz == pytest.approx(10.0) and meter.age_s == pytest.approx(0.1)


def test_percentiles_of_known_numbers() -> None:
    meter = LatencyMeter(capacity=100)
    assert meter.percentiles_ms() == {}
    for milliseconds in range(1000):
        meter.add(milliseconds / 1000)
    assert len(meter) == 100
    assert meter.percentiles_ms() == {"p50": 949.5, "p95": 994.05, "p99": 998.01}


def test_summary_names_everything_with_units() -> None:
    meters = Meters()
    meters.tick("scene")
    meters.latency("inference", 0.004)
    meters.count("holds", 3)
    summary = meters.summary()
    assert summary["holds"] == "3" and summary["inference p50 [ms]"] == "4.00" and "scene age [s]" in summary
    assert meters.counted("holds") == 3 and math.isinf(meters.age_s("nothing"))
