"""Writes one recording. Whatever was flushed can be read, however the writer ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Literal

from mcap.writer import CompressionType, Writer

from world2act_core import __version__
from world2act_core.files import storage_error
from world2act_core.recording.layout import HEADER, OUTCOME, PART_SUFFIX, SUFFIX, Header, Outcome

Compression = Literal["none", "lz4", "zstd"]
CHUNK_BYTES = 512 * 1024
"""A chunk of an MCAP file is written when it holds this much, or by `flush`."""


@dataclass(frozen=True)
class Channel:
    """One topic: its absolute name, its type ("std_msgs/msg/String"), the full definition, and its QoS as YAML."""

    topic: str
    type_name: str
    definition: str
    qos: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One message as it travelled (CDR). log_ns: when it reached us, publish_ns: when it was sent [wall clock, ns]."""

    channel: Channel
    data: bytes
    log_ns: int
    publish_ns: int


class RecordingWriter:
    """One file from its header to its outcome; `<path>.part` until it is finished.

    Every method raises StorageError (DiskFullError when there is no space); then call `abandon`.
    """

    def __init__(self, path: Path, header: Header, compression: Compression = "lz4") -> None:
        """Make the file. FileExistsError when `path` or its unfinished form is there already."""
        if path.suffix != SUFFIX:
            raise ValueError(f"a recording ends in {SUFFIX}, not {path}")
        if path.exists():
            raise FileExistsError(path)
        self.path = path
        self.part = path.with_name(path.name.removesuffix(SUFFIX) + PART_SUFFIX)
        self.messages = 0
        self._flushed_bytes = 0
        self._channels: dict[Channel, int] = {}
        self._schemas: dict[str, int] = {}
        self._file = self._open()
        self._writer = Writer(
            self._file, CHUNK_BYTES, CompressionType[compression.upper()], enable_crcs=True, enable_data_crcs=True
        )
        try:
            self._writer.start("ros2", f"world2act {__version__}")
            self._writer.add_metadata(HEADER, header.to_metadata())
            self._flush()
        except OSError as error:
            self.discard()
            raise storage_error(self.part, error) from error

    def _open(self) -> BufferedWriter:
        try:
            file = open(self.part, "xb")  # noqa: SIM115 - held until the recording ends
        except FileExistsError:
            raise
        except OSError as error:
            raise storage_error(self.part, error) from error
        # Who recovers unfinished files must be able to tell this one from what a crash has left.
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file

    @property
    def closed(self) -> bool:
        """Whether the recording was finished, abandoned or discarded."""
        return self._file.closed

    @property
    def size(self) -> int:
        """Bytes that the last `flush` had written."""
        return self._flushed_bytes

    def write(self, record: Record) -> None:
        """Add one message to the chunk in progress."""
        channel = self._channels.get(record.channel)
        try:
            if channel is None:
                channel = self._register(record.channel)
            self._writer.add_message(channel, record.log_ns, record.data, record.publish_ns, self.messages)
        except OSError as error:
            raise storage_error(self.part, error) from error
        self.messages += 1

    def _register(self, channel: Channel) -> int:
        schema = self._schemas.get(channel.type_name)
        if schema is None:
            schema = self._writer.register_schema(channel.type_name, "ros2msg", channel.definition.encode())
            self._schemas[channel.type_name] = schema
        metadata = {"offered_qos_profiles": channel.qos} if channel.qos else {}
        number = self._writer.register_channel(channel.topic, "cdr", schema, metadata)
        self._channels[channel] = number
        return number

    def note(self, name: str, values: dict[str, str]) -> None:
        """Add a metadata record."""
        try:
            self._writer.add_metadata(name, values)
        except OSError as error:
            raise storage_error(self.part, error) from error

    def flush(self) -> None:
        """End the chunk in progress and hand it to the system: a kill of this process does not lose it any more."""
        try:
            self._flush()
        except OSError as error:
            raise storage_error(self.part, error) from error

    def _flush(self) -> None:
        self._writer.flush()
        self._flushed_bytes = self._file.tell()

    def finish(self, outcome: Outcome) -> Path:
        """Write outcome and index, put the file on the disk, and give it its name; returns its path."""
        try:
            self._flush()
            self._writer.add_metadata(OUTCOME, outcome.to_metadata())
            self._writer.finish()
            self._file.flush()
            os.fsync(self._file.fileno())
            os.rename(self.part, self.path)
            self._file.close()
            _sync_folder(self.path.parent)
        except OSError as error:
            raise storage_error(self.part, error) from error
        return self.path

    def abandon(self) -> Path:
        """After an error: leave the unfinished file as it is; its whole chunks can be recovered. Returns its path."""
        self._file.raw.close()  # not the buffered file: that would try to write what is left once more
        return self.part

    def discard(self) -> None:
        """Throw the recording away."""
        self._file.raw.close()
        self.part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    # Without it the new name may be lost when the power fails, although the content is safe.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
