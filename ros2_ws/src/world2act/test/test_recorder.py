"""The recorder over real topics: episodes, requests, faults, a full disk, and how it ends."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from world2act import topics
from world2act.nodes.recorder import Recorder
from world2act.recording.thread import DISK_FULL
from world2act_core.files import sha256_file
from world2act_core.manifest import write_manifest
from world2act_core.recording.layout import Header, finished
from world2act_core.recording.reader import Recording
from world2act_core.recording.writer import RecordingWriter
from world2act_core.tabletop import tabletop_contract
from world2act_interfaces.msg import (
    ActionChunk,
    NodeHealth,
    Observation,
    RecorderStatus,
    SafetyFlag,
    SafetyStatus,
    Skill,
    SkillPlan,
)
from world2act_interfaces.srv import Record

SUCCESS = TransitionCallbackReturn.SUCCESS


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder, encoder = tmp_path / "bundle", tmp_path / "encoder"
    folder.mkdir()
    encoder.mkdir()
    tabletop_contract().to_yaml(folder / "contract.yaml")
    (folder / "policy.onnx").write_bytes(b"not looked at")
    (encoder / "model.onnx").write_bytes(b"nor this")
    write_manifest(
        folder, name="small", created="2026-01-01T00:00:00Z", licence="Apache-2.0", world2act_version="0.1.0",
        text_encoder_folder="../encoder",
    )  # fmt: skip
    return folder


class Graph(Node):
    """Says what the other nodes of a graph would."""

    def __init__(self, ros) -> None:
        super().__init__("rest_of_the_graph", context=ros.context)
        self._ros = ros
        self.statuses: list[RecorderStatus] = []
        self.faults: list[str] = []
        latched, reliable = topics.latched(), topics.reliable()
        self.plans = self.create_publisher(SkillPlan, topics.SKILL_PLAN, latched)
        self.skills = self.create_publisher(Skill, topics.SKILL, latched)
        self.chunks = self.create_publisher(ActionChunk, topics.ACTION_CHUNK, reliable)
        self.observations = self.create_publisher(Observation, topics.OBSERVATION, reliable)
        self.healths = self.create_publisher(NodeHealth, topics.NODE_HEALTH, reliable)
        self.safety = self.create_publisher(SafetyStatus, topics.SAFETY_STATUS, reliable)
        self.create_subscription(RecorderStatus, topics.RECORDER_STATUS, self.statuses.append, reliable)
        self.create_subscription(NodeHealth, topics.NODE_HEALTH, self._on_health, reliable)
        self.client = self.create_client(Record, topics.RECORD)

    def _on_health(self, message: NodeHealth) -> None:
        if message.node == "/recorder":
            self.faults.append(message.fault)

    def begin(self, plan_id: int, instruction: str) -> None:
        self.plans.publish(SkillPlan(plan_id=plan_id, instruction=instruction, planner="grammar"))
        self.skills.publish(Skill(plan_id=plan_id, id=plan_id, active=True, prompt=instruction, total=1))

    def end(self) -> None:
        self.skills.publish(Skill(active=False, chunk_sequence=-1))

    def ask(self, command: str, note: str = "") -> Record.Response:
        assert self._ros.until(self.client.service_is_ready)
        future = self.client.call_async(Record.Request(command=command, note=note))
        assert self._ros.until(future.done)
        return future.result()


Start = Callable[..., Recorder]


@pytest.fixture
def graph(ros) -> Graph:
    return ros.add(Graph(ros))


@pytest.fixture
def start(ros, graph: Graph, bundle: Path, tmp_path: Path) -> Iterator[Start]:
    nodes: list[Recorder] = []

    def one(folder: Path = tmp_path / "recordings", **values) -> Recorder:
        chosen = {
            "bundle": str(bundle), "folder": str(folder), "postroll": 0.2, "min_free": 0, "flush_period": 0.05,
            "health_period": 0.1, **values,
        }  # fmt: skip
        overrides = [Parameter(name, value=value) for name, value in chosen.items()]
        node = ros.add(Recorder(context=ros.context, parameter_overrides=overrides))
        nodes.append(node)
        assert node.trigger_configure() == SUCCESS and node.trigger_activate() == SUCCESS
        publishers = (graph.plans, graph.skills, graph.chunks, graph.observations, graph.healths, graph.safety)
        assert ros.until(lambda: all(p.get_subscription_count() > 0 for p in publishers))
        return node

    yield one
    for node in nodes:
        node.trigger_shutdown()


def has_seen(node: Recorder, topic: str) -> bool:
    """Whether a message of one of the topics that recordings begin with has reached the recorder."""
    return any(record.channel.topic == f"/{topic}" for record in node._words.records())


def wait_for_file(ros, folder: Path, count: int = 1) -> list[Path]:
    assert ros.until(lambda: len(finished(folder)) >= count), list(folder.iterdir())
    return finished(folder)


def test_an_instruction_becomes_a_file(ros, graph: Graph, start: Start, bundle: Path, tmp_path: Path) -> None:
    node = start(robot_profile="name: fr3\n")
    # Seen before the instruction: in lockstep the world stands still until there is one.
    graph.observations.publish(Observation(sequence=41, state=[0.5] * 10))
    assert ros.until(lambda: has_seen(node, topics.OBSERVATION))
    assert ros.until(lambda: any(s.state == RecorderStatus.BUFFERING for s in graph.statuses))
    graph.begin(7, "pick up the red cube")
    assert ros.until(lambda: any(s.state == RecorderStatus.RECORDING for s in graph.statuses))
    for number in range(3):
        graph.chunks.publish(ActionChunk(sequence=number, plan_id=7, data=[0.25, float("nan")]))
    stop = SafetyFlag(name="E_STOP", level=SafetyFlag.ERROR, active=True, reaction="stop", message="pressed")
    graph.safety.publish(SafetyStatus(flags=[stop]))
    # Observation, plan and skill, three chunks and the safety filter's report, besides heartbeats.
    assert ros.until(lambda: has_seen(node, topics.SAFETY_STATUS) and node._thread.progress.messages >= 7)
    ros.spin(0.3)
    graph.end()
    files = wait_for_file(ros, tmp_path / "recordings", 2)
    assert [path.name[:7] for path in files] == ["buffer-", "episode"], "an e-stop saves the last minute too"
    recording = Recording(files[1])
    header, outcome = recording.header, recording.outcome
    assert recording.instruction == "pick up the red cube" and header.plan_id == 7 and not header.lockstep
    assert header.bundle_sha256 == sha256_file(bundle / "manifest.yaml") and header.bundle_name == "small"
    assert header.contract == tabletop_contract().to_text() and header.robot_profile == "name: fr3\n"
    assert outcome.dropped == 0 and outcome.messages == len(list(recording.messages()))
    assert [(e["name"], e["reaction"]) for e in outcome.safety_events if e["source"] == "safety"] == [
        ("E_STOP", "stop")
    ]
    assert outcome.end == "the instruction ended"
    messages = list(recording.decoded(["observation", "action_chunk", "skill", "skill_plan"]))
    assert [m.sequence for topic, m in messages if topic == "observation"] == [41]
    chunks = [m for topic, m in messages if topic == "action_chunk"]
    assert [m.sequence for m in chunks] == [0, 1, 2] and chunks[0].data[0] == 0.25
    assert [m.active for topic, m in messages if topic == "skill"] == [True, False]
    buffer = Recording(files[0])
    assert buffer.header.note == "safety: E_STOP" and buffer.instruction == "pick up the red cube"
    # Another library, without our workspace.
    store = get_typestore(Stores.EMPTY)
    with Reader(files[1]) as reader:
        for connection in reader.connections:
            store.register(get_types_from_msg(connection.msgdef.data, connection.msgtype))
        read = [store.deserialize_cdr(raw, c.msgtype) for c, _, raw in reader.messages()]
        assert len(read) == outcome.messages and all(c.ext.offered_qos_profiles for c in reader.connections)


def test_requests(ros, graph: Graph, start: Start, tmp_path: Path) -> None:
    node = start(episodes="manual")
    folder = tmp_path / "recordings"
    refused = graph.ask(Record.Request.STOP)
    assert not refused.ok and "nothing to end" in refused.message
    assert graph.ask(Record.Request.START).ok
    assert "already" in graph.ask(Record.Request.START).message
    graph.begin(1, "open the drawer")
    assert ros.until(lambda: node._tracker.plan_id == 1)
    stopped = graph.ask(Record.Request.STOP)
    assert stopped.ok and stopped.path == str(folder / "episode-000000.mcap")
    assert Recording(Path(stopped.path)).instruction == "open the drawer", "the next instruction that came"
    assert graph.ask(Record.Request.START, "by hand").ok
    assert graph.ask(Record.Request.DISCARD).ok
    assert len(finished(folder)) == 1
    graph.observations.publish(Observation(sequence=1))
    assert ros.until(lambda: has_seen(node, topics.OBSERVATION))
    saved = graph.ask(Record.Request.SAVE_BUFFER, "it looked odd")
    assert saved.ok and Recording(Path(saved.path)).header.note == "it looked odd"
    assert "unknown command 'dance'" in graph.ask("dance").message
    assert ros.until(lambda: bool(graph.statuses) and graph.statuses[-1].finished_episodes == 2)


class Policy(Node):
    """A node with vla_policy's parameters; ROS answers for them."""

    def __init__(self, context) -> None:
        super().__init__("vla_policy", context=context)
        values = {
            "lockstep": False, "provider": "cpu", "threads": 1, "residual": False, "residual_graph": "auto",
            "imagined_codes": "", "imagined_start": "",
        }  # fmt: skip
        for name, value in values.items():
            self.declare_parameter(name, value)


def test_every_file_says_how_the_policy_was_set(ros, graph: Graph, start: Start, tmp_path: Path) -> None:
    node = start(episodes="manual")
    (history,) = [facts.history for facts in node._facts if facts.subject.node == "vla_policy"]
    assert graph.ask(Record.Request.START).ok and not history.known, "nobody is there to be asked"
    policy = ros.add(Policy(ros.context))
    assert ros.until(lambda: history.known)
    late = Recording(Path(graph.ask(Record.Request.STOP).path))
    assert late.policy["residual"] == "false" and late.policy["provider"] == '"cpu"' and late.commander == {}
    policy.set_parameters([Parameter("residual", value=True)])
    assert ros.until(lambda: history.newest["residual"] == "true")
    saved = Recording(Path(graph.ask(Record.Request.SAVE_BUFFER).path))
    assert saved.policy["residual"] == "false", "as it was at the buffer's first message; the change is a message"
    # One who does not answer any more is known all the same.
    policy.destroy_node()
    graph.observations.publish(Observation(sequence=1))
    assert ros.until(lambda: has_seen(node, topics.OBSERVATION))
    again = Recording(Path(graph.ask(Record.Request.SAVE_BUFFER).path))
    assert graph.ask(Record.Request.START).ok
    episode = Recording(Path(graph.ask(Record.Request.STOP).path))
    assert again.policy["residual"] == episode.policy["residual"] == "true"


def test_a_fault_on_node_health_saves_the_last_minute(ros, graph: Graph, start: Start, tmp_path: Path) -> None:
    node = start(episodes="manual")
    graph.observations.publish(Observation(sequence=5))
    assert ros.until(lambda: has_seen(node, topics.OBSERVATION))
    graph.healths.publish(NodeHealth(node="/camera_ingest", level=NodeHealth.FAULT, fault="INPUT_SILENT"))
    (path,) = wait_for_file(ros, tmp_path / "recordings")
    recording = Recording(path)
    assert recording.header.kind == "buffer" and recording.header.note == "/camera_ingest: INPUT_SILENT"
    assert [m.sequence for _, m in recording.decoded(["observation"])] == [5]


def test_a_full_disk_is_told_and_the_node_goes_on(ros, graph: Graph, start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        node = start(folder, compression="none", buffer_seconds=0.0)
        graph.begin(1, "pick up the can")
        assert ros.until(lambda: node._tracker.recording)

        def one_more_and_full() -> bool:
            graph.chunks.publish(ActionChunk(plan_id=1, data=[0.5] * 20_000))
            return DISK_FULL in graph.faults

        assert ros.until(one_more_and_full, 60.0)
        assert node.active and node.condition.level == NodeHealth.DEGRADED, "the arm need not hold"
        assert ros.until(lambda: graph.statuses[-1].state == RecorderStatus.FAILED)
        assert "free some space" in graph.statuses[-1].message
        # Somebody makes room: the next instruction is recorded again.
        graph.end()
        for path in folder.iterdir():
            path.unlink()
        assert ros.until(lambda: not node._tracker.recording)
        graph.begin(2, "again")
        assert ros.until(lambda: node._tracker.recording)
        graph.end()
        (path,) = wait_for_file(ros, folder)
        assert Recording(path).instruction == "again"
        assert ros.until(lambda: graph.faults[-1] == "")
        node.trigger_deactivate()
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_the_end_of_the_recorder_finishes_the_episode(ros, graph: Graph, start: Start, tmp_path: Path) -> None:
    node = start()
    graph.begin(1, "pick up the can")
    assert ros.until(lambda: node._tracker.recording)
    assert node.trigger_deactivate() == SUCCESS
    (path,) = finished(tmp_path / "recordings")
    assert Recording(path).outcome.end == "the recorder was stopped"
    assert node.trigger_activate() == SUCCESS, "and it can go on"


def test_what_a_crash_has_left_is_recovered_at_the_start(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    header = Header("episode", "small", "0" * 64, "", "0.1.0", 1, instruction="crashed")
    RecordingWriter(folder / "episode-000003.mcap", header).abandon()
    (folder / "episode-000004.mcap.part").write_bytes(b"nothing")
    start()
    assert [path.name for path in finished(folder)] == ["episode-000003.mcap"]
    assert Recording(finished(folder)[0]).instruction == "crashed"
    assert (folder / "episode-000004.mcap.part").exists()


def test_a_folder_that_cannot_be_written_is_refused(ros, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for bad, words in (
        ({"folder": str(tmp_path / "file")}, "cannot be written"),
        ({"bundle": "/nowhere"}, "no bundle"),
    ):
        values = {"bundle": str(bundle), "folder": str(tmp_path / "recordings"), **bad}
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        node = ros.add(Recorder(context=ros.context, parameter_overrides=overrides))
        assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
        assert words in node.condition.message and "What to do" in node.condition.message
