"""Stand-ins for ROS's launch packages, which are not on PyPI: they record how each action was made."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

STAND_INS: dict[str, Sequence[str]] = {
    "launch": ("LaunchDescription",),
    "launch.actions": (
        "DeclareLaunchArgument", "ExecuteProcess", "IncludeLaunchDescription", "OpaqueFunction",
        "SetEnvironmentVariable",
    ),
    "launch.launch_description_sources": ("PythonLaunchDescriptionSource",),
    "launch_ros": (),
    "launch_ros.actions": ("LifecycleNode", "Node"),
}  # fmt: skip


class Recorded(SimpleNamespace):
    """Any launch action: remembers how it was made."""

    def __init__(self, *positional: Any, **named: Any) -> None:
        super().__init__(positional=positional, **named)


@pytest.fixture
def launch(monkeypatch: pytest.MonkeyPatch) -> None:
    """`import launch` and `import launch_ros` find the stand-ins."""
    for name, members in STAND_INS.items():
        module = ModuleType(name)
        module.__dict__.update({member: type(member, (Recorded,), {}) for member in members})
        monkeypatch.setitem(sys.modules, name, module)


def arguments_of(description: Any) -> dict[str, str]:
    """Every declared argument of a launch description and its default."""
    *arguments, _ = description.positional[0]
    return {argument.positional[0]: argument.default_value for argument in arguments}


def actions_of(description: Any, **chosen: str) -> list[Any]:
    """What a launch description does with these arguments, and defaults for the others."""
    function = description.positional[0][-1]
    return function.function(SimpleNamespace(launch_configurations={**arguments_of(description), **chosen}))


def of_kind(actions: list[Any], kind: str) -> list[Any]:
    """The actions of one class."""
    return [action for action in actions if type(action).__name__ == kind]
