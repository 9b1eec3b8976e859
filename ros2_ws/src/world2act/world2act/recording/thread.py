"""The thread that writes. Nobody ever waits for it: what it cannot keep up with is dropped and counted."""

from __future__ import annotations

import errno
import queue
import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from world2act.recording.events import EpisodeLog
from world2act_core.files import DiskFullError, StorageError, storage_error
from world2act_core.recording.layout import Header, file_name, next_number
from world2act_core.recording.writer import Compression, Record, RecordingWriter

DISK_FULL: Final = "DISK_FULL"
DISK_ERROR: Final = "DISK_ERROR"
INTERNAL: Final = "INTERNAL"
DISCARD = ""


@dataclass(frozen=True)
class Limits:
    """queue_bytes: of messages that wait to be written. min_free_bytes: on the disk before a recording begins; one that
    is under way ends, whole, when half of it is left. flush_s: at most this much is lost when the process is killed."""

    queue_bytes: int
    min_free_bytes: int
    flush_s: float


@dataclass(frozen=True)
class Progress:
    """Where the thread is. number: of the present or last episode, -1 before the first. dropped: messages since the
    thread began; lost_now: of the present or last recording. error: its name, "" for none."""

    number: int = -1
    messages: int = 0
    size: int = 0
    dropped: int = 0
    lost_now: int = 0
    error: str = ""
    message: str = ""


@dataclass(frozen=True)
class _Begin:
    header: Header
    first: Sequence[Record]
    log: EpisodeLog
    dropped: int  # by the thread until then


@dataclass(frozen=True)
class _Note:
    name: str
    values: dict[str, str]


_NOTHING = _Note("", {})


@dataclass(frozen=True)
class _End:
    reason: str
    done: Future[Path]
    dropped: int  # by the thread until then


class RecordingThread:
    """Writes one episode after another into `folder`. Every method returns at once."""

    def __init__(self, folder: Path, compression: Compression, limits: Limits) -> None:
        self._folder = folder
        self._compression = compression
        self._limits = limits
        self._jobs: queue.SimpleQueue[Record | _Begin | _Note | _End | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._dropped = 0
        self._dropped_before = 0
        self._number = -1
        self._error = ("", "")
        self._writer: RecordingWriter | None = None
        self._log = EpisodeLog()
        self._thread = threading.Thread(target=self._work, name="recording", daemon=True)
        self._thread.start()

    @property
    def progress(self) -> Progress:
        """Where it is now."""
        writer = self._writer
        with self._lock:
            dropped, lost_now = self._dropped, self._dropped - self._dropped_before
        messages, size = (writer.messages, writer.size) if writer is not None else (0, 0)
        return Progress(self._number, messages, size, dropped, lost_now, *self._error)

    def begin(self, header: Header, first: Sequence[Record], log: EpisodeLog) -> None:
        """Begin a recording with the messages `first`."""
        self._jobs.put(_Begin(header, first, log, self._dropped))

    def put(self, record: Record) -> None:
        """Write a message, if there is room in the queue."""
        with self._lock:
            if self._waiting_bytes + len(record.data) > self._limits.queue_bytes:
                self._dropped += 1
                return
            self._waiting_bytes += len(record.data)
        self._jobs.put(record)

    def lost(self, count: int) -> None:
        """Messages were lost before they came here."""
        with self._lock:
            self._dropped += count

    def note(self, name: str, values: dict[str, str]) -> None:
        """Add a metadata record to the present recording, if there is one."""
        self._jobs.put(_Note(name, values))

    def end(self, reason: str, keep: bool = True) -> Future[Path]:
        """End the present recording. The future has its path, or the StorageError that has ended it before."""
        done: Future[Path] = Future()
        self._jobs.put(_End(reason if keep else DISCARD, done, self._dropped))
        return done

    def close(self, timeout_s: float = 5.0) -> bool:
        """Write what waits and end the thread; False when the disk was too slow for that."""
        self._jobs.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        flushed_s = time.monotonic()
        while True:
            try:
                job = self._jobs.get(timeout=self._limits.flush_s)
            except queue.Empty:
                job = _NOTHING
            if job is None:
                return
            try:
                self._do(job)
                if time.monotonic() - flushed_s >= self._limits.flush_s:
                    flushed_s = time.monotonic()
                    self._flush()
            except StorageError as error:
                self._fail(DISK_FULL if isinstance(error, DiskFullError) else DISK_ERROR, str(error))
            except Exception as error:  # a thread that dies would lose everything that comes after, without a word
                self._fail(INTERNAL, f"a bug: {type(error).__name__}: {error}")

    def _do(self, job: Record | _Begin | _Note | _End) -> None:
        if isinstance(job, Record):
            with self._lock:
                self._waiting_bytes -= len(job.data)
            if self._writer is None:
                self.lost(1)
            else:
                self._writer.write(job)
        elif isinstance(job, _Begin):
            self._begin(job)
        elif isinstance(job, _End):
            self._end(job)
        elif self._writer is not None and job.name:
            self._writer.note(job.name, job.values)

    def _begin(self, job: _Begin) -> None:
        self._log = job.log
        with self._lock:
            self._dropped_before = job.dropped
        require_free(self._folder, self._limits.min_free_bytes)
        self._number, self._writer = create(self._folder, job.header, self._compression)
        self._error = ("", "")
        for record in job.first:
            self._writer.write(record)

    def _end(self, job: _End) -> None:
        writer = self._writer
        if writer is None:
            job.done.set_exception(StorageError(0, self._error[1] or "nothing was being recorded"))
            return
        if job.reason == DISCARD:
            self._writer = None
            writer.discard()
            job.done.set_result(writer.path)
            return
        try:
            job.done.set_result(self._finish(writer, job.reason, job.dropped))
        except StorageError as error:
            job.done.set_exception(error)
            raise

    def _finish(self, writer: RecordingWriter, reason: str, dropped: int) -> Path:
        path = writer.finish(self._log.outcome(reason, writer.messages, dropped - self._dropped_before))
        self._writer = None
        return path

    def _flush(self) -> None:
        writer = self._writer
        if writer is None:
            return
        writer.flush()
        try:
            require_free(self._folder, self._limits.min_free_bytes // 2)
        except DiskFullError as error:
            self._finish(writer, DISK_FULL, self._dropped)  # while there is still room for its index
            self._error = (DISK_FULL, str(error))

    def _fail(self, name: str, message: str) -> None:
        self._error = (name, message)
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon()


def create(folder: Path, header: Header, compression: Compression) -> tuple[int, RecordingWriter]:
    """A new recording under the next free number of `folder`."""
    number = next_number(folder)
    while True:
        try:
            return number, RecordingWriter(folder / file_name(header.kind, number), header, compression)
        except FileExistsError:
            number += 1  # another recorder, or our own ring buffer, was faster


def require_free(folder: Path, least_bytes: int) -> None:
    """Raise DiskFullError when the disk of `folder` has less than `least_bytes` free, StorageError when it is gone."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise storage_error(folder, error) from error
    if free < least_bytes:
        raise DiskFullError(
            errno.ENOSPC,
            f"{free >> 20} MiB are free in {folder}, less than the {least_bytes >> 20} MiB that recording needs: free "
            "some space or choose another folder",
        )
