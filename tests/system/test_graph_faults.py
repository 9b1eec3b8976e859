"""What goes wrong in a graph has a name, and the arm holds."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.system.tiny_bundle import make_bundle
from world2act import topics
from world2act.client import GraphClient
from world2act.errors import GraphError
from world2act_interfaces.msg import ArmCommand, NodeHealth


@pytest.mark.long
def test_a_network_that_says_nan_ends_the_goal_and_not_the_graph(start, tmp_path: Path) -> None:
    graph = start(make_bundle(tmp_path, done_below_m=-10.0, nan_below_m=0.0))
    commands: list[ArmCommand] = []
    node = graph.session.node
    node.create_subscription(ArmCommand, topics.ARM_COMMAND, commands.append, topics.reliable(100))
    client = GraphClient(graph.session)
    for _ in range(2):
        answer = client.reset(1, "pick up the red cube")
        outcome = client.execute("pick up the red cube", tick=graph.check, not_before=answer.sim_time)
        assert outcome.error == "POLICY_UNAVAILABLE"
        assert "POLICY_OUTPUT_INVALID" in outcome.message and "not finite" in outcome.message
    assert commands, "it moved until the network broke"
    assert all(abs(c.pose.position.z) < 10 for c in commands)
    graph.check()


def test_a_bundle_for_another_robot_is_refused_by_name(start, tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="UR5e") as caught:
        start(make_bundle(tmp_path, robot="UR5e"))
    assert "vla_policy refused" in str(caught.value) and "Panda" in str(caught.value)


@pytest.mark.long
def test_real_time_moves_the_arm_and_notices_a_dead_policy(start, bundle: Path) -> None:
    graph = start(bundle, lockstep=False)
    client = GraphClient(graph.session)
    for _ in range(3):  # real time needs the machine's attention, which a busy one may not give at once
        answer = client.reset(2, "pick up the red cube")
        outcome = client.execute("pick up the red cube", tick=graph.check, not_before=answer.sim_time)
        if outcome.success:
            break
    assert outcome.success, outcome
    holding: list[ArmCommand] = []
    healths: list[NodeHealth] = []
    node = graph.session.node
    node.create_subscription(ArmCommand, topics.ARM_COMMAND, holding.append, topics.reliable(10))
    node.create_subscription(NodeHealth, topics.NODE_HEALTH, healths.append, topics.reliable(10))
    assert graph.session.wait(lambda: bool(holding) and holding[-1].holding, 15.0)
    assert holding[-1].hold_reason == "no skill is active"
    processes = {node.spec.name: node.process for node in graph._processes.nodes}
    # Cameras and joint states stop, and nobody says why: the arm holds, and the goal ends with a name.
    processes["sim_bridge"].send_signal(signal.SIGSTOP)
    try:
        outcome = client.execute("pick up the red cube")
        assert outcome.error in ("STALE_OBSERVATION", "ARM_FAULT") and "INPUT_SILENT" in outcome.message + str(healths)
        assert holding[-1].holding
    finally:
        processes["sim_bridge"].send_signal(signal.SIGCONT)
    policy = processes["vla_policy"]
    policy.kill()
    policy.wait()
    with pytest.raises(GraphError, match="vla_policy was ended by signal 9"):
        graph.check()
    outcome = client.execute("pick up the red cube")
    # On a starved machine the pictures may stop as well, and be noticed first.
    assert outcome.error in ("POLICY_UNAVAILABLE", "STALE_OBSERVATION", "ARM_FAULT") and outcome.message
