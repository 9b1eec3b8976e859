"""Small measuring instruments for diagnostics: rates, ages, latency percentiles, counts. No ROS in here."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

import numpy as np

Clock = Callable[[], float]
PERCENTILES = (50, 95, 99)


class RateMeter:
    """Events per second over the last `window` events, and the age of the newest one."""

    def __init__(self, window: int = 20, clock: Clock = time.monotonic) -> None:
        self._times: deque[float] = deque(maxlen=window)
        self._clock = clock

    def tick(self) -> None:
        """Record one event now."""
        self._times.append(self._clock())

    @property
    def rate_hz(self) -> float:
        """Mean rate of the recorded events [1/s]; 0 before the second one."""
        if len(self._times) < 2 or self._times[-1] <= self._times[0]:
            return 0.0
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])

    @property
    def age_s(self) -> float:
        """Seconds since the newest event; infinity before the first."""
        return self._clock() - self._times[-1] if self._times else float("inf")


class LatencyMeter:
    """Keeps up to `capacity` durations (s) and summarises them; the oldest are dropped."""

    def __init__(self, capacity: int = 4096) -> None:
        self._values: deque[float] = deque(maxlen=capacity)

    def add(self, seconds: float) -> None:
        """Record one duration."""
        self._values.append(seconds)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def values(self) -> list[float]:
        """The recorded durations [s], oldest first."""
        return list(self._values)

    def percentiles_ms(self) -> dict[str, float]:
        """{"p50": .., "p95": .., "p99": ..} in milliseconds; empty before the first value."""
        if not self._values:
            return {}
        found = np.percentile(np.asarray(self._values), PERCENTILES) * 1e3
        return {f"p{percent}": round(float(value), 3) for percent, value in zip(PERCENTILES, found, strict=True)}


class Meters:
    """The instruments of one node, made on first use; `summary` turns them into texts for /diagnostics."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rates: dict[str, RateMeter] = {}
        self._latencies: dict[str, LatencyMeter] = {}
        self._counts: Counter[str] = Counter()

    def tick(self, name: str) -> None:
        """Record that `name` (an input or an output) happened now."""
        with self._lock:
            self._rates.setdefault(name, RateMeter()).tick()

    def count(self, name: str, amount: int = 1) -> None:
        """Add to the counter `name`."""
        with self._lock:
            self._counts[name] += amount

    def latency(self, name: str, seconds: float) -> None:
        """Record a duration of stage `name`."""
        with self._lock:
            self._latencies.setdefault(name, LatencyMeter()).add(seconds)

    def age_s(self, name: str) -> float:
        """Seconds since `name` last happened; infinity when it never did."""
        with self._lock:
            return self._rates[name].age_s if name in self._rates else float("inf")

    def counted(self, name: str) -> int:
        """The value of the counter `name`."""
        with self._lock:
            return self._counts[name]

    def latencies(self) -> dict[str, list[float]]:
        """Stage -> recorded durations [s]."""
        with self._lock:
            return {name: meter.values for name, meter in self._latencies.items()}

    def summary(self) -> dict[str, str]:
        """Everything as text: "<input> age [s]", "<input> rate [Hz]", "<stage> p50 [ms]", "<counter>"."""
        texts: dict[str, str] = {}
        with self._lock:
            for name, rate in self._rates.items():
                texts[f"{name} age [s]"] = f"{rate.age_s:.3f}"
                texts[f"{name} rate [Hz]"] = f"{rate.rate_hz:.2f}"
            for name, latency in self._latencies.items():
                for label, value in latency.percentiles_ms().items():
                    texts[f"{name} {label} [ms]"] = f"{value:.2f}"
            for name, count in self._counts.items():
                texts[name] = str(count)
        return texts
