"""A device's own time stamps on this machine's clock."""

from __future__ import annotations

WINDOW_NS = 10_000_000_000
RESTART_NS = 1_000_000_000


class StampMapper:
    """Maps a device's clock (any zero, drifting slowly) to the wall clock by the smallest offset seen lately.

    arrival = device time + offset + delay, with a delay >= 0 that varies from picture to picture. The smallest
    difference of a window is the offset plus the smallest delay, so the jitter of bus, network and decoder is taken
    out; the smallest delay itself cannot be seen from here (a camera's URI can name it: `delay`). Two windows follow
    each other, so that an offset that drifts upwards is forgotten after 10 to 20 s.
    """

    def __init__(self, window_ns: int = WINDOW_NS) -> None:
        self._window_ns = window_ns
        self.restarts = -1
        self._began_ns = 0
        self._offset_ns = 0
        self._before_ns = 0
        self._last_device_ns: int | None = None

    def stamp_ns(self, device_ns: int, arrival_ns: int) -> int:
        """When the picture was taken [ns, wall clock], never after its arrival.

        A device time that goes back, or that no longer fits the offset by more than a second, is a clock that was set
        anew: the estimate starts again with this picture.
        """
        offset_ns = arrival_ns - device_ns
        if self._is_new_clock(device_ns, offset_ns):
            self.restarts += 1
            self._began_ns = arrival_ns
            self._offset_ns = self._before_ns = offset_ns
        elif arrival_ns - self._began_ns > self._window_ns:
            self._began_ns = arrival_ns
            self._before_ns, self._offset_ns = self._offset_ns, offset_ns
        self._offset_ns = min(self._offset_ns, offset_ns)
        self._last_device_ns = device_ns
        return device_ns + min(self._offset_ns, self._before_ns)

    def _is_new_clock(self, device_ns: int, offset_ns: int) -> bool:
        if self._last_device_ns is None or device_ns < self._last_device_ns:
            return True
        return abs(offset_ns - min(self._offset_ns, self._before_ns)) > RESTART_NS
