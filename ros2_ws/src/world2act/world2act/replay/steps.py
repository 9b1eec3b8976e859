"""What a recording gives to replay: for each chunk, the observation and the skill that it was computed from."""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import ParameterEvent
from rclpy.parameter import parameter_value_to_python
from rclpy.serialization import deserialize_message

from world2act import topics
from world2act.conversions import stamp_to_ns
from world2act.recording.definitions import type_name_of
from world2act.recording.sources import PARAMETER_EVENTS
from world2act_core.recording.layout import RecordingError
from world2act_core.recording.reader import Recording
from world2act_interfaces.msg import ActionChunk, Skill

LIVE = ("residual", "imagined_start")
"""Parameters of vla_policy that may change while it runs, and change its chunks."""


@dataclass(frozen=True)
class Step:
    """One inference: observation (CDR), skill, and the chunk that came of it. parameters: the live ones then."""

    observation: bytes
    skill: Skill
    chunk: ActionChunk
    parameters: dict[str, Any]


class ReplaySteps:
    """The steps of a recording in order. `unmatched`: chunks so far whose observation or skill is not in the file.

    A busy recorder writes messages of different topics in another order than they were sent, so chunks are read first,
    and each is joined with its observation when that one comes.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.unmatched = 0
        self._decisions = deque(self._read_decisions())

    def __iter__(self) -> Iterator[Step]:
        for message in self._recording.messages([topics.OBSERVATION]):
            stamp_ns = observation_stamp_ns(message.data)
            # Observations are in the order of their stamps: what was passed over will not come any more.
            while self._decisions and self._decisions[0].stamp_ns < stamp_ns:
                self._decisions.popleft()
                self.unmatched += 1
            if self._decisions and self._decisions[0].stamp_ns == stamp_ns:
                found = self._decisions.popleft()
                yield Step(message.data, found.skill, found.chunk, found.parameters)
        self.unmatched += len(self._decisions)
        self._decisions.clear()

    def _read_decisions(self) -> list[_Decision]:
        skills: dict[tuple[int, int], Skill] = {}
        chunks: list[tuple[ActionChunk, dict[str, Any]]] = []
        parameters = {name: json.loads(value) for name, value in self._recording.policy.items() if name in LIVE}
        plan = self._recording.header.plan_id
        for message in self._recording.messages((topics.SKILL, topics.ACTION_CHUNK, PARAMETER_EVENTS)):
            if message.type_name == type_name_of(Skill):
                skill = deserialize_message(message.data, Skill)
                skills[(int(skill.plan_id), int(skill.id))] = skill
            elif message.type_name == type_name_of(ParameterEvent):
                parameters = {**parameters, **_changes(message.data)}
            else:
                chunk = deserialize_message(message.data, ActionChunk)
                if plan in (0, chunk.plan_id):  # the next instruction may have begun before this recording ended
                    chunks.append((chunk, parameters))
        known = [
            _Decision(stamp_to_ns(chunk.header.stamp), skills[key], chunk, then)
            for chunk, then in chunks
            if (key := (int(chunk.plan_id), int(chunk.skill_id))) in skills
        ]
        self.unmatched += len(chunks) - len(known)
        return known


@dataclass(frozen=True)
class _Decision:
    stamp_ns: int
    skill: Skill
    chunk: ActionChunk
    parameters: dict[str, Any]


def _changes(data: bytes) -> dict[str, Any]:
    """What a parameter event says about vla_policy."""
    event = deserialize_message(data, ParameterEvent)
    if event.node.rsplit("/", 1)[-1] != "vla_policy":
        return {}
    changed = [*event.new_parameters, *event.changed_parameters]
    return {item.name: parameter_value_to_python(item.value) for item in changed if item.name in LIVE}


def observation_stamp_ns(data: bytes) -> int:
    """The stamp of a serialised Observation; its header comes first, so the pictures need not be decoded."""
    if len(data) < 12 or data[1] not in (0, 1):
        raise RecordingError("a recorded Observation is not CDR: the file is damaged")
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] == 1 else ">iI", data, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)
