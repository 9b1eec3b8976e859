"""How often something comes, and the longest time without it."""

from __future__ import annotations

ONGOING_S = 1.0
"""A gap that has not ended counts from here on; a shorter one may only be messages that wait to be looked at."""


class GapMeter:
    """Call `seen` for each event and `take` for each sample. Times [s] are of any one clock."""

    def __init__(self, began_s: float) -> None:
        self.total = 0
        """Events since the beginning."""
        self.longest_s = 0.0
        """Since the beginning."""
        self.longest_at_s = began_s
        self._last_s = self._taken_s = began_s
        self._recent_s = 0.0
        self._taken = 0

    def seen(self, time_s: float) -> None:
        """An event at `time_s`; one that is older than the last only counts."""
        self.total += 1
        self._gap(time_s)
        self._last_s = max(self._last_s, time_s)

    def take(self, now_s: float) -> tuple[float, float]:
        """(events per second, longest gap [s]) since it was called last."""
        if now_s - self._last_s > ONGOING_S:
            self._gap(now_s)
        rate = (self.total - self._taken) / max(now_s - self._taken_s, 1e-9)
        gap_s, self._recent_s = self._recent_s, 0.0
        self._taken, self._taken_s = self.total, now_s
        return rate, gap_s

    def _gap(self, time_s: float) -> None:
        gap_s = time_s - self._last_s
        self._recent_s = max(self._recent_s, gap_s)
        if gap_s > self.longest_s:
            self.longest_s, self.longest_at_s = gap_s, time_s
