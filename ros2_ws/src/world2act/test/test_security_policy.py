"""The SROS2 policy: the form that sros2 reads, and what it must never allow."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from world2act import topics
from world2act.cli.security import Security
from world2act.errors import ConfigurationError, GraphError
from world2act.graph import DEFAULT_LLM_BASE_URL, GraphOptions, build_graph, graph_environment
from world2act.security.access import DriverTopics, driver_topics, graph_access
from world2act.security.enclave import DRIVER, OBSERVER, OPERATOR, enclave_arguments, enclave_environment
from world2act.security.policy import policy_xml
from world2act_core.robot.find import find_profile
from world2act_core.tabletop import tabletop_contract

GRAPH = build_graph("sim", GraphOptions(record="runs/recordings"))
TABLE = graph_access(GRAPH, DriverTopics(images=("camera/scene/image_raw",)))
POLICY = ElementTree.fromstring(policy_xml(TABLE))
ALLOWED = {  # of sros2's schema: element, its children, its attributes
    "topics": ("topic", {"publish", "subscribe"}),
    "services": ("service", {"reply", "request"}),
    "actions": ("action", {"execute", "call"}),
}


def names(node: str, group: str, rule: str) -> set[str]:
    found = POLICY.findall(f"enclaves/enclave[@path='/world2act/{node}']/profiles/profile/{group}[@{rule}='ALLOW']/*")
    return {str(element.text) for element in found}


def test_the_form_is_that_of_sros2() -> None:
    assert POLICY.tag == "policy" and POLICY.get("version") == "0.2.0"
    (enclaves,) = POLICY
    assert [enclave.get("path") for enclave in enclaves] == [f"/world2act/{name}" for name in TABLE]
    for enclave in enclaves:
        (profiles,) = enclave
        (profile,) = profiles
        assert set(profile.attrib) == {"ns", "node"}
        for group in profile:
            child, rules = ALLOWED[group.tag]
            assert set(group.attrib) <= rules and set(group.attrib.values()) == {"ALLOW"}
            assert len(group) and all(element.tag == child and element.text for element in group)


def test_every_node_and_role_has_an_enclave() -> None:
    assert set(TABLE) == {*(node.name for node in GRAPH.nodes), DRIVER, OPERATOR, OBSERVER}


def test_only_the_arm_commander_may_command_the_arm() -> None:
    assert [node for node in TABLE if topics.ARM_COMMAND in names(node, "topics", "publish")] == ["arm_commander"]


def test_no_node_may_use_everything() -> None:
    for node in TABLE:
        for group, rules in ALLOWED.items():
            for rule in rules[1]:
                assert not {"*", "/*", "/**"} & names(node, group, rule), node


def test_an_observer_changes_nothing() -> None:
    assert names(OBSERVER, "topics", "publish") == {"/rosout", "/parameter_events"}
    assert not names(OBSERVER, "services", "request") and not names(OBSERVER, "actions", "call")
    assert "observation" in names(OBSERVER, "topics", "subscribe")


def test_an_operator_may_hold_the_arm_but_not_move_it() -> None:
    assert {"set_hold", "/arm_commander/change_state"} <= names(OPERATOR, "services", "request")
    assert names(OPERATOR, "actions", "call") == {"execute_instruction"}
    assert not {"arm_command", "action_chunk", "skill"} & names(OPERATOR, "topics", "publish")


def test_a_driver_of_its_own_topics_gets_those() -> None:
    trajectory = "/joint_trajectory_controller/joint_trajectory"
    table = graph_access(GRAPH, DriverTopics(images=(), states=("joint_states",), commands=(trajectory,)))
    assert trajectory in table["arm_commander"].publishes and "arm_command" not in table["arm_commander"].publishes
    assert trajectory in table[DRIVER].subscribes


def test_who_states_the_contract_is_who_knows_the_arm() -> None:
    """A driver with Cartesian targets says what it takes; behind a profile joint_commander does."""
    assert {"robot_contract", "eef_pose", "joint_states"} <= names(DRIVER, "topics", "publish")
    graph = build_graph("sim", GraphOptions(profile="fr3"))
    table = graph_access(graph, driver_topics(find_profile("fr3"), ("scene",)))
    assert [name for name, access in table.items() if topics.ROBOT_CONTRACT in access.publishes] == ["arm_commander"]


def test_a_nodes_own_names_are_written_out() -> None:
    """sros2 joins `~` and what follows without a slash: /camera_ingestchange_state would be allowed to nobody's use."""
    assert "/camera_ingest/change_state" in names("camera_ingest", "services", "reply")
    assert "/camera_ingest/transition_event" in names("camera_ingest", "topics", "publish")
    assert not [element.text for element in POLICY.iter() if "~" in (element.text or "")]


def test_a_driver_with_a_topic_of_its_own_is_read_there(tmp_path: Path) -> None:
    data = yaml.safe_load(find_profile("fr3").to_text()) | {"state": {"joint_states": "left/joint_states"}}
    (tmp_path / "arm.yaml").write_text(yaml.safe_dump(data))
    profile = find_profile(str(tmp_path / "arm.yaml"))
    graph = build_graph("real", GraphOptions(profile=str(tmp_path / "arm.yaml"), record="runs/recordings"))
    table = graph_access(graph, driver_topics(profile, ("scene", "wrist")))
    for reading in ("camera_ingest", "arm_commander", "recorder", OBSERVER, OPERATOR):
        assert "left/joint_states" in table[reading].subscribes, reading
        assert topics.JOINT_STATES not in table[reading].subscribes, reading
    assert "left/joint_states" in table[DRIVER].publishes


def test_a_process_enters_its_enclave_only_when_security_is_on() -> None:
    code = "import sys, world2act.security.enclave; sys.exit('rclpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0, (
        "graph.py is plain data, without ROS"
    )
    assert enclave_environment("vla_policy", {}) == {}
    on = {"ROS_SECURITY_ENABLE": "true"}
    assert enclave_environment("vla_policy", on) == {"ROS_SECURITY_ENCLAVE_OVERRIDE": "/world2act/vla_policy"}
    assert enclave_arguments("operator", {}) == []
    assert enclave_arguments("operator", on) == ["--ros-args", "--enclave", "/world2act/operator"]


def test_without_a_word_from_anybody_only_this_machine_is_asked() -> None:
    assert graph_environment(base={})["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert urlsplit(DEFAULT_LLM_BASE_URL).hostname == "localhost"


def test_what_cannot_be_written_or_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no bundle folder"):
        Security("policies", out=tmp_path, bundle=tmp_path / "none").run()
    (tmp_path / "file").touch()
    tabletop_contract().to_yaml(tmp_path / "contract.yaml")
    with pytest.raises(GraphError, match=r"--out .*file"):
        Security("policies", out=tmp_path / "file", bundle=tmp_path).run()


def test_enforced_security_never_falls_back_to_an_open_graph(tmp_path: Path) -> None:
    """With Enforce a node that cannot be made secure must not start: here because the files are no certificates.

    The Fast DDS of the ROS 2 wheels was built without security, so there no node starts at all.
    """
    enclave = tmp_path / "enclaves" / "world2act"
    enclave.mkdir(parents=True)
    for name in ("identity_ca.cert.pem", "cert.pem", "key.pem", "permissions_ca.cert.pem"):
        (enclave / name).write_text("no certificate")
    for name in ("governance.p7s", "permissions.p7s"):
        (enclave / name).write_text("no permission")
    code = "import rclpy; rclpy.init(); rclpy.create_node('vla_policy'); print('open')"
    environment = {
        **os.environ, **graph_environment(105), "ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce",
        "ROS_SECURITY_KEYSTORE": str(tmp_path), "ROS_SECURITY_ENCLAVE_OVERRIDE": "/world2act",
    }  # fmt: skip
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode != 0 and "open" not in result.stdout
    assert "security" in result.stderr.lower()
