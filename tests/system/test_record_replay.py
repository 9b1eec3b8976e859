"""What a graph does is recorded, replayed to the same bits, and becomes a dataset with the same values."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.system.tiny_bundle import add_monitor, make_bundle
from training.data.importers.recordings import ImportRecordingsConfig, import_recordings
from training.data.lerobot_reader import LeRobotReader
from training.vla.config import SamplingConfig
from training.vla.index import build_index
from world2act import topics
from world2act.client import GraphClient
from world2act.conversions import observation_from_message, stamp_to_ns
from world2act.errors import GraphError
from world2act.replay.run import open_recording, replay
from world2act.replay.steps import observation_stamp_ns
from world2act.supervision.supervisor import Supervisor
from world2act_core.contract import Contract
from world2act_core.images import fit_images
from world2act_core.manifest import read_manifest
from world2act_core.recording.layout import Outcome, finished, unfinished
from world2act_core.recording.reader import Recording
from world2act_core.recording.writer import Channel, Record, RecordingWriter
from world2act_interfaces.msg import ActionChunk, Observation, RecorderStatus, Skill

PICK = "pick up the red cube"


@dataclass
class Episode:
    """One recorded episode, and what another subscriber saw of it."""

    graph: Supervisor
    folder: Path
    path: Path
    observations: dict[int, Observation] = field(default_factory=dict)
    chunks: list[ActionChunk] = field(default_factory=list)


@pytest.fixture(scope="module")
def episode(start, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Episode:
    folder = tmp_path_factory.mktemp("recordings")
    graph = start(bundle, record=str(folder))
    seen = Episode(graph, folder, folder / "episode-000000.mcap")
    node = graph.session.node

    def observe(message: Observation) -> None:
        seen.observations[stamp_to_ns(message.header.stamp)] = message

    node.create_subscription(Observation, topics.OBSERVATION, observe, topics.reliable(100))
    node.create_subscription(ActionChunk, topics.ACTION_CHUNK, seen.chunks.append, topics.reliable(100))
    client = GraphClient(graph.session)
    answer = client.reset(3, PICK)
    outcome = client.execute(PICK, tick=graph.check, not_before=answer.sim_time)
    assert outcome.success, outcome
    assert graph.session.wait(seen.path.exists, 30.0)
    count = len(list(Recording(seen.path).messages(["action_chunk"])))
    assert graph.session.wait(lambda: len(seen.chunks) >= count, 30.0)
    return seen


def run_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "world2act.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


def test_the_recording_holds_what_was_sent(episode: Episode) -> None:
    recording = Recording(episode.path)
    assert recording.instruction == PICK and recording.outcome.goal == "succeeded" and recording.header.lockstep
    assert recording.outcome.dropped == 0
    assert json.loads(recording.policy["provider"]) == "cpu" and recording.policy["lockstep"] == "true"
    recorded = [message for _, message in recording.decoded(["action_chunk"])]
    assert len(recorded) == len(episode.chunks) >= 3
    for mine, theirs in zip(recorded, episode.chunks, strict=True):
        assert np.array_equal(np.asarray(mine.data, np.float32), np.asarray(theirs.data, np.float32))
        assert mine.done == theirs.done and mine.bundle_hash == theirs.bundle_hash == recording.header.bundle_sha256


def test_a_replay_gives_the_same_chunks_bit_for_bit(episode: Episode, bundle: Path, tmp_path: Path) -> None:
    # On the graph's own domain, while it is up: neither disturbs the other.
    done = run_cli("replay", str(episode.path), "--bundle", str(bundle), "--json", str(tmp_path / "result.json"))
    assert done.returncode == 0, done
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["equal"] == result["chunks"] == len(episode.chunks) and result["unmatched"] == 0
    assert f"{len(episode.chunks)} of {len(episode.chunks)} chunks are equal bit for bit" in done.stdout
    before = len(episode.chunks)
    episode.graph.session.wait(lambda: False, 0.5)
    assert len(episode.chunks) == before, "the graph heard the replay"


def test_one_changed_pixel_is_noticed(episode: Episode, bundle: Path, tmp_path: Path) -> None:
    original = Recording(episode.path)
    stamp = stamp_to_ns(episode.chunks[1].header.stamp)
    writer = RecordingWriter(tmp_path / "episode-000000.mcap", original.header)
    for message in original.messages(["observation", "skill", "action_chunk"]):
        data = bytearray(message.data)
        if message.topic == "observation" and observation_stamp_ns(message.data) == stamp:
            data[len(data) // 2] ^= 0x40  # in the middle of a picture
        channel = Channel(f"/{message.topic}", message.type_name, "string not_needed")
        writer.write(Record(channel, bytes(data), message.log_ns, message.log_ns))
    comparison = replay(open_recording(writer.finish(Outcome("changed"))), bundle, tmp_path / "log")
    assert not comparison.all_equal and comparison.equal == comparison.chunks - 1
    assert comparison.differing == {"data": 1} and comparison.first_difference == episode.chunks[1].sequence
    assert 0 < comparison.largest_action_difference < 1e-3


def test_another_bundle_is_refused_with_both_hashes(episode: Episode, tmp_path: Path) -> None:
    other = make_bundle(tmp_path)
    add_monitor(other)
    recording = open_recording(episode.path)
    with pytest.raises(GraphError, match="only the same bundle") as caught:
        replay(recording, other, tmp_path / "log")
    from world2act_core.files import sha256_file

    assert recording.header.bundle_sha256 in str(caught.value)
    assert sha256_file(other / "manifest.yaml") in str(caught.value) and read_manifest(other).name == "tiny"
    with pytest.raises(GraphError, match="cannot be read"):
        open_recording(other / "manifest.yaml")


def test_what_was_recorded_can_be_trained_on(episode: Episode, tmp_path: Path) -> None:
    out = tmp_path / "dataset"
    import_recordings(ImportRecordingsConfig(episode.folder, out))
    import_recordings(ImportRecordingsConfig(episode.folder, out))  # nothing new: nothing twice
    reader = LeRobotReader(out)
    (row,) = reader.episodes
    assert row["instruction"] == PICK and row["goal"] == "succeeded" and row["skill_achieved"] == [True]
    assert row["bundle_sha256"] == episode.chunks[0].bundle_hash and row["safety_events"] == "[]"
    contract = Contract.from_yaml(out / "meta/contract.yaml")
    assert contract.to_text() == Recording(episode.path).header.contract
    columns = reader.episode_columns(0)
    states, actions = columns["observation.state"], columns["action"]
    period_ns = round(1e9 / contract.control_hz)
    first_ns = stamp_to_ns(episode.chunks[0].header.stamp)
    assert len(actions) == len(episode.chunks) * contract.execute_steps
    pictures = {camera: list(reader.episode_frames(0, camera)) for camera in reader.cameras}
    assert set(pictures) == {"scene", "wrist"}
    for number in range(len(actions)):
        chunk, row_in_chunk = divmod(number, contract.execute_steps)
        rows = np.asarray(episode.chunks[chunk].data, np.float32).reshape(contract.chunk_length, contract.action_size)
        np.testing.assert_array_equal(actions[number], rows[row_in_chunk])
        seen = episode.observations[first_ns + number * period_ns]
        np.testing.assert_array_equal(states[number], np.asarray(seen.state, np.float32))
        fitted = fit_images(observation_from_message(seen), contract.cameras)  # as the policy saw them
        for name in pictures:
            error = np.abs(pictures[name][number].astype(int) - fitted[f"image_{name}"][0].astype(int))
            assert error.mean() < 3.0, "equal up to the codec"
    assert columns["done"][-1] and not columns["done"][0]
    index = build_index(reader, len(reader), contract, SamplingConfig())
    assert len(index.frames) == len(actions) and [skill.prompt for skill in index.skills] == [PICK]
    reader.close()


def test_a_killed_recorder_loses_no_more_than_a_second(episode: Episode) -> None:
    graph = episode.graph
    states: list[RecorderStatus] = []
    node = graph.session.node
    node.create_subscription(RecorderStatus, topics.RECORDER_STATUS, states.append, topics.reliable())
    skills = node.create_publisher(Skill, topics.SKILL, topics.latched())
    assert graph.session.wait(lambda: skills.get_subscription_count() >= 3, 10.0)
    # As the planner would; a plan that nothing can be done for, so that the recorder alone is concerned.
    skill = Skill(plan_id=99, id=99, active=True, prompt=PICK, total=1)
    skill.header.stamp.sec = 10**9
    skills.publish(skill)

    def recording() -> bool:
        return bool(states) and states[-1].state == RecorderStatus.RECORDING and states[-1].messages > 10

    assert graph.session.wait(recording, 60.0)
    seen = states[-1]
    # `bytes` grows by a flush only, and a flush that came later has all of these messages.
    assert graph.session.wait(lambda: states[-1].bytes > max(seen.bytes, 5000), 60.0)
    process = next(node.process for node in graph._processes.nodes if node.spec.name == "recorder")
    process.send_signal(signal.SIGKILL)
    process.wait()
    (part,) = unfinished(episode.folder)
    done = run_cli("recordings", str(episode.folder), "--recover")
    assert done.returncode == 0 and "recovered after a crash" in done.stdout, done
    assert not unfinished(episode.folder) and len(finished(episode.folder)) == 2
    recovered = Recording(part.with_name(part.name.removesuffix(".part")))
    assert len(list(recovered.messages())) >= seen.messages, "what was there a second before"
    assert Recording(episode.path).outcome.goal == "succeeded"
