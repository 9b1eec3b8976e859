"""What a recording gives to replay: for each chunk, the observation and the skill that it was computed from."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rclpy.parameter import parameter_value_to_python
from rclpy.serialization import deserialize_message

from world2act import topics
from world2act.conversions import stamp_to_ns
from world2act.recording.sources import PARAMETER_EVENTS
from world2act_core.recording.layout import RecordingError
from world2act_core.recording.reader import Recording
from world2act_interfaces.msg import ActionChunk, Skill

LIVE = ("residual", "imagined_start")
"""Parameters of vla_policy that may change while it runs, and change its chunks."""
HISTORY = 64
"""Observations that are remembered; a chunk comes a few after its own."""


@dataclass(frozen=True)
class Step:
    """One inference: observation (CDR), skill, and the chunk that came of it. parameters: the live ones then."""

    observation: bytes
    skill: Skill
    chunk: ActionChunk
    parameters: dict[str, Any]


class ReplaySteps:
    """The steps of a recording in order. `unmatched`: chunks so far whose observation or skill is not in the file."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.unmatched = 0
        self.parameters: dict[str, Any] = {
            name: json.loads(value) for name, value in recording.policy.items() if name in LIVE
        }

    def __iter__(self) -> Iterator[Step]:
        observations: dict[int, bytes] = {}
        skills: dict[tuple[int, int], Skill] = {}
        parameters = dict(self.parameters)
        plan = self._recording.header.plan_id
        wanted = (topics.OBSERVATION, topics.SKILL, topics.ACTION_CHUNK, PARAMETER_EVENTS)
        for message in self._recording.messages(wanted):
            if message.topic == topics.OBSERVATION:
                observations[observation_stamp_ns(message.data)] = message.data
                if len(observations) > HISTORY:
                    del observations[next(iter(observations))]
            elif message.topic == PARAMETER_EVENTS:
                parameters = {**parameters, **self._changes(message.data)}
            elif message.topic == topics.SKILL:
                skill = deserialize_message(message.data, Skill)
                skills[(int(skill.plan_id), int(skill.id))] = skill
            else:
                chunk = deserialize_message(message.data, ActionChunk)
                if plan not in (0, chunk.plan_id):
                    continue  # the next instruction began before this recording ended
                observation = observations.get(stamp_to_ns(chunk.header.stamp))
                known = skills.get((int(chunk.plan_id), int(chunk.skill_id)))
                if observation is None or known is None:
                    self.unmatched += 1
                    continue
                yield Step(observation, known, chunk, parameters)

    def _changes(self, data: bytes) -> dict[str, Any]:
        from rcl_interfaces.msg import ParameterEvent

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
