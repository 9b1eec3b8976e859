"""Replay without a policy: which inputs belong to a chunk, and what counts as equal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builtin_interfaces.msg import Time
from rcl_interfaces.msg import ParameterEvent
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from std_msgs.msg import Header as RosHeader

from world2act.cli.recordings import Recordings
from world2act.cli.replay import report_lines
from world2act.errors import GraphError
from world2act.graph import DEFAULT_BUNDLE
from world2act.recording.definitions import full_definition, type_name_of
from world2act.replay.compare import Comparison, differing_fields, largest_difference
from world2act.replay.run import start_parameters
from world2act.replay.steps import ReplaySteps, observation_stamp_ns
from world2act_core.recording.layout import POLICY, Header, Outcome, RecordingError
from world2act_core.recording.reader import Recording
from world2act_core.recording.writer import Channel, Record, RecordingWriter
from world2act_interfaces.msg import ActionChunk, Observation, Skill

HEADER = Header("episode", "tiny", "0" * 64, "", "0.1.0", 1, plan_id=2, instruction="pick")


def at(seconds: int) -> RosHeader:
    return RosHeader(stamp=Time(sec=seconds, nanosec=7))


def observation(seconds: int) -> tuple[str, Observation]:
    return "/observation", Observation(header=at(seconds), sequence=seconds)


def chunk(seconds: int, skill: int = 1, plan: int = 2) -> tuple[str, ActionChunk]:
    return "/action_chunk", ActionChunk(header=at(seconds), sequence=seconds, skill_id=skill, plan_id=plan)


def skill(identifier: int, plan: int = 2) -> tuple[str, Skill]:
    return "/skill", Skill(id=identifier, plan_id=plan, prompt=f"skill {identifier}", active=True)


def event(node: str, name: str, value: object) -> tuple[str, ParameterEvent]:
    changed = [Parameter(name, value=value).to_parameter_msg()]
    return "/parameter_events", ParameterEvent(node=node, changed_parameters=changed)


def write(path: Path, *messages: tuple[str, object]) -> Recording:
    writer = RecordingWriter(path, HEADER)
    writer.note(POLICY, {"residual": "true", "imagined_start": json.dumps(""), "provider": json.dumps("cpu")})
    for place, (topic, message) in enumerate(messages):
        name = type_name_of(type(message))
        writer.write(Record(Channel(topic, name, full_definition(name)), serialize_message(message), place, place))
    return Recording(writer.finish(Outcome("over", messages=len(messages))))


def test_each_chunk_gets_its_own_inputs_in_whatever_order_they_were_written(tmp_path: Path) -> None:
    steps = ReplaySteps(
        write(
            tmp_path / "episode-000000.mcap",
            observation(1), chunk(1), skill(1), observation(2), chunk(3, skill=4), skill(4), observation(3),
            event("/arm/vla_policy", "residual", False), event("/camera_ingest", "residual", True),
            observation(5), chunk(5, skill=4),
        )
    )  # fmt: skip
    found = list(steps)
    assert [step.chunk.sequence for step in found] == [1, 3, 5] and steps.unmatched == 0
    assert [step.skill.prompt for step in found] == ["skill 1", "skill 4", "skill 4"]
    assert [observation_stamp_ns(step.observation) for step in found] == [s * 10**9 + 7 for s in (1, 3, 5)]
    assert [step.parameters["residual"] for step in found] == [True, True, False]
    assert all(set(step.parameters) == {"residual", "imagined_start"} for step in found)


def test_what_is_missing_is_counted(tmp_path: Path) -> None:
    steps = ReplaySteps(
        write(
            tmp_path / "episode-000000.mcap",
            skill(1), observation(1), chunk(1), chunk(2), observation(3), chunk(3), chunk(4, skill=9), chunk(5),
            skill(1, plan=3), observation(6), chunk(6, plan=3),
        )
    )  # fmt: skip
    assert [step.chunk.sequence for step in steps] == [1, 3], "the next plan is another episode's"
    assert steps.unmatched == 3
    with pytest.raises(RecordingError, match="not CDR"):
        observation_stamp_ns(b"\0\7")


def test_equal_means_every_bit() -> None:
    nan = float("nan")
    first = ActionChunk(header=at(1), sequence=1, data=[0.5, 1.0], alignment_score=nan, inference_seconds=0.1)
    second = ActionChunk(header=at(1), sequence=8, data=[0.5, 1.0], alignment_score=nan, inference_seconds=0.9)
    assert differing_fields(first, second) == []
    second.data = [0.5, 1.0 + 2.0**-23]
    second.residual_size = -0.0
    assert differing_fields(first, second) == ["data", "residual_size"]
    assert largest_difference(first, second) == 2.0**-23
    comparison = Comparison()
    assert not comparison.all_equal, "nothing compared is no success"
    comparison.add(first, first)
    assert comparison.all_equal
    comparison.add(first, second)
    assert not comparison.all_equal and comparison.equal == 1 and comparison.first_difference == 1
    assert comparison.differing == {"data": 1, "residual_size": 1}
    second.data = [0.5]
    assert largest_difference(first, second) == float("inf")


def test_a_recording_that_does_not_say_how_the_policy_was_set_is_replayed_as_a_graph_would(tmp_path: Path) -> None:
    told = write(tmp_path / "episode-000000.mcap", skill(1))
    assert start_parameters(told, Path(DEFAULT_BUNDLE))["residual"] is True
    writer = RecordingWriter(tmp_path / "buffer-000001.mcap", HEADER)
    untold = Recording(writer.finish(Outcome("over")))
    assert start_parameters(untold, Path(DEFAULT_BUNDLE))["residual"] is False, "not vla_policy's own default"
    assert not any("warning" in line for line in report_lines(Comparison()))
    assert "does not say how vla_policy was set" in report_lines(Comparison(settings_known=False))[1]


def test_the_list_of_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(GraphError, match="nothing at"):
        Recordings(tmp_path / "nowhere").run()
    assert Recordings(tmp_path).run() == 0 and "no recordings" in capsys.readouterr().out
    write(tmp_path / "episode-000000.mcap", skill(1))
    writer = RecordingWriter(tmp_path / "episode-000001.mcap", HEADER)
    assert Recordings(tmp_path, recover=True).run() == 1, "it is being written"
    writer.abandon()
    assert Recordings(tmp_path).run() == 0
    text = capsys.readouterr().out
    assert "'pick'" in text and "1 messages" in text and "unfinished: episode-000001.mcap.part" in text
    assert Recordings(tmp_path, recover=True).run() == 0
    assert "recovered after a crash" in capsys.readouterr().out
    data = bytearray((tmp_path / "episode-000000.mcap").read_bytes())
    data[data.index(b"pick")] ^= 0x01  # in its header
    (tmp_path / "changed.mcap.part").write_bytes(data)
    assert Recordings(tmp_path, recover=True).run() == 0
    assert "changed.mcap: 1 messages, up to a damage: CRCValidationError" in capsys.readouterr().out
    (tmp_path / "broken.mcap").write_bytes(b"x")
    assert Recordings(tmp_path).run() == 1 and "broken.mcap cannot be read" in capsys.readouterr().out
