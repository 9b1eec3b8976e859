"""Reads finished recordings, without ROS: the definitions of all messages are inside."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mcap.exceptions import McapError
from mcap.reader import make_reader
from mcap.records import Channel, DataEnd, Message, Schema
from mcap.stream_reader import MAGIC_SIZE, StreamReader

from world2act_core.recording.layout import (
    COMMANDER,
    HEADER,
    OUTCOME,
    PART_SUFFIX,
    POLICY,
    RECORD_LIMIT,
    Header,
    Outcome,
    RecordingError,
)

FOOTER = struct.Struct("<9xQQI")
"""Where the index begins, where its own index begins, and the checksum of both."""
SAVE_THE_REST = (
    f"rename it to end in {PART_SUFFIX} and run `world2act recordings --recover`: everything before the damage is kept"
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One message. topic: relative to the graph's namespace where it lies inside, as in "observation"; data: CDR."""

    topic: str
    type_name: str
    data: bytes
    log_ns: int


class Recording:
    """One finished recording. policy, commander: parameters of vla_policy and arm_commander (JSON); {}: not known."""

    def __init__(self, path: Path) -> None:
        """Read what the file says about itself. RecordingError when it is none, unfinished or damaged."""
        self.path = path
        if path.name.endswith(PART_SUFFIX):
            raise RecordingError(f"{path} is unfinished: `world2act recordings --recover` makes it readable")
        notes = self._notes()
        if HEADER not in notes:
            raise RecordingError(f"{path} has no metadata {HEADER!r}: it was not written by this project's recorder")
        self.header = Header.from_metadata(notes[HEADER], str(path))
        self.outcome = Outcome.from_metadata(notes.get(OUTCOME, {"end": "unknown"}), str(path))
        self.policy = notes.get(POLICY, {})
        self.commander = notes.get(COMMANDER, {})

    def _notes(self) -> dict[str, dict[str, str]]:
        try:
            with open(self.path, "rb") as stream:
                _check_index(stream)
                return {note.name: dict(note.metadata) for note in make_reader(stream).iter_metadata()}
        except FileNotFoundError as error:
            raise RecordingError(
                f"there is no recording {self.path}: `world2act recordings FOLDER` lists them"
            ) from error
        except Exception as error:  # each decompressor and each parser trips over damaged bytes in its own way
            raise RecordingError(
                f"{self.path} cannot be read: {_text(error)}; if a crash has left it, {SAVE_THE_REST}"
            ) from error

    @property
    def instruction(self) -> str:
        """What the person asked for; "" when nobody did."""
        return self.header.instruction or self.outcome.instruction

    def messages(self, topics: Collection[str] | None = None) -> Iterator[Recorded]:
        """Messages in the order in which they were written; of these `topics` (relative names) or all.

        The file is read to its end and its checksums are compared: RecordingError, maybe after some messages, when a
        byte is not what it was.
        """
        for schema, channel, message in self._records(topics):
            yield Recorded(self._short(channel.topic), schema.name, message.data, message.log_time)

    def decoded(self, topics: Collection[str]) -> Iterator[tuple[str, Any]]:
        """(topic, message) with the fields of the message's definition as attributes; bytes for uint8 arrays.

        Raises as `messages` does, and when a message does not fit its definition.
        """
        from mcap_ros2.decoder import DecoderFactory  # only training needs it, and its set-up has it

        factory = DecoderFactory()
        decoders: dict[int, Callable[[bytes], Any]] = {}
        for schema, channel, message in self._records(topics):
            try:
                if channel.id not in decoders:
                    decoders[channel.id] = self._decoder(factory, schema, channel)
                decoded = decoders[channel.id](message.data)
            except RecordingError:
                raise
            except Exception as error:  # as above
                raise RecordingError(
                    f"{self.path}: a message on {channel.topic} does not fit its definition: {_text(error)}; it was "
                    "written by another program, or the file was damaged before its checksums were made"
                ) from error
            yield self._short(channel.topic), decoded

    def _decoder(self, factory: Any, schema: Schema, channel: Channel) -> Callable[[bytes], Any]:
        decoder: Callable[[bytes], Any] | None = factory.decoder_for(channel.message_encoding, schema)
        if decoder is None:
            raise RecordingError(f"{self.path}: {channel.topic} is encoded as {channel.message_encoding!r}, not as CDR")
        return decoder

    def _records(self, topics: Collection[str] | None) -> Iterator[tuple[Schema, Channel, Message]]:
        wanted = None if topics is None else [self._absolute(topic) for topic in topics]
        try:
            with open(self.path, "rb") as stream:
                for schema, channel, message in _all_messages(stream):
                    if wanted is None or channel.topic in wanted:
                        yield schema, channel, message
        except Exception as error:  # as above
            raise RecordingError(
                f"{self.path} is damaged: {_text(error)}; copy it again from where it was recorded, or {SAVE_THE_REST}"
            ) from error

    @property
    def _prefix(self) -> str:
        return self.header.namespace.rstrip("/") + "/"

    def _absolute(self, topic: str) -> str:
        return topic if topic.startswith("/") else self._prefix + topic

    def _short(self, topic: str) -> str:
        return topic.removeprefix(self._prefix)


def _check_index(stream: IO[bytes]) -> None:
    """Compare the checksum of what lies between the messages and the end of the file. McapError when it is another."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(size - FOOTER.size - MAGIC_SIZE, 0))
    begin, _, checksum = FOOTER.unpack(stream.read(FOOTER.size))
    end = size - MAGIC_SIZE - 4  # the checksum itself is the last of what is checked
    if not 0 < begin < end or not checksum:
        raise McapError("it has no index")
    stream.seek(begin)
    if zlib.crc32(stream.read(end - begin)) != checksum:
        raise McapError("its index is damaged")
    stream.seek(0)


def _all_messages(stream: IO[bytes]) -> Iterator[tuple[Schema, Channel, Message]]:
    """From one end to the other, not by the index: so the checksum of everything is compared, too."""
    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    for record in StreamReader(stream, validate_crcs=True, record_size_limit=RECORD_LIMIT).records:
        if isinstance(record, Message):
            channel = channels[record.channel_id]
            yield schemas[channel.schema_id], channel, record
        elif isinstance(record, Schema):
            schemas[record.id] = record
        elif isinstance(record, Channel):
            channels[record.id] = record
        elif isinstance(record, DataEnd):
            return  # what follows is the index
    raise McapError("its data have no end")


def _text(error: Exception) -> str:
    """Many of these errors say nothing without their name."""
    return f"{type(error).__name__} {error}".strip()
