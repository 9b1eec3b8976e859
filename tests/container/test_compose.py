"""docker/compose*.yaml: services named by use, and everything they name exists."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import tyro
import yaml

from tests.container.conftest import ROOT
from tests.container.dockerfile import read_dockerfile
from world2act.cli.main import Command
from world2act.commander.known_bundles import state_file

FILES = ("compose.yaml", "compose.gpu.yaml")
SERVICES = {"demo", "sim", "real", "monitor", "train", "dev"}
MADE_BY_USE = {"runs", "data"}
"""Folders that are mounted and that git ignores: docker or the first run makes them."""


def services(file: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker" / file).read_text())["services"]


def filled_in(text: str) -> str:
    """The text with the default of every variable, as docker compose does it."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", r"\2", text)


COMMANDS = [
    (file, name, filled_in(service["command"]))
    for file in FILES
    for name, service in services(file).items()
    if str(service.get("command", "")).startswith("world2act")
]


def test_services_are_named_by_use() -> None:
    assert set(services("compose.yaml")) == SERVICES
    assert set(services("compose.gpu.yaml")) <= SERVICES


@pytest.mark.parametrize(("file", "name", "command"), COMMANDS, ids=[f"{file}-{name}" for file, name, _ in COMMANDS])
def test_every_command_is_one_that_world2act_has(file: str, name: str, command: str) -> None:
    assert "$" not in command, f"{file}, {name}: a variable without a default"
    program, *arguments = shlex.split(command)
    assert program == "world2act"
    config = (tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff)
    try:
        tyro.cli(Command, args=arguments, config=config)  # type: ignore[arg-type]
    except SystemExit:
        pytest.fail(f"{file}, {name}: `{command}` is not understood (see `world2act --help`)")


def test_every_target_and_path_exists() -> None:
    targets = {item.stage for item in read_dockerfile(ROOT / "docker/Dockerfile")}
    for name, service in services("compose.yaml").items():
        build = service["build"]
        assert (ROOT / "docker" / build["context"] / build["dockerfile"]).is_file() and build["target"] in targets, name
        for volume in service.get("volumes", ()):
            source, inside = volume.split(":")[:2]
            folder = (ROOT / "docker" / source).resolve()
            assert folder.is_dir() or folder.name in MADE_BY_USE, f"{name} mounts {source}, which does not exist"
            assert inside.startswith("/world2act/"), f"{name} mounts {inside} where the image has nothing"


def test_no_variable_must_be_set() -> None:
    """Compose fills in the whole of its files, whichever service is asked for."""
    for file in FILES:
        lines = (line.partition(" #")[0] for line in (ROOT / "docker" / file).read_text().splitlines())
        used = re.findall(r"\$(?:\{\w+(:?.)|\w)", "\n".join(line for line in lines if not line.startswith("#")))
        assert used and set(used) <= {":-", ":+"}, f"{file}: give every variable a default"


def test_a_gpu_image_has_the_base_that_is_given_or_is_refused() -> None:
    """ENGINE is empty without BASE: test_dockerfile.py sees that the build ends there."""
    (pinned,) = (item.text for item in read_dockerfile(ROOT / "docker/Dockerfile") if item.text.startswith("BASE="))
    for name in ("sim", "real"):
        arguments = services("compose.gpu.yaml")[name]["build"]["args"]
        assert arguments == {"BASE": f"${{BASE:-{pinned.removeprefix('BASE=')}}}", "ENGINE": "${BASE:+gpu}"}
    assert "build" not in services("compose.gpu.yaml")["train"]


@pytest.mark.parametrize("name", ["sim", "real"])
def test_what_an_arm_has_run_with_outlives_the_container(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = services("compose.yaml")[name]
    monkeypatch.setenv("XDG_STATE_HOME", service["environment"]["XDG_STATE_HOME"])
    kept = [volume.split(":")[1] for volume in service["volumes"] if not volume.endswith(":ro")]
    assert any(state_file().is_relative_to(folder) for folder in kept), (
        f"{state_file()} is in the container's own layer"
    )


def test_who_talks_to_the_graph_shares_network_memory_and_domain() -> None:
    every = services("compose.yaml")
    for name in ("sim", "real", "monitor"):
        assert every[name]["network_mode"] == every[name]["ipc"] == "host", name
        assert every[name]["environment"]["ROS_AUTOMATIC_DISCOVERY_RANGE"].endswith(":-LOCALHOST}"), name
    for name in ("demo", "train", "dev"):
        assert "network_mode" not in every[name], f"{name} talks to nobody outside"


def test_only_the_arm_gets_real_time_and_nobody_everything() -> None:
    every = services("compose.yaml")
    allowed = {name: service["cap_add"] for name, service in every.items() if "cap_add" in service}
    assert allowed == {"real": ["SYS_NICE"]} and every["real"]["ulimits"] == {"rtprio": 80, "memlock": -1}
    assert not any("privileged" in service for service in every.values())
