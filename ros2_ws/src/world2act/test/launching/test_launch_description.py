"""The launch description of the graph: its arguments, nodes, environment and bring-up."""

from __future__ import annotations

import pytest

from world2act import launch_description
from world2act.errors import GraphError
from world2act.graph import NODE_NAMES
from world2act_core.robot.find import find_profile

from .conftest import actions_of, arguments_of, of_kind


@pytest.mark.parametrize(("kind", "count"), [("sim", 5), ("real", 4)])
def test_nodes_environment_and_bring_up(launch: None, kind: str, count: int) -> None:
    description = launch_description.generate(kind)  # type: ignore[arg-type]
    assert set(arguments_of(description)) == set(launch_description.ARGUMENTS)
    actions = actions_of(description, lockstep="true", robot="fr3" if kind == "real" else "", supervise="false")
    nodes = of_kind(actions, "Node")
    assert len(nodes) == count and {node.name for node in nodes} <= set(NODE_NAMES)
    assert all(node.parameters[0]["lockstep"] is True for node in nodes)
    variables = {action.positional[0] for action in of_kind(actions, "SetEnvironmentVariable")}
    assert "FASTDDS_DEFAULT_PROFILES_FILE" in variables
    bring_up = actions[-1].cmd
    assert "world2act.supervision.bring_up" in bring_up and bring_up[-count:] == [node.name for node in nodes]


def test_a_language_model_is_asked_as_the_arguments_say(launch: None) -> None:
    chosen = {
        "supervise": "false", "planner": "llm", "llm_base_url": "http://localhost:1234/v1", "llm_model": "m",
        "llm_timeout": "7", "llm_cache": "answers", "llm_api_key_variable": "LAB_KEY",
    }  # fmt: skip
    actions = actions_of(launch_description.generate("sim"), **chosen)
    (planner,) = [node for node in of_kind(actions, "Node") if node.name == "skill_planner"]
    asked = {name: planner.parameters[0][name] for name in chosen if name != "supervise"}
    assert {"supervise": "false", **asked} == {**chosen, "llm_timeout": 7.0}


def test_a_recorder_beside_a_running_graph(launch: None) -> None:
    actions = actions_of(launch_description.generate_record(), folder="runs/today", lockstep="true")
    (node,) = of_kind(actions, "Node")
    assert node.name == "recorder" and node.parameters[0]["folder"] == "runs/today" and node.parameters[0]["lockstep"]
    assert actions[-1].cmd[-1] == "recorder" and "world2act.supervision.bring_up" in actions[-1].cmd
    assert "joint_states" not in node.parameters[0] and "robot_profile" not in node.parameters[0]


def test_a_recorder_beside_a_running_graph_keeps_the_profile_of_its_arm(launch: None) -> None:
    (node,) = of_kind(actions_of(launch_description.generate_record(), robot="fr3"), "Node")
    assert node.parameters[0]["robot_profile"] == find_profile("fr3").to_text()
    assert node.parameters[0]["joint_states"] == find_profile("fr3").state.joint_states
    (node,) = of_kind(actions_of(launch_description.generate_record(), robot="Panda"), "Node")
    assert "robot_profile" not in node.parameters[0], "robosuite's name of an arm that takes Cartesian targets"
    with pytest.raises(GraphError, match="frr3"):
        actions_of(launch_description.generate_record(), robot="frr3")


@pytest.mark.parametrize("what", ["sim", "real", "record"])
def test_every_process_gets_its_own_enclave(launch: None, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """The recorder beside a graph too; the bring-up chooses by itself (test_security_joining.py)."""
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    monkeypatch.setenv("ROS_SECURITY_ENCLAVE_OVERRIDE", "/world2act/operator")
    generate = launch_description.generate_record
    description = generate() if what == "record" else launch_description.generate(what)  # type: ignore[arg-type]
    chosen = {"real": {"robot": "fr3", "supervise": "false"}, "sim": {"supervise": "false"}, "record": {}}[what]
    actions = actions_of(description, **chosen)
    nodes = {node.name: node.additional_env for node in of_kind(actions, "Node")}
    assert nodes and {env["ROS_SECURITY_ENCLAVE_OVERRIDE"] for env in nodes.values()} == {
        f"/world2act/{name}" for name in nodes
    }
    assert not hasattr(actions[-1], "additional_env"), "the bring-up keeps what the person has chosen"
    # What launch sets for itself, other launch files that are included with it would inherit.
    variables = {action.positional[0] for action in of_kind(actions, "SetEnvironmentVariable")}
    assert "ROS_SECURITY_ENCLAVE_OVERRIDE" not in variables


def test_launch_itself_never_joins_the_graph(launch: None) -> None:
    """launch_ros makes a ROS node of its own for each of these, which has no enclave and could be given none."""
    node_by_node = actions_of(launch_description.generate("sim"), supervise="false")
    for actions in (node_by_node, actions_of(launch_description.generate_record())):
        assert of_kind(actions, "Node") and not of_kind(actions, "LifecycleNode")


def test_replay_is_the_command_of_that_name(launch: None) -> None:
    (action,) = actions_of(launch_description.generate_replay(), file="a.mcap", bundle="b", json="c.json")
    assert action.cmd[-6:] == ["replay", "a.mcap", "--bundle", "b", "--json", "c.json"]
    (action,) = actions_of(launch_description.generate_replay(), file="a.mcap")
    assert "--json" not in action.cmd
