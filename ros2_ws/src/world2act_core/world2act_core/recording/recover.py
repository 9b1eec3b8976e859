"""Makes a finished recording of what a crash or a full disk has left."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mcap.records import Channel, DataEnd, McapRecord, Message, Metadata, Schema
from mcap.stream_reader import StreamReader

from world2act_core.recording.layout import (
    HEADER,
    OUTCOME,
    PART_SUFFIX,
    RECORD_LIMIT,
    RECOVERING,
    SUFFIX,
    Header,
    Outcome,
    RecordingError,
)
from world2act_core.recording.writer import Channel as OutChannel
from world2act_core.recording.writer import Record, RecordingWriter

RECOVERED = "recovered after a crash"


@dataclass(frozen=True)
class Recovered:
    """A recovered recording. damage: what stopped the reading; everything before it is in the file."""

    path: Path
    messages: int
    damage: str


class StillWrittenError(RecordingError):
    """The recording is unfinished because somebody is writing it."""


def recover(part: Path) -> Recovered:
    """Copy every whole chunk of `part` into the finished recording of its name, then remove `part`.

    Raises RecordingError when it holds no whole header (`part` stays), StillWrittenError when a recorder is writing it,
    StorageError when the disk is full.
    """
    if not part.name.endswith(PART_SUFFIX):
        raise RecordingError(f"{part} is no unfinished recording: those end in {PART_SUFFIX}")
    target = part.with_name(part.name.removesuffix(PART_SUFFIX) + SUFFIX)
    # Written under another name first, so that a crash now leaves `part` as it is.
    scratch = part.with_name(f"{RECOVERING}{target.name}")
    scratch.with_name(scratch.name.removesuffix(SUFFIX) + PART_SUFFIX).unlink(missing_ok=True)
    scratch.unlink(missing_ok=True)
    with open(part, "rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            raise StillWrittenError(f"{part} is being written by a recorder: stop that one first") from error
        reading = _Reading(stream)
        messages = _copy(reading, part, scratch)
    scratch.rename(target)
    part.unlink()
    return Recovered(target, messages, reading.damage)


class _Reading:
    """The records of a stream up to its end or the first damage."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.damage = ""
        self._stream = stream

    def records(self) -> Iterator[McapRecord]:
        reader = StreamReader(self._stream, validate_crcs=True, record_size_limit=RECORD_LIMIT)
        try:
            yield from reader.records
        except Exception as error:  # each decompressor and each parser trips over damaged bytes in its own way
            self.damage = f"{type(error).__name__} {error}".strip()


def _copy(reading: _Reading, part: Path, target: Path) -> int:
    writer: RecordingWriter | None = None
    schemas: dict[int, Schema] = {}
    channels: dict[int, OutChannel] = {}
    try:
        for record in reading.records():
            if isinstance(record, DataEnd):
                break  # what follows repeats what was, without checksums of its own
            if isinstance(record, Metadata) and writer is None and record.name == HEADER:
                writer = RecordingWriter(target, Header.from_metadata(dict(record.metadata), str(part)))
            elif isinstance(record, Metadata) and writer is not None and record.name != OUTCOME:
                writer.note(record.name, dict(record.metadata))
            elif isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                schema = schemas[record.schema_id]
                qos = record.metadata.get("offered_qos_profiles", "")
                channels[record.id] = OutChannel(record.topic, schema.name, schema.data.decode(), qos)
            elif isinstance(record, Message) and writer is not None:
                writer.write(Record(channels[record.channel_id], record.data, record.log_time, record.publish_time))
        if writer is None:
            raise RecordingError(f"{part} ends before its header is whole ({reading.damage}): nothing to recover")
        writer.finish(Outcome(end=RECOVERED, messages=writer.messages))
    except BaseException:
        if writer is not None and not writer.closed:
            writer.discard()
        raise
    return writer.messages
