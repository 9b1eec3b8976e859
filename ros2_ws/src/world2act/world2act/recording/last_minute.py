"""The ring buffer, and saving it: by request, or a little after a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from world2act.recording.events import EpisodeLog, Event
from world2act.recording.fact_history import Facts
from world2act.recording.ring import RingBuffer
from world2act.recording.thread import create, require_free
from world2act.recording.tracker import RefusedError
from world2act_core.files import StorageError
from world2act_core.recording.layout import Header
from world2act_core.recording.writer import Compression, Record

SAVED = "saved from the ring buffer"
MakeHeader = Callable[[str], Header]
"""Why it is saved -> the header."""
FactsAt = Callable[[int], dict[str, Facts]]
"""When the oldest message came [ns] -> what held then: metadata record -> its values."""


class LastMinute:
    """Holds the last `seconds` of messages in memory; a thread of its own writes them when they are wanted.

    What is saved is gone from memory, so nothing is saved twice. Times: any steady clock [s].
    """

    def __init__(
        self,
        folder: Path,
        compression: Compression,
        seconds: float,
        limit_bytes: int,
        min_free_bytes: int,
        most_files: int,
        facts_at: FactsAt = lambda time_ns: {},
    ) -> None:
        self.error = ""
        self._facts_at = facts_at
        self._most_files = most_files
        self._folder = folder
        self._compression = compression
        self._seconds = seconds
        self._min_free_bytes = min_free_bytes
        self._ring = RingBuffer(seconds, limit_bytes)
        self._log = EpisodeLog()
        self._threads = ThreadPoolExecutor(1, "saving")
        self._saving: Future[Path] | None = None
        self._saved_s = -float("inf")
        self._due_s: float | None = None
        self._note = ""

    @property
    def enabled(self) -> bool:
        """Whether anything is kept at all."""
        return self._seconds > 0

    def push(self, record: Record) -> None:
        """Keep a message."""
        if self.enabled:
            self._ring.push(record)

    def add_events(self, events: list[Event]) -> None:
        """What will be said to have happened meanwhile."""
        self._log.add(events)

    def fault(self, note: str, now_s: float, delay_s: float) -> None:
        """A fault has come: save `delay_s` later, so that what it led to is in it too.

        A fault that comes and goes must not fill the disk: the buffer is saved at most once in its own length, and
        not when `most_files` are there already.
        """
        if self.enabled and self._due_s is None:
            self._due_s = max(now_s + delay_s, self._saved_s + self._seconds)
            self._note = note

    def tick(self, now_s: float, header: MakeHeader) -> None:
        """Save if it is time to."""
        if self._due_s is None or now_s < self._due_s or (self._saving is not None and not self._saving.done()):
            return
        self._due_s = None
        if len(list(self._folder.glob("buffer-*.mcap"))) >= self._most_files:
            self.error = f"there are {self._most_files} saved buffers in {self._folder} already: move them away"
        elif len(self._ring):
            self.save(self._note, now_s, header)

    def save(self, note: str, now_s: float, header: MakeHeader) -> Future[Path]:
        """Save now; the future has the path or a StorageError. RefusedError when there is nothing, or one is saved."""
        if not self.enabled:
            raise RefusedError("there is no ring buffer: parameter buffer_seconds is 0")
        if self._saving is not None and not self._saving.done():
            raise RefusedError("the ring buffer is being saved already")
        if len(self._ring) == 0:
            raise RefusedError("the ring buffer is empty: nothing has come since it was saved last")
        facts = self._facts_at(self._ring.begin_ns)
        records, log = self._ring.take(), self._log
        self._log = EpisodeLog()
        self._saved_s = now_s
        self._saving = self._threads.submit(self._write, header(note), facts, records, log)
        return self._saving

    def close(self, now_s: float, header: MakeHeader) -> None:
        """Save what a fault has asked for, and wait until it is written."""
        if self._due_s is not None:
            self._due_s = now_s
            self.tick(now_s, header)
        self._threads.shutdown(wait=True)

    def _write(self, header: Header, facts: dict[str, Facts], records: Iterator[Record], log: EpisodeLog) -> Path:
        try:
            path = self._write_file(header, facts, records, log)
        except StorageError as error:
            self.error = f"the ring buffer was not saved: {error}"
            raise
        self.error = ""
        return path

    def _write_file(self, header: Header, facts: dict[str, Facts], records: Iterator[Record], log: EpisodeLog) -> Path:
        require_free(self._folder, self._min_free_bytes)
        _, writer = create(self._folder, header, self._compression)
        try:
            for name, values in facts.items():
                if values:
                    writer.note(name, values)
            for record in records:
                writer.write(record)
            return writer.finish(log.outcome(SAVED, writer.messages))
        except StorageError:
            writer.abandon()
            raise
