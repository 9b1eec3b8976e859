"""The description of the graph."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import world2act
from world2act.arm_choice import chosen_arm
from world2act.errors import GraphError
from world2act.graph import (
    NODE_NAMES,
    GraphKind,
    GraphOptions,
    GraphSpec,
    NodeSpec,
    build_graph,
    fastdds_profile,
    graph_environment,
)
from world2act.supervision.processes import ros_arguments

ROOT = Path(world2act.__file__).parents[4]


def test_real_is_sim_without_the_simulator() -> None:
    sim, real = build_graph("sim", GraphOptions()), build_graph("real", GraphOptions())
    assert {node.name for node in sim.nodes} == set(NODE_NAMES) - {"recorder", "sim_arm"}
    assert [node for node in sim.nodes if node.name != "sim_bridge"] == list(real.nodes)


def test_a_folder_for_recordings_brings_the_recorder() -> None:
    sim = build_graph("sim", GraphOptions(record="runs/today", bundle="models/b"))
    assert {node.name for node in sim.nodes} == set(NODE_NAMES) - {"sim_arm"}
    assert sim.nodes[-1].name == "skill_planner"
    assert sim.node("recorder").parameters == {
        "bundle": "models/b", "lockstep": False, "folder": "runs/today", "heartbeat_period": 0.0
    }  # fmt: skip


def test_an_arm_with_a_profile_has_a_commander_a_driver_and_cameras_of_its_own() -> None:
    options = GraphOptions(profile="sim_panda", record="runs/today", speed=0.25, reduced="always")
    sim, real = build_graph("sim", options), build_graph("real", options)
    assert [node.name for node in sim.nodes if node.name != "sim_arm"] == [node.name for node in real.nodes]
    assert sim.node("sim_arm").parameters["robot_profile"] == "sim_panda"
    commander = real.node("arm_commander")
    assert commander.executable == "joint_commander"
    assert {key: commander.parameters[key] for key in ("robot", "speed", "reduced")} == {
        "robot": "sim_panda", "speed": 0.25, "reduced": "always"
    }  # fmt: skip
    ingest = real.node("camera_ingest").parameters
    assert ingest["cameras"] == ["scene=topic:camera/scene/image_raw", "wrist=topic:camera/wrist/image_raw"]
    assert ingest["finger_joints"] == ["finger_joint1", "finger_joint2"]
    recorder = real.node("recorder").parameters
    assert "name: sim_panda" in str(recorder["robot_profile"]) and recorder["cameras"] == ingest["cameras"]


def test_what_the_profile_says_about_its_driver_reaches_the_nodes() -> None:
    real = build_graph("real", GraphOptions(profile="ur5e", record="runs/today"))
    ingest = real.node("camera_ingest").parameters
    ends = ("reading_open", "reading_closed", "width_open", "width_closed")
    assert [ingest[name] for name in ends] == [0.0, 0.7929, 0.085, 0.0]
    assert ingest["finger_joints"] == ["robotiq_85_left_knuckle_joint"]
    for name in ("camera_ingest", "recorder"):
        assert real.node(name).parameters["joint_states"] == "joint_states"


def test_lockstep_takes_cartesian_targets_whatever_the_profile() -> None:
    graph = build_graph("sim", GraphOptions(profile="sim_panda", lockstep=True))
    assert {node.executable for node in graph.nodes} >= {"sim_bridge", "arm_commander"}


@pytest.mark.parametrize(
    ("kind", "robot", "chosen"),
    [
        ("sim", "", {"profile": "sim_panda"}),
        ("sim", "UR5e", {"robot": "UR5e"}),
        ("sim", "xarm7", {"profile": "xarm7", "robot": "XArm7"}),
        ("real", "fr3", {"profile": "fr3", "robot": "Panda"}),
    ],
)
def test_what_robot_means(kind: GraphKind, robot: str, chosen: dict[str, str]) -> None:
    assert chosen_arm(kind, robot) == chosen


@pytest.mark.parametrize(
    ("kind", "robot", "message"),
    [
        ("real", "", r"which arm.*fr3, sim_panda, so101 \(not runnable yet: no model\), ur5e"),
        ("real", "so101", "cannot be run yet, its profile has no model. Give `model.mjcf`.*your-own-arm.md"),
        ("real", "fr4", "no robot profile 'fr4'"),
        ("sim", "so101", "no arm for this profile; it has Panda|no arm for this profile"),
        ("sim", "./nowhere.yaml", "cannot read robot profile"),
    ],
)
def test_an_arm_that_cannot_be_is_refused(kind: GraphKind, robot: str, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        chosen_arm(kind, robot)


def test_a_namespace_is_an_argument() -> None:
    assert "__ns:=/left" in ros_arguments(NodeSpec("n", "camera_ingest", namespace="/left"))
    assert not any("__ns" in argument for argument in ros_arguments(NodeSpec("n", "camera_ingest")))


def test_every_node_exists_and_the_planner_comes_last() -> None:
    graph = build_graph("sim", GraphOptions())
    assert graph.nodes[-1].name == "skill_planner"
    for node in graph.nodes:
        assert callable(importlib.import_module(node.module).main)


def test_lockstep_reaches_every_node() -> None:
    assert all(node.parameters["lockstep"] is True for node in build_graph("sim", GraphOptions(lockstep=True)).nodes)


def test_changing_a_parameter_makes_a_copy() -> None:
    graph = build_graph("sim", GraphOptions())
    changed = graph.with_parameters("vla_policy", threads=3)
    assert changed.node("vla_policy").parameters["threads"] == 3
    assert graph.node("vla_policy").parameters["threads"] == 1
    with pytest.raises(KeyError, match="it has: sim_bridge"):
        graph.node("nobody")


def test_environment_respects_the_persons_choice() -> None:
    environment = graph_environment(7, base={"OMP_NUM_THREADS": "4"})
    assert environment["OMP_NUM_THREADS"] == "4" and environment["ROS_DOMAIN_ID"] == "7"
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert "ROS_DOMAIN_ID" not in graph_environment(None, base={})


def test_the_profile_has_room_for_images() -> None:
    space = {"d": "http://www.eprosima.com"}
    tree = ElementTree.parse(fastdds_profile())
    segment = tree.find(".//d:transport_descriptor/d:segment_size", space)
    message = tree.find(".//d:transport_descriptor/d:maxMessageSize", space)
    assert segment is not None and segment.text == str(32 * 2**20)
    assert message is not None and message.text == str(4 * 2**20)


def test_arguments_keep_types() -> None:
    spec = NodeSpec("n", "camera_ingest", {"flag": True, "text": "1", "empty": "", "texts": ["a"], "number": 0.5})
    arguments = ros_arguments(spec)
    assert 'text:="1"' in arguments and 'empty:=""' in arguments
    assert "flag:=true" in arguments and 'texts:=["a"]' in arguments and "number:=0.5" in arguments


def test_a_graph_is_plain_data() -> None:
    assert isinstance(build_graph("sim", GraphOptions()), GraphSpec)
    code = "import sys, world2act.graph; print('rclpy' in sys.modules, 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == ["False"] * 2


@pytest.mark.skipif(not (ROOT / "launch").is_dir(), reason="installed without the repository")
def test_launch_files_are_short_and_made_from_the_graph() -> None:
    files = sorted((ROOT / "launch").glob("*.launch.py"))
    assert {"sim.launch.py", "real_robot.launch.py", "record.launch.py", "replay.launch.py"} <= {
        path.name for path in files
    }
    assert not (ROOT / "launch" / "__init__.py").exists(), "it would shadow ROS's own launch package"
    for path in files:
        names = {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
        assert "generate_launch_description" in names
