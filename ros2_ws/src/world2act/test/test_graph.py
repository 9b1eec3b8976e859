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
from world2act.graph import (
    NODE_NAMES,
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
    assert {node.name for node in sim.nodes} == set(NODE_NAMES) - {"recorder"}
    assert [node for node in sim.nodes if node.name != "sim_bridge"] == list(real.nodes)


def test_a_folder_for_recordings_brings_the_recorder() -> None:
    sim = build_graph("sim", GraphOptions(record="runs/today", bundle="models/b"))
    assert {node.name for node in sim.nodes} == set(NODE_NAMES) and sim.nodes[-1].name == "skill_planner"
    assert sim.node("recorder").parameters == {"bundle": "models/b", "lockstep": False, "folder": "runs/today"}


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
