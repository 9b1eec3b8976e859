"""Reads finished recordings, without ROS: the definitions of all messages are inside."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcap.exceptions import McapError
from mcap.reader import make_reader
from mcap.records import Channel, Message, Schema

from world2act_core.recording.layout import HEADER, OUTCOME, PART_SUFFIX, POLICY, Header, Outcome, RecordingError


@dataclass(frozen=True, slots=True)
class Recorded:
    """One message. topic: relative to the graph's namespace where it lies inside, as in "observation"; data: CDR."""

    topic: str
    type_name: str
    data: bytes
    log_ns: int


class Recording:
    """One finished recording. policy: vla_policy's parameters."""

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

    def _notes(self) -> dict[str, dict[str, str]]:
        try:
            with open(self.path, "rb") as stream:
                return {note.name: dict(note.metadata) for note in make_reader(stream).iter_metadata()}
        except FileNotFoundError as error:
            raise RecordingError(
                f"there is no recording {self.path}: `world2act recordings FOLDER` lists them"
            ) from error
        except (McapError, OSError, ValueError, struct.error) as error:
            raise RecordingError(
                f"{self.path} cannot be read: {error}; if a crash has left it, rename it to end in {PART_SUFFIX} and "
                "run `world2act recordings --recover`"
            ) from error

    @property
    def instruction(self) -> str:
        """What the person asked for; "" when nobody did."""
        return self.header.instruction or self.outcome.instruction

    def messages(self, topics: Collection[str] | None = None) -> Iterator[Recorded]:
        """Messages in the order in which they were written; of these `topics` (relative names) or all."""
        for schema, channel, message in self._records(topics):
            yield Recorded(self._short(channel.topic), schema.name, message.data, message.log_time)

    def decoded(self, topics: Collection[str]) -> Iterator[tuple[str, Any]]:
        """(topic, message) with the fields of the message's definition as attributes; bytes for uint8 arrays."""
        from mcap_ros2.decoder import DecoderFactory  # only training needs it, and its set-up has it

        factory = DecoderFactory()
        decoders: dict[int, Callable[[bytes], Any]] = {}
        for schema, channel, message in self._records(topics):
            if channel.id not in decoders:
                decoder = factory.decoder_for(channel.message_encoding, schema)
                if decoder is None:
                    raise RecordingError(f"{self.path}: {channel.topic} is encoded as {channel.message_encoding!r}")
                decoders[channel.id] = decoder
            yield self._short(channel.topic), decoders[channel.id](message.data)

    def _records(self, topics: Collection[str] | None) -> Iterator[tuple[Schema, Channel, Message]]:
        wanted = None if topics is None else [self._absolute(topic) for topic in topics]
        try:
            with open(self.path, "rb") as stream:
                for schema, channel, message in make_reader(stream).iter_messages(wanted, log_time_order=False):
                    if schema is not None:
                        yield schema, channel, message
        except (McapError, ValueError, struct.error) as error:
            raise RecordingError(f"{self.path} is damaged: {error}") from error

    @property
    def _prefix(self) -> str:
        return self.header.namespace.rstrip("/") + "/"

    def _absolute(self, topic: str) -> str:
        return topic if topic.startswith("/") else self._prefix + topic

    def _short(self, topic: str) -> str:
        return topic.removeprefix(self._prefix)
