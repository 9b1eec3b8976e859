"""The launch description of the graph: its arguments, nodes, environment and bring-up."""

from __future__ import annotations

import pytest

from world2act import launch_description
from world2act.graph import NODE_NAMES

from .conftest import actions_of, arguments_of, of_kind


@pytest.mark.parametrize(("kind", "count"), [("sim", 5), ("real", 4)])
def test_nodes_environment_and_bring_up(launch: None, kind: str, count: int) -> None:
    description = launch_description.generate(kind)  # type: ignore[arg-type]
    assert set(arguments_of(description)) == set(launch_description.ARGUMENTS)
    actions = actions_of(description, lockstep="true", robot="fr3" if kind == "real" else "")
    nodes = of_kind(actions, "LifecycleNode")
    assert len(nodes) == count and {node.name for node in nodes} <= set(NODE_NAMES)
    assert all(node.parameters[0]["lockstep"] is True for node in nodes)
    variables = {action.positional[0] for action in of_kind(actions, "SetEnvironmentVariable")}
    assert "FASTDDS_DEFAULT_PROFILES_FILE" in variables
    bring_up = actions[-1].cmd
    assert "world2act.supervision.bring_up" in bring_up and bring_up[-count:] == [node.name for node in nodes]


def test_a_language_model_is_asked_as_the_arguments_say(launch: None) -> None:
    chosen = {
        "planner": "llm", "llm_base_url": "http://localhost:1234/v1", "llm_model": "m", "llm_timeout": "7",
        "llm_cache": "answers", "llm_api_key_variable": "LAB_KEY",
    }  # fmt: skip
    actions = actions_of(launch_description.generate("sim"), **chosen)
    (planner,) = [node for node in of_kind(actions, "LifecycleNode") if node.name == "skill_planner"]
    asked = {name: planner.parameters[0][name] for name in chosen}
    assert asked == {**chosen, "llm_timeout": 7.0}


def test_a_recorder_beside_a_running_graph(launch: None) -> None:
    actions = actions_of(launch_description.generate_record(), folder="runs/today", lockstep="true")
    (node,) = of_kind(actions, "LifecycleNode")
    assert node.name == "recorder" and node.parameters[0]["folder"] == "runs/today" and node.parameters[0]["lockstep"]
    assert actions[-1].cmd[-1] == "recorder" and "world2act.supervision.bring_up" in actions[-1].cmd


def test_replay_is_the_command_of_that_name(launch: None) -> None:
    (action,) = actions_of(launch_description.generate_replay(), file="a.mcap", bundle="b", json="c.json")
    assert action.cmd[-6:] == ["replay", "a.mcap", "--bundle", "b", "--json", "c.json"]
    (action,) = actions_of(launch_description.generate_replay(), file="a.mcap")
    assert "--json" not in action.cmd
