"""How fast commands really come, against the period that they are meant to come with. No ROS in here."""

from __future__ import annotations

from collections import deque

import numpy as np


class Pace:
    """What share of the nominal period has really passed between the last commands, judged over many of them.

    The time between two commands says little: a sender that was kept waiting sends late and is punctual again with the
    next command. Over k commands that is at most `slack` periods, however large k is, so what is missing beyond these
    was never waited for. least, most: numbers of periods that are looked at together. With the defaults and 100 Hz a
    sender that is twice as fast is seen after 9 commands, and with 50 the share is known to 8 %.
    """

    def __init__(self, period_s: float, slack: float = 4.0, least: int = 5, most: int = 50) -> None:
        if not period_s > 0 or not slack > 0 or not 1 <= least <= most:
            raise ValueError(f"need period_s > 0, slack > 0 and 1 <= least <= most: {period_s, slack, least, most}")
        self._period_s, self._slack = period_s, slack
        self._times: deque[float] = deque(maxlen=most + 1)
        periods = np.arange(most, least - 1, -1)
        self._least, self._periods = least, periods

    def restart(self) -> None:
        """The next command is the first."""
        self._times.clear()

    def see(self, time_s: float) -> float:
        """A command came at `time_s` -> the share, 1: in time (or too few commands to tell), 0.5: twice as often.

        Never lower than the truth: what the slack explains is forgiven.
        """
        # Of two senders each has its own order; a command is not judged to have come before the last one.
        self._times.append(max(time_s, self._times[-1]) if self._times else time_s)
        count = len(self._times) - 1
        if count < self._least:
            return 1.0
        periods = self._periods[-(count - self._least + 1) :]
        passed = self._times[-1] - np.array(self._times)[: len(periods)]
        return float(min(1.0, ((passed / self._period_s + self._slack) / periods).min()))
