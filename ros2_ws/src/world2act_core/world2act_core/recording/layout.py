"""What a recording is called and what it says about itself.

A recording is one MCAP file of profile "ros2" with CDR messages. The metadata record `world2act` is its header, written
first; `world2act.policy` and `world2act.commander` say how vla_policy and arm_commander were set; `world2act.outcome`
is written last. A file that is being written, or that a crash has left, ends in `.mcap.part`.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

SUFFIX = ".mcap"
PART_SUFFIX = ".mcap.part"
RECOVERING = "recovering-"
"""How the name of a copy begins that is being made of an unfinished recording."""
HEADER = "world2act"
POLICY = "world2act.policy"
COMMANDER = "world2act.commander"
OUTCOME = "world2act.outcome"
RECORD_LIMIT = 1 << 30
"""Bytes; no record of ours comes near it, and a damaged length would otherwise ask for any amount of memory."""
_NUMBERED = re.compile(r"^(?:episode|buffer)-(\d+)\.mcap")

Kind = Literal["episode", "buffer"]


class RecordingError(ValueError):
    """A recording cannot be read or used; the message says which file, why, and what to do."""


@dataclass(frozen=True)
class Header:
    """What is known when a recording begins.

    kind: an episode, or what the ring buffer held. instruction: "" when it was not known yet (see Outcome). note: why
    it was recorded. bundle_sha256: of the bundle's manifest, as in ActionChunk. contract, robot_profile: YAML text.
    namespace: of the graph, "/" for none. started_ns: wall clock.
    """

    kind: Kind
    bundle_name: str
    bundle_sha256: str
    contract: str
    software: str
    started_ns: int
    plan_id: int = 0
    instruction: str = ""
    note: str = ""
    robot_profile: str = ""
    namespace: str = "/"
    lockstep: bool = False

    def to_metadata(self) -> dict[str, str]:
        """As an MCAP metadata record: texts, everything else as JSON."""
        return {name: _to_text(value) for name, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, values: dict[str, str], source: str) -> Self:
        """The reverse; RecordingError names `source` and what is missing."""
        return _from_metadata(cls, values, source)


@dataclass(frozen=True)
class Outcome:
    """What is known when a recording ends.

    end: why the recording ended. goal: how the instruction ended, "succeeded", "canceled", "aborted" or "unknown".
    safety_events: what SafetyStatus flags and NodeHealth reported meanwhile, oldest first, as plain values.
    dropped: messages that arrived but could not be kept.
    """

    end: str
    goal: str = "unknown"
    instruction: str = ""
    messages: int = 0
    dropped: int = 0
    safety_events: list[dict[str, Any]] = field(default_factory=list)

    def to_metadata(self) -> dict[str, str]:
        """As an MCAP metadata record: texts, everything else as JSON."""
        return {name: _to_text(value) for name, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, values: dict[str, str], source: str) -> Self:
        """The reverse; RecordingError names `source` and what is missing."""
        return _from_metadata(cls, values, source)


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _from_metadata(cls: Any, values: dict[str, str], source: str) -> Any:
    fields = cls.__dataclass_fields__
    try:
        # Annotations are texts here: only those that are not "str" (or the texts of Kind) went through JSON.
        read = {
            name: values[name] if fields[name].type in ("str", "Kind") else json.loads(values[name])
            for name in fields
            if name in values
        }
        return cls(**read)
    except (ValueError, TypeError) as error:
        raise RecordingError(
            f"{source}: what it says about itself cannot be understood: {error}; it is damaged, or was "
            "written by another version"
        ) from error


def next_number(folder: Path) -> int:
    """The first number that no recording in `folder` has, finished or not."""
    names = (_NUMBERED.match(path.name) for path in folder.glob("*.mcap*"))
    return max((int(match[1]) + 1 for match in names if match), default=0)


def file_name(kind: Kind, number: int) -> str:
    """Name of a finished recording: "episode-000012.mcap"."""
    return f"{kind}-{number:06d}{SUFFIX}"


def finished(folder: Path) -> list[Path]:
    """Finished recordings in `folder`, by name."""
    return _recordings(folder, SUFFIX)


def unfinished(folder: Path) -> list[Path]:
    """What a crash or a full disk has left in `folder`, or is being written at the moment, by name."""
    return _recordings(folder, PART_SUFFIX)


def _recordings(folder: Path, suffix: str) -> list[Path]:
    found = sorted(path for path in folder.glob(f"*{suffix}") if path.is_file())
    return [path for path in found if not path.name.startswith(RECOVERING)]
