"""The command of a supervised launch is one that `world2act up` takes, with the values that were chosen."""

from __future__ import annotations

import tyro

from world2act.cli.up import Up
from world2act.launch_description import ARGUMENTS, generate
from world2act.launch_supervised import SUPERVISE, up_command

from .conftest import actions_of, arguments_of, of_kind

DEFAULTS = {name: default for name, (default, _) in ARGUMENTS.items()}


def parsed(**chosen: str) -> Up:
    """What `world2act up` makes of the command."""
    command = up_command("real", {**DEFAULTS, **chosen})
    return tyro.cli(Up, args=command[command.index("up") + 1 :])


def test_every_launch_argument_is_an_option_with_the_same_default() -> None:
    assert parsed() == Up("real")
    assert set(ARGUMENTS) - {SUPERVISE} <= set(Up.__dataclass_fields__)


def test_values_reach_their_options() -> None:
    values = {
        "bundle": "models/other", "lockstep": "True", "robot": "fr3", "speed": "0.25", "reduced": "always",
        "provider": "auto", "residual": "off", "imagined_codes": "codes.safetensors", "planner": "llm",
        "llm_base_url": "http://localhost:1/v1", "llm_model": "m", "llm_api_key_variable": "KEY", "llm_timeout": "3.5",
        "llm_cache": "cache", "monitor": "warn", "record": "recordings",
    }  # fmt: skip
    assert set(values) == set(ARGUMENTS) - {SUPERVISE}
    up = parsed(**values)
    for name, value in values.items():
        found = getattr(up, name)
        assert (found is True) if name == "lockstep" else str(found) == value, name


def test_launch_starts_one_process_and_gives_it_time_to_end_safely(launch: None) -> None:
    description = generate("real")
    assert arguments_of(description)[SUPERVISE] == "true"
    (process,) = actions_of(description, robot="fr3")
    assert process.cmd[1:5] == ["-m", "world2act.cli.main", "up", "real"] and "fr3" in process.cmd
    assert float(process.sigterm_timeout) >= 10 and float(process.sigkill_timeout) >= 5
    nodes = of_kind(actions_of(description, robot="fr3", supervise="false"), "Node")
    assert "arm_commander" in [node.name for node in nodes]
