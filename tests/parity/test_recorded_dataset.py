"""From recorded messages to frames, by hand: which action belongs to which observation, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from std_msgs.msg import Header as RosHeader

from training.common.errors import DatasetError
from training.data.importers.recorded_frames import time_ns
from training.data.importers.recordings import ImportRecordingsConfig, import_recordings, recorded_episode
from training.data.lerobot_reader import LeRobotReader
from world2act.conversions import arm_target_to_message, image_to_message, observation_to_message
from world2act.recording.definitions import full_definition, type_name_of
from world2act_core.contract import Contract
from world2act_core.pose import apply_action, state_vector
from world2act_core.recording.layout import Header, Outcome
from world2act_core.recording.reader import Recording
from world2act_core.recording.writer import Channel, Record, RecordingWriter
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import EefPose
from world2act_interfaces.msg import ActionChunk, ArmCommand, EpisodeStatus, Skill

MS = 1_000_000
HASH = "ab" * 32
POSE = EefPose(np.array([0.4, 0.1, 0.2]), np.array([1.0, 0.0, 0.0, 0.0]))
CONTRACT = tabletop_contract()
STATE = state_vector(POSE, 0.05)


def header(contract: Contract = CONTRACT) -> Header:
    return Header(
        "episode", "tiny", HASH, contract.to_text(), "0.1.0", 5_000 * MS, plan_id=2, instruction="pick, then place",
    )  # fmt: skip


def at(time_ns: int) -> RosHeader:
    return RosHeader(stamp=Time(sec=time_ns // 10**9, nanosec=time_ns % 10**9))


def rows(sequence: int) -> np.ndarray:
    """The actions [T, A] of a chunk: every one different, within the contract's limits."""
    steps = CONTRACT.chunk_length
    actions = np.zeros((steps, CONTRACT.action_size), np.float32)
    actions[:, 0] = 1e-3 * (sequence + 1) + 1e-5 * np.arange(steps)
    actions[:, 6] = 1.0 if sequence else -1.0
    return actions


class Story:
    """Messages of a graph in real time: observations every 100 ms, commands a little later."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, object]] = []

    def observe(self, time_ns: int, pixel: int = 0, state: np.ndarray = STATE) -> None:
        pictures = {
            camera.name: image_to_message(
                np.full((camera.height, camera.width, 3), pixel, np.uint8), time_ns, camera.name
            )
            for camera in CONTRACT.cameras
        }
        self.messages.append(("observation", observation_to_message(pictures, state, ["x"], time_ns)))

    def chunk(self, sequence: int, time_ms: int, skill_id: int, done: float = 0.0, bundle: str = HASH) -> None:
        actions = rows(sequence)
        message = ActionChunk(
            header=at(time_ms * MS), sequence=sequence, skill_id=skill_id, plan_id=2, step_seconds=0.1,
            horizon=len(actions), action_size=actions.shape[1], data=actions.reshape(-1).tolist(), done=done,
            bundle_hash=bundle,
        )  # fmt: skip
        self.messages.append(("action_chunk", message))

    def command(self, time_ms: int, sequence: int, index: int, chunk_ms: int, **fields) -> None:
        message = ArmCommand(
            header=at(time_ms * MS), chunk_sequence=sequence, chunk_index=index, holding=index < 0,
            observation_stamp=at(chunk_ms * MS).stamp, **fields,
        )  # fmt: skip
        self.messages.append(("arm_command", message))

    def skill(self, identifier: int, index: int, kind: str = "pick") -> None:
        prompt = f"{kind} the can"
        message = Skill(id=identifier, plan_id=2, index=index, total=2, kind=kind, target="can", active=True)
        message.prompt = prompt
        self.messages.append(("skill", message))

    def write(
        self,
        folder: Path,
        head: Header | None = None,
        goal: str = "succeeded",
        number: int = 0,
        notes: Mapping[str, dict[str, str]] = MappingProxyType({}),
    ) -> Recording:
        writer = RecordingWriter(folder / f"episode-{number:06d}.mcap", head or header())
        for name, values in notes.items():
            writer.note(name, values)
        for place, (topic, message) in enumerate(self.messages):
            name = type_name_of(type(message))
            channel = Channel(f"/{topic}", name, full_definition(name))
            writer.write(Record(channel, serialize_message(message), place, place))
        events = [{"name": "INPUT_SILENT", "level": 2}]
        return Recording(writer.finish(Outcome("over", goal, "", writer.messages, 1, events)))


def two_skills() -> Story:
    """pick (its first attempt fails), pick again, place; one tick of hold in between."""
    story = Story()
    story.skill(4, 0)
    story.skill(5, 0)
    story.skill(6, 1, "place")
    for time in range(900, 1800, 100):
        story.observe(time * MS, pixel=time // 10)
    for sequence, (time, skill_id, done) in enumerate([(1000, 4, 0.0), (1200, 5, 0.9), (1500, 6, 0.1)]):
        story.chunk(sequence, time, skill_id, done)
    for time, sequence, index, chunk_ms in [
        (1020, 0, 0, 1000), (1120, 0, 1, 1000), (1220, 1, 0, 1200), (1320, 1, 1, 1200), (1420, 1, -1, 1200),
        (1520, 2, 0, 1500), (1620, 2, 1, 1500),
    ]:  # fmt: skip
        story.command(time, sequence, index, chunk_ms)
    return story


def test_each_frame_has_the_action_that_followed_it(tmp_path: Path) -> None:
    buffer, info, fps = recorded_episode(two_skills().write(tmp_path), 0.35)
    columns = buffer.stacked()
    hold = np.zeros(7, np.float32)
    hold[6] = 1.0
    wanted = [rows(0)[0], rows(0)[1], rows(1)[0], rows(1)[1], hold, rows(2)[0], rows(2)[1]]
    np.testing.assert_array_equal(columns["action"], np.stack(wanted))
    np.testing.assert_array_equal(columns["observation.state"], np.stack([STATE] * 7))
    assert columns["observation.gripper"][:, 0].tolist() == [0, 0, 0, 1, 1, 1, 1], "closed by the command before"
    assert [int(image[0, 0, 0]) for image in buffer.images["scene"]] == [100, 110, 120, 130, 140, 150, 160]
    assert [(s.prompt, s.start, s.stop, s.achieved) for s in info.segments] == [
        ("pick the can", 0, 2, False), ("pick the can", 2, 5, True), ("place the can", 5, 7, True),
    ]  # fmt: skip
    assert columns["skill_index"][:, 0].tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert columns["done"][:, 0].tolist() == [False, False, True, True, True, False, False]
    assert np.isnan(columns["target_position"]).all() and fps == 10
    assert info.success and info.kind == "composite" and info.seed == 5_000 and info.instruction == "pick, then place"
    assert info.extra["largest_gap_s"] == pytest.approx(0.1) and "INPUT_SILENT" in str(info.extra["safety_events"])
    assert info.extra["dropped_messages"] == 1 and info.extra["robot_profile"] == ""


def test_a_stamp_that_was_a_float_of_seconds_still_names_its_chunk(tmp_path: Path) -> None:
    """Today's stamps have no whole microseconds, and a double of seconds is up to 240 ns off."""
    story = two_skills()
    begin_ns = 1_763_720_492_000_000_123
    for _, message in story.messages:
        if hasattr(message, "header"):
            message.header.stamp = at(time_ns(message.header.stamp) + begin_ns).stamp
        if isinstance(message, ArmCommand):
            as_float = (time_ns(message.observation_stamp) + begin_ns) / 1e9
            message.observation_stamp = at(round(as_float * 1e9)).stamp
    off_ns = {time_ns(m.observation_stamp) - begin_ns for topic, m in story.messages if topic == "arm_command"}
    assert all(0 < abs(ns - round(ns, -6)) <= 240 for ns in off_ns), "what this is about"
    buffer = recorded_episode(story.write(tmp_path), 0.35)[0]
    assert len(buffer.stacked()["action"]) == 7
    story.messages[-1][1].observation_stamp = at(begin_ns + 1400 * MS).stamp
    assert len(recorded_episode(story.write(tmp_path, number=1), 0.35)[0].stacked()["action"]) == 6, "another chunk's"


def test_what_the_box_cut_off_is_in_the_executed_action(tmp_path: Path) -> None:
    story = two_skills()
    target = apply_action(POSE, [0.0, 0.02, 0.0, 0.0, 0.0, 0.0, -1.0])
    pose = arm_target_to_message(target, 0).pose
    story.command(1719, 2, 2, 1500, pose=pose, gripper=-1.0, limit_events=["workspace"])
    columns = recorded_episode(story.write(tmp_path), 0.35)[0].stacked()
    np.testing.assert_array_equal(columns["action"][-1], rows(2)[2])
    np.testing.assert_allclose(columns["executed_action"][-1], [0.0, 0.02, 0.0, 0.0, 0.0, 0.0, -1.0], atol=1e-6)
    np.testing.assert_array_equal(columns["executed_action"][:-1], columns["action"][:-1])


def test_a_simulators_judge_has_the_last_word_on_its_own_episode(tmp_path: Path) -> None:
    story = two_skills()
    for time, seed, success in ((1000, 3, False), (2000, 3, True), (2100, 4, False)):
        story.messages.append(("episode_status", EpisodeStatus(header=at(time * MS), seed=seed, success=success)))
    assert recorded_episode(story.write(tmp_path, goal="aborted"), 0.35)[1].success
    assert not recorded_episode(two_skills().write(tmp_path, goal="aborted", number=1), 0.35)[1].success


def test_what_cannot_be_trained_on_is_left_out_with_a_reason(tmp_path: Path) -> None:
    foreign = two_skills()
    foreign.chunk(3, 1700, 6, bundle="cd" * 32)
    with pytest.raises(DatasetError, match=r"cdcd.* start recorder and vla_policy with the same bundle"):
        recorded_episode(foreign.write(tmp_path, number=0), 0.35)
    gap = two_skills()
    gap.messages = [m for m in gap.messages if m[0] != "observation" or m[1].header.stamp.nanosec != 300 * MS]
    with pytest.raises(DatasetError, match="0.20 s without an observation"):
        recorded_episode(gap.write(tmp_path, number=1), 0.15)
    with pytest.raises(DatasetError, match="no skill that the policy carried out"):
        recorded_episode(Story().write(tmp_path, number=2), 0.35)
    still = two_skills()
    still.messages = [m for m in still.messages if m[0] != "arm_command"]
    with pytest.raises(DatasetError, match="never moved"):
        recorded_episode(still.write(tmp_path, number=3), 0.35)
    slow = CONTRACT.model_copy(update={"observation_hz": 5.0})
    with pytest.raises(DatasetError, match="observation_hz 5 and control_hz 10"):
        recorded_episode(two_skills().write(tmp_path, header(slow), number=4), 0.35)


def test_a_folder_becomes_a_dataset_and_grows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "recordings", tmp_path / "dataset"
    folder.mkdir()
    with pytest.raises(DatasetError, match="no recording"):
        import_recordings(ImportRecordingsConfig(folder, out))
    two_skills().write(folder, replace(header(), kind="buffer"), number=2)
    with pytest.raises(DatasetError, match=r"0 new episodes of 1 recordings\nno dataset was written: buffers"):
        import_recordings(ImportRecordingsConfig(folder, out))
    Story().write(folder, replace(header(), started_ns=5_500 * MS), number=1)
    with pytest.raises(DatasetError, match=r"no skill that the policy carried out\n(.|\n)*no dataset was written"):
        import_recordings(ImportRecordingsConfig(folder, out))
    two_skills().write(folder)
    damaged = two_skills().write(folder, replace(header(), started_ns=5_800 * MS), number=4).path
    data = bytearray(damaged.read_bytes())
    data[len(data) // 3] ^= 0x40  # within a compressed chunk
    damaged.write_bytes(data)
    import_recordings(ImportRecordingsConfig(folder, out))
    said = capsys.readouterr().out
    assert "left out" in said and "episode-000004.mcap is damaged" in said
    two_skills().write(folder, replace(header(), started_ns=6_000 * MS), goal="canceled", number=3)
    import_recordings(ImportRecordingsConfig(folder, out, only_successes=True))
    assert [row["seed"] for row in LeRobotReader(out).episodes] == [5_000]
    import_recordings(ImportRecordingsConfig(folder, out))
    reader = LeRobotReader(out)
    assert [(row["seed"], row["goal"]) for row in reader.episodes] == [(5_000, "succeeded"), (6_000, "canceled")]
    assert reader.info["fps"] == 10 and Contract.from_yaml(out / "meta/contract.yaml") == CONTRACT
