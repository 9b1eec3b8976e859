"""The last minute, in memory: bounded in seconds and in bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from world2act.recording.pages import Page
from world2act_core.recording.writer import Channel, Record

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Held:
    """A record whose data lies in a page, from byte `first` to before byte `end`."""

    channel: Channel
    page: Page
    first: int
    end: int
    log_ns: int
    publish_ns: int

    def __len__(self) -> int:
        return self.end - self.first

    def record(self) -> Record:
        return Record(self.channel, self.page.read(self.first, self.end), self.log_ns, self.publish_ns)


class RingBuffer:
    """Keeps the newest messages; the oldest go when they are too old or there are too many bytes."""

    def __init__(self, seconds: float, limit_bytes: int) -> None:
        if seconds < 0 or limit_bytes < 0:
            raise ValueError(f"need seconds >= 0 and limit_bytes >= 0, got {seconds} and {limit_bytes}")
        self._age_ns = round(seconds * SECOND_NS)
        self._limit_bytes = limit_bytes
        self._held: deque[_Held] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def size(self) -> int:
        """Bytes of message data that are held, <= limit_bytes."""
        return self._bytes

    @property
    def begin_ns(self) -> int:
        """When the oldest message came [ns]; 0 when there is none."""
        return self._held[0].log_ns if self._held else 0

    @property
    def pages(self) -> int:
        """Pages of memory that these messages lie in."""
        return len({id(held.page) for held in self._held})

    def push(self, record: Record) -> None:
        """Add the newest message."""
        self._held.append(self._keep(record))
        self._bytes += len(record.data)
        while self._held and self._over(record.log_ns):
            self._bytes -= len(self._held.popleft())

    def _keep(self, record: Record) -> _Held:
        page = self._held[-1].page if self._held else Page(len(record.data))
        if len(record.data) > page.room:
            page = Page(len(record.data))
        first, end = page.add(record.data)
        return _Held(record.channel, page, first, end, record.log_ns, record.publish_ns)

    def _over(self, now_ns: int) -> bool:
        return self._bytes > self._limit_bytes or now_ns - self._held[0].log_ns > self._age_ns

    def take(self) -> Iterator[Record]:
        """Everything, oldest first; the buffer is empty at once, so that nothing is saved twice.

        Memory goes back while the iterator is read.
        """
        taken, self._held, self._bytes = self._held, deque(), 0
        return _drain(taken)


def _drain(taken: deque[_Held]) -> Iterator[Record]:
    while taken:
        yield taken.popleft().record()


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
