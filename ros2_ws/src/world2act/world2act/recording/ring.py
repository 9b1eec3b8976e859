"""The last minute, in memory: bounded in seconds and in bytes."""

from __future__ import annotations

from collections import deque

from world2act_core.recording.writer import Record

SECOND_NS = 1_000_000_000


class RingBuffer:
    """Keeps the newest messages; the oldest go when they are too old or there are too many bytes."""

    def __init__(self, seconds: float, limit_bytes: int) -> None:
        if seconds < 0 or limit_bytes < 0:
            raise ValueError(f"need seconds >= 0 and limit_bytes >= 0, got {seconds} and {limit_bytes}")
        self._age_ns = round(seconds * SECOND_NS)
        self._limit_bytes = limit_bytes
        self._records: deque[Record] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    @property
    def size(self) -> int:
        """Bytes of message data that are held, <= limit_bytes."""
        return self._bytes

    def push(self, record: Record) -> None:
        """Add the newest message."""
        self._records.append(record)
        self._bytes += len(record.data)
        while self._records and self._over(record.log_ns):
            self._bytes -= len(self._records.popleft().data)

    def _over(self, now_ns: int) -> bool:
        return self._bytes > self._limit_bytes or now_ns - self._records[0].log_ns > self._age_ns

    def take(self) -> list[Record]:
        """Everything, oldest first; the buffer is empty then, so that nothing is saved twice."""
        taken = list(self._records)
        self._records.clear()
        self._bytes = 0
        return taken


class LastWords:
    """The last few messages of the topics whose state still holds when a recording begins."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[Record]] = {}

    def push(self, record: Record, keep: int) -> None:
        """Remember `record`, and `keep` messages of its topic in all; 0: none."""
        if keep > 0:
            self._kept.setdefault(record.channel.topic, deque(maxlen=keep)).append(record)

    def records(self) -> list[Record]:
        """All of them, oldest first."""
        return sorted((record for kept in self._kept.values() for record in kept), key=lambda record: record.log_ns)
