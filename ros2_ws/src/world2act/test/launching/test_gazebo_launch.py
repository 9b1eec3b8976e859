"""gazebo.launch.py: what it starts and includes, and what it says when something is missing."""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import yaml

import world2act
from world2act import gazebo_launch, launch_description
from world2act.errors import ConfigurationError
from world2act.gazebo import gazebo_file

from .conftest import actions_of, arguments_of, of_kind

ROOT = Path(world2act.__file__).parents[4]
ARM = """<robot name="two_link"><link name="base"/><link name="tool"/>
<joint name="j" type="revolute"><parent link="base"/><child link="tool"/></joint>
<gazebo><plugin filename="gz_ros2_control-system" name="x"/></gazebo></robot>"""


def described(arm: Path, **chosen: str) -> list[Any]:
    """What the launch file itself makes of these arguments."""
    path = ROOT / "launch" / "gazebo.launch.py"
    spec = importlib.util.spec_from_file_location("gazebo_launch_file", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    description = module.generate_launch_description()
    assert list(arguments_of(description)) == list(gazebo_launch.ARGUMENTS)
    return actions_of(description, **{"robot_description": str(arm), "tool_link": "tool", **chosen})


def joint_states_topic(configuration: str) -> str:
    """Where the bridge looks for joint states in Gazebo."""
    entries = yaml.safe_load(Path(configuration).read_text())
    (found,) = [entry["gz_topic_name"] for entry in entries if entry["ros_topic_name"] == "joint_states"]
    return found


@pytest.mark.skipif(not (ROOT / "launch").is_dir(), reason="installed without the repository")
def test_a_world_of_another_name_is_bridged(launch: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Gazebo puts the world's name into the topic: with another one no joint state would ever arrive."""
    monkeypatch.setattr(gazebo_launch, "share", lambda package: tmp_path / package)
    (tmp_path / "arm.urdf").write_text(ARM)
    world = ElementTree.parse(gazebo_file("tabletop.sdf"))
    world.getroot().find("world").set("name", "my_kitchen")
    world.write(tmp_path / "kitchen.sdf")
    actions = described(tmp_path / "arm.urdf", world=str(tmp_path / "kitchen.sdf"))
    (bridge,) = [action for action in of_kind(actions, "Node") if action.executable == "parameter_bridge"]
    assert joint_states_topic(bridge.parameters[0]["config_file"]) == "/world/my_kitchen/model/arm/joint_state"


@pytest.mark.skipif(not (ROOT / "launch").is_dir(), reason="installed without the repository")
def test_what_is_started(launch: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gazebo_launch, "share", lambda package: tmp_path / package)
    arm = tmp_path / "arm.urdf"
    arm.write_text(ARM)
    actions = described(arm, controllers="joint_trajectory_controller gripper_controller", gz_args="-r -s")
    included = of_kind(actions, "IncludeLaunchDescription")
    gazebo, graph = [str(action.positional[0].positional[0]) for action in included]
    assert gazebo == str(tmp_path / "ros_gz_sim" / "launch" / "gz_sim.launch.py")
    assert dict(included[0].launch_arguments) == {"gz_args": f"-r -s {gazebo_file('tabletop.sdf')}"}
    assert Path(graph) == ROOT / "launch" / "real_robot.launch.py" and Path(graph).is_file()
    nodes = {action.executable: action for action in of_kind(actions, "Node")}
    assert list(nodes) == ["robot_state_publisher", "create", "parameter_bridge", "spawner"]
    assert "world2act_wrist_camera" in nodes["robot_state_publisher"].parameters[0]["robot_description"]
    create = nodes["create"].arguments
    assert create[create.index("-name") + 1] == "arm" and create[create.index("-z") + 1] == "0.912"
    bridge = nodes["parameter_bridge"].parameters[0]
    assert joint_states_topic(bridge["config_file"]) == "/world/tabletop/model/arm/joint_state"
    assert bridge["override_timestamps_with_wall_time"] is True
    spawned = [action.arguments[0] for action in actions if getattr(action, "executable", "") == "spawner"]
    assert spawned == ["joint_trajectory_controller", "gripper_controller"]


def test_no_argument_means_something_else_to_the_graph() -> None:
    """An included launch file sees the arguments of the one that includes it."""
    assert not set(gazebo_launch.ARGUMENTS).intersection(launch_description.ARGUMENTS)


@pytest.mark.skipif(not (ROOT / "launch").is_dir(), reason="installed without the repository")
def test_without_gazebo_it_says_what_to_install(launch: None, tmp_path: Path) -> None:
    arm = tmp_path / "arm.urdf"
    arm.write_text(ARM)
    with pytest.raises(ConfigurationError, match="ros_gz_sim is not installed.*apt install ros-"):
        described(arm)
