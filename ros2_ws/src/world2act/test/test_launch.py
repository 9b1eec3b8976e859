"""The launch description, against stand-ins that record: ROS's launch package is not on PyPI."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from world2act import launch_description
from world2act.graph import NODE_NAMES


class Recorded(SimpleNamespace):
    """Any launch action: remembers how it was made."""

    def __init__(self, *positional, **named) -> None:
        super().__init__(positional=positional, **named)


def kinds(*names: str) -> dict[str, type]:
    return {name: type(name, (Recorded,), {}) for name in names}


@pytest.fixture
def launch(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {
        "launch": kinds("LaunchDescription"),
        "launch.actions": kinds("DeclareLaunchArgument", "OpaqueFunction", "SetEnvironmentVariable", "ExecuteProcess"),
        "launch_ros": {},
        "launch_ros.actions": kinds("LifecycleNode"),
    }
    for name, members in made.items():
        module = ModuleType(name)
        module.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize(("kind", "count"), [("sim", 5), ("real", 4)])
def test_nodes_environment_and_bring_up(launch: None, kind: str, count: int) -> None:
    description = launch_description.generate(kind)  # type: ignore[arg-type]
    *arguments, function = description.positional[0]
    assert {argument.positional[0] for argument in arguments} == set(launch_description.ARGUMENTS)
    chosen = {name: default for name, (default, _) in launch_description.ARGUMENTS.items()}
    actions = function.function(
        SimpleNamespace(launch_configurations={**chosen, "lockstep": "true", "robot": "fr3" if kind == "real" else ""})
    )
    nodes = [action for action in actions if type(action).__name__ == "LifecycleNode"]
    assert len(nodes) == count and {node.name for node in nodes} <= set(NODE_NAMES)
    assert all(node.parameters[0]["lockstep"] is True for node in nodes)
    variables = {action.positional[0] for action in actions if type(action).__name__ == "SetEnvironmentVariable"}
    assert "FASTDDS_DEFAULT_PROFILES_FILE" in variables
    bring_up = actions[-1].cmd
    assert "world2act.supervision.bring_up" in bring_up and bring_up[-count:] == [node.name for node in nodes]


def chosen_actions(description, **chosen: str) -> list:
    *arguments, function = description.positional[0]
    defaults = {argument.positional[0]: argument.default_value for argument in arguments}
    return function.function(SimpleNamespace(launch_configurations={**defaults, **chosen}))


def test_a_recorder_beside_a_running_graph(launch: None) -> None:
    actions = chosen_actions(launch_description.generate_record(), folder="runs/today", lockstep="true")
    (node,) = [action for action in actions if type(action).__name__ == "LifecycleNode"]
    assert node.name == "recorder" and node.parameters[0]["folder"] == "runs/today" and node.parameters[0]["lockstep"]
    assert actions[-1].cmd[-1] == "recorder" and "world2act.supervision.bring_up" in actions[-1].cmd


def test_replay_is_the_command_of_that_name(launch: None) -> None:
    (action,) = chosen_actions(launch_description.generate_replay(), file="a.mcap", bundle="b", json="c.json")
    assert action.cmd[-6:] == ["replay", "a.mcap", "--bundle", "b", "--json", "c.json"]
    (action,) = chosen_actions(launch_description.generate_replay(), file="a.mcap")
    assert "--json" not in action.cmd
