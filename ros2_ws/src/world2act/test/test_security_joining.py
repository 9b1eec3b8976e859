"""Security that is switched on and cannot work: every process says why, and nothing is open that was to be closed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from world2act.errors import ConfigurationError
from world2act.graph import GraphOptions, build_graph, graph_environment
from world2act.security.joining import joining, open_although_asked
from world2act.supervision.processes import ProcessGroup

ENFORCED = {"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce"}
OVERRIDE = "ROS_SECURITY_ENCLAVE_OVERRIDE"
WITHOUT_SECURITY = "This Fast DDS version doesn't have the security libraries\nPlease compile Fast DDS"


def run(arguments: list[str], variables: dict[str, str]) -> tuple[int, str]:
    """Exit status of a Python process with these variables, and what it said on one line."""
    environment = {**os.environ, **graph_environment(50), **variables}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=240)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("command", (["up", "sim"], ["clear"]))
def test_a_command_without_a_keystore_says_which_variable_is_missing(command: list[str], tmp_path: Path) -> None:
    shutil.copy("models/tabletop-nano/manifest.yaml", tmp_path)
    options = ["--bundle", str(tmp_path)] if command[0] == "up" else []
    status, said = run(["-m", "world2act.cli.main", *command, *options], ENFORCED)
    assert status == 1 and "Traceback" not in said, said
    assert "ROS_SECURITY_KEYSTORE names no keystore" in said and "secure-the-graph.md" in said


def test_a_keystore_that_is_not_there_is_named(tmp_path: Path) -> None:
    variables = {**ENFORCED, "ROS_SECURITY_KEYSTORE": str(tmp_path / "nowhere")}
    status, said = run(["-m", "world2act.cli.main", "clear"], variables)
    assert status == 1 and "Traceback" not in said, said
    assert f"{tmp_path}/nowhere/enclaves" in said and "generate_artifacts" in said


def test_a_node_that_cannot_join_ends_as_badly_configured() -> None:
    """Launch files start nodes without a supervisor in front: each has to say it by itself."""
    status, said = run(["-m", "world2act.nodes.skill_planner"], ENFORCED)
    assert status == 2 and "Traceback" not in said, said
    assert "What to do: export it" in said


def enclave_asked_for(said: str, keystore: Path) -> str:
    """Which enclave rcl looked for in an empty keystore."""
    found = re.search(rf"directory '{keystore}/enclaves(/\S*)' does not exist", said)
    assert found, said
    return found[1]


@pytest.mark.parametrize(
    ("arguments", "chosen", "expected"),
    [
        (["world2act.supervision.bring_up", "camera_ingest"], "", "/world2act/operator"),
        (["world2act.supervision.bring_up", "camera_ingest"], "/mine", "/mine"),
        (["world2act.cli.main", "up", "sim"], "", "/world2act/operator"),
        (["world2act.cli.main", "monitor", "--once"], "", "/world2act/observer"),
    ],
)
def test_a_persons_tool_joins_in_its_role_unless_one_is_chosen(
    arguments: list[str], chosen: str, expected: str, tmp_path: Path
) -> None:
    """`bring_up` is what the launch files run: without an enclave it would be refused, and no node ever configured."""
    shutil.copy("models/tabletop-nano/manifest.yaml", tmp_path)
    bundle = ["--bundle", str(tmp_path)] if "up" in arguments else []
    keys = {"ROS_SECURITY_KEYSTORE": str(tmp_path), OVERRIDE: chosen, "COLUMNS": "400"}
    status, said = run(["-m", *arguments, *bundle], {**ENFORCED, **keys})
    assert status == 1 and "Traceback" not in said, said
    assert enclave_asked_for(said, tmp_path) == expected


def test_every_node_joins_in_its_own_enclave_whatever_the_shell_has_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The operator of `world2act up` may publish neither chunks nor commands: its enclave must not be inherited."""
    variables = {**ENFORCED, "ROS_SECURITY_KEYSTORE": str(tmp_path), OVERRIDE: "/world2act/operator"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    graph = build_graph("sim", GraphOptions(record=str(tmp_path)))
    processes = ProcessGroup(graph, tmp_path / "log", graph_environment(50))
    processes.start()
    try:
        for node in processes.nodes:
            node.process.wait(timeout=120)
        asked = {node.name: enclave_asked_for(node.log.read_text(), tmp_path) for node in processes.nodes}
    finally:
        processes.stop()
    assert asked == {node.name: f"/world2act/{node.name}" for node in graph.nodes} and "recorder" in asked


def test_fast_dds_without_security_is_named_for_what_it_is() -> None:
    with pytest.raises(ConfigurationError, match="was built without it") as raised:
        with joining({**ENFORCED, "ROS_SECURITY_KEYSTORE": "/keys"}):
            raise RuntimeError(WITHOUT_SECURITY)
    assert "a ROS 2 installation" in raised.value.remedy


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="no memory"), joining({}):
        raise RuntimeError("no memory")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, ""),
        ({"ROS_SECURITY_ENABLE": "false"}, ""),
        (ENFORCED, ""),
        ({"ROS_SECURITY_ENABLE": "1"}, "only `true` does"),
        ({"ROS_SECURITY_ENABLE": "true"}, "is not set, not Enforce"),
        ({"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "enforce"}, "is 'enforce', not Enforce"),
    ],
)
def test_a_lock_that_is_not_closed_is_said(variables: dict[str, str], said: str) -> None:
    found = open_although_asked(variables)
    assert said in found and bool(found) == bool(said)


def test_the_doctor_names_the_cause_and_no_bug(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    status, said = run(["-m", "world2act.cli.main", "doctor", "--bundle", str(tmp_path)], ENFORCED)
    assert status == 1 and "ROS_SECURITY_KEYSTORE names no keystore" in said and "is a bug" not in said
