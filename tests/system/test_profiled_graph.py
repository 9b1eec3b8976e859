"""The whole graph in real time with a robot profile: sim_arm behind a driver's interfaces, and the safety filter."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from std_msgs.msg import Bool, String

from tests.system.conftest import new_domain
from training.data.importers.recordings import ImportRecordingsConfig, import_recordings
from training.data.lerobot_reader import LeRobotReader
from world2act import topics
from world2act.client import GraphClient
from world2act.conversions import stamp_to_ns
from world2act.graph import GraphOptions, build_graph
from world2act.supervision.supervisor import Supervisor
from world2act_core.recording.layout import finished
from world2act_core.recording.reader import Recording
from world2act_interfaces.msg import SafetyStatus
from world2act_interfaces.srv import ClearFault

BUNDLE = Path("models/tabletop-nano")
PATIENCE_S = 30.0


class Graph:
    """A running graph, what the arm's referee and the safety filter said last, and a client."""

    def __init__(self, supervisor: Supervisor, recordings: Path) -> None:
        self.supervisor, self.session, self.recordings = supervisor, supervisor.session, recordings
        self.client = GraphClient(self.session)
        self.status: SafetyStatus | None = None
        self.referee: dict[str, Any] = {}
        self.faults: set[str] = set()
        """Names of what was latched since somebody emptied it."""
        node = self.session.node
        node.create_subscription(SafetyStatus, topics.SAFETY_STATUS, self._on_status, topics.reliable())
        node.create_subscription(String, topics.COMMAND_REFEREE, self._on_referee, topics.reliable(1))
        self._clear = node.create_client(ClearFault, topics.CLEAR_FAULT)
        self._e_stop = node.create_publisher(Bool, "e_stop", topics.latched())

    def _on_status(self, message: SafetyStatus) -> None:
        self.status = message
        self.faults |= self.latched()

    def _on_referee(self, message: String) -> None:
        self.referee = json.loads(message.data)

    def press(self, pressed: bool) -> None:
        self._e_stop.publish(Bool(data=pressed))

    def clear(self) -> ClearFault.Response:
        return self.session.call(self._clear, ClearFault.Request(), PATIENCE_S)

    def until(self, condition: Callable[[], bool]) -> bool:
        return bool(self.session.wait(condition, PATIENCE_S))

    def latched(self) -> set[str]:
        return {flag.name for flag in self.status.flags if flag.latched} if self.status else set()

    def process(self, name: str) -> int:
        return next(node.process.pid for node in self.supervisor.processes.nodes if node.spec.name == name)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    os.environ["ROS_DOMAIN_ID"] = str(new_domain())
    recordings = tmp_path_factory.mktemp("recordings")
    options = GraphOptions(
        bundle=str(BUNDLE.absolute()), profile="sim_panda", reduced="never", seed=3, record=str(recordings)
    )
    # A machine that runs other tests beside this one is no lab computer: more patience before anything counts as lost.
    spec = (
        build_graph("sim", options)
        .with_parameters(
            "arm_commander", peer_timeout=2.0, stale_observation=5.0, stale_chunk=6.0, stale_state=1.0, first_chunk=10.0
        )
        .with_parameters("camera_ingest", input_timeout=2.0)
    )
    with Supervisor(spec, tmp_path_factory.mktemp("graph")) as supervisor:
        supervisor.bring_up()
        yield Graph(supervisor, recordings)


def test_the_arm_does_what_it_is_told_and_no_command_leaves_its_limits(graph: Graph) -> None:
    for _ in range(5):  # real time needs the machine's attention, which a busy one may not give at once
        answer = graph.client.reset(3, "pick up the red cube")
        outcome = graph.client.execute("pick up the red cube", tick=graph.supervisor.check, not_before=answer.sim_time)
        if outcome.success:
            break
        graph.clear()
    assert outcome.success, outcome
    assert graph.until(lambda: graph.status is not None and graph.status.mode == SafetyStatus.HOLDING)
    assert graph.referee["commands"]["violation_count"] == 0, graph.referee["commands"]


def test_what_the_arm_did_is_recorded_and_can_be_trained_on(graph: Graph, tmp_path: Path) -> None:
    def succeeded() -> list[Recording]:
        recordings = [Recording(path) for path in finished(graph.recordings)]
        return [r for r in recordings if r.header.kind == "episode" and r.outcome.goal == "succeeded"]

    assert graph.until(lambda: bool(succeeded()))
    recording = succeeded()[0]
    assert recording.policy["residual"] == "false" and recording.commander["response"] == "14.142"
    chunks = {m.sequence: stamp_to_ns(m.header.stamp) for _, m in recording.decoded(["action_chunk"])}
    named = {
        (m.chunk_sequence, stamp_to_ns(m.observation_stamp))
        for _, m in recording.decoded(["arm_command"])
        if not m.holding
    }
    assert {pair for pair in named if pair[0] in chunks} <= set(chunks.items()), "to the nanosecond"
    # A busy machine leaves longer gaps between observations than a robot's should.
    import_recordings(ImportRecordingsConfig(recording.path, tmp_path / "dataset", max_gap=5.0))
    reader = LeRobotReader(tmp_path / "dataset")
    columns = reader.episode_columns(0)
    action, executed = columns["action"][:, :3], columns["executed_action"][:, :3]
    assert len(action) >= 10 and not np.array_equal(action, executed), "limits and seams are in what was executed"
    # Loosely: on a busy machine the arm holds now and then.
    assert np.corrcoef(action.ravel(), executed.ravel())[0, 1] > 0.3
    assert 0.6 < np.std(executed) / np.std(action) < 1.5, "in the same units"
    reader.close()


def test_a_reset_that_moves_the_arm_is_no_fault_of_it(graph: Graph) -> None:
    graph.faults.clear()
    heard = graph.client.reset(4, "pick up the red cube")  # the arm is where the cube was, and leaps home
    assert heard is not None and graph.until(lambda: graph.status is not None)
    graph.session.wait(lambda: False, 0.5)
    assert not graph.faults, graph.status


def test_the_emergency_stop_is_latched_until_it_is_released_and_cleared(graph: Graph) -> None:
    graph.press(True)
    try:
        assert graph.until(lambda: graph.status is not None and graph.status.mode == SafetyStatus.STOPPED)
        assert "E_STOP" in graph.latched()
        refused = graph.clear()
        assert not refused.ok and "E_STOP" in refused.message
    finally:
        graph.press(False)
    assert graph.until(lambda: graph.clear().ok)
    assert graph.until(lambda: graph.status is not None and not graph.latched())


def test_a_policy_that_hangs_is_a_hold_with_a_name(graph: Graph) -> None:
    graph.client.reset(4, "pick up the red cube")
    policy = graph.process("vla_policy")
    os.kill(policy, signal.SIGSTOP)
    try:
        outcome = graph.client.execute("pick up the red cube", tick=graph.supervisor.check)
        assert not outcome.success
        assert graph.until(lambda: bool(graph.latched() & {"PEER_SILENT", "STALE_CHUNK"})), graph.status
    finally:
        os.kill(policy, signal.SIGCONT)
    assert graph.until(lambda: graph.clear().ok)
    assert graph.referee["commands"]["violation_count"] == 0
