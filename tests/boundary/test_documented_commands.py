"""Every command in the documentation is one that exists, with options that exist, and all that it needs."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import tyro

from training.cli import COMMANDS
from world2act import gazebo_launch, launch_description
from world2act.arm_choice import chosen_arm
from world2act.cli.main import Command
from world2act.cli.up import Up
from world2act.errors import GraphError
from world2act_core.robot.find import profile_names

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.py"))
PROGRAMS = ("world2act", "python -m training", "ros2 launch world2act")
# What may stand before a command: a line of a systemd unit, variables, a priority, the folder of an installation.
BEFORE = re.compile(r"^(?:ExecStart=|nice -n \S+ |[A-Z_]+=\S+ )*(?:/\S+/)?(?=(?:world2act|python) )")
GRAPH_ARGUMENTS = set(launch_description.ARGUMENTS)
LAUNCH_ARGUMENTS = {
    "sim": GRAPH_ARGUMENTS,
    "real_robot": GRAPH_ARGUMENTS,
    "gazebo": GRAPH_ARGUMENTS | set(gazebo_launch.ARGUMENTS),
    "record": set(launch_description.RECORD_ARGUMENTS),
    "replay": set(launch_description.REPLAY_ARGUMENTS),
}
"""Launch file -> names of its arguments."""


def commands(text: str) -> list[str]:
    """Whole commands: the lines of code blocks, and inline code that ends in an option with its value."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.M | re.S)
    lines = [line for block in blocks for line in re.sub(r" *\\\n\s*", " ", block).splitlines()]
    rest = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    inline = [code for code in re.findall(r"`([^`\n]+)`", rest) if re.search(r" --\S+ [^-\s]\S*$", code)]
    cleaned = [re.split(r"\s+#|;|\s&&|\s&$|\s\|\s", line.strip())[0].strip() for line in (*lines, *inline)]
    cleaned = [BEFORE.sub("", line) for line in cleaned]
    found = [line for line in cleaned if line.startswith(tuple(f"{program} " for program in PROGRAMS))]
    return [line for line in found if "..." not in line and "COMMAND" not in line]


FOUND = [(page.relative_to(ROOT).as_posix(), line) for page in PAGES for line in commands(page.read_text())]
FOUND += [
    (path.relative_to(ROOT).as_posix(), line)
    for path in LAUNCH_FILES
    for line in re.findall(r"ros2 launch .*\.launch\.py(?:\s+\w+:=[^\s\"]+)*", path.read_text())
]


@functools.cache
def training_config(name: str) -> Any:
    command = COMMANDS[name]
    return getattr(importlib.import_module(command.module), command.config)


def parse(line: str) -> None:
    """Raises SystemExit as the command itself would for a wrong option, KeyError for an unknown training step."""
    if line.startswith("world2act "):
        config = (tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff)
        command = tyro.cli(Command, args=shlex.split(line)[1:], config=config)  # type: ignore[arg-type]
        if isinstance(command, Up):
            choose_arm(command.graph, command.robot)
    elif line.startswith("ros2 launch "):
        launch(*shlex.split(line)[3:])
    else:
        _, _, _, name, *arguments = shlex.split(line)
        tyro.cli(training_config(name), args=arguments)


def choose_arm(graph: Any, robot: str) -> None:
    """Raises SystemExit where the command would end because it does not know which arm; one's own is taken as given."""
    if robot in ("", *profile_names()):
        try:
            chosen_arm(graph, robot)
        except GraphError as error:
            raise SystemExit(str(error)) from error


def launch(file: str, *arguments: str) -> None:
    """Raises SystemExit for a launch file that is not there and for what it does not take or needs."""
    kind = file.removesuffix(".launch.py")
    if ROOT / "launch" / file not in LAUNCH_FILES or kind not in LAUNCH_ARGUMENTS:
        raise SystemExit(f"there is no launch/{file}")
    given = dict(argument.split(":=", 1) for argument in arguments)
    if unknown := set(given) - LAUNCH_ARGUMENTS[kind]:
        raise SystemExit(f"{file} has no {', '.join(sorted(unknown))}")
    if kind == "gazebo":
        needed = {name for name, (default, _) in gazebo_launch.ARGUMENTS.items() if default is None}
        if lacking := needed - set(given):
            raise SystemExit(f"{file} needs {', '.join(sorted(lacking))}")
    if kind in ("sim", "real_robot", "gazebo"):
        choose_arm("sim" if kind == "sim" else "real", given.get("robot", ""))


@pytest.mark.parametrize(("page", "line"), FOUND, ids=[f"{page}: {line[:60]}" for page, line in FOUND])
def test_the_command_exists(page: str, line: str) -> None:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parse(line)
    except SystemExit as error:
        assert error.code == 0 and "--help" in line, f"{page}: `{line}`\n{said.getvalue()}{error}"
    except KeyError as error:
        pytest.fail(f"{page}: `{line}`: there is no training step {error}")


def test_commands_are_found() -> None:
    block = "```\nworld2act up sim \\\n    --seed 3   # why\nls\n```\n"
    text = f"{block}Use `world2act do x --timeout 3`, `world2act up --seed` or `world2act set`.\n"
    assert commands(text) == ["world2act up sim --seed 3", "world2act do x --timeout 3"]
    unit = (
        "```ini\nExecStart=/opt/world2act/.venv/bin/world2act up sim\nROS_DOMAIN_ID=3 nice -n -5 world2act soak\n```\n"
    )
    assert commands(unit) == ["world2act up sim", "world2act soak"]
    assert commands("```\nros2 launch world2act sim.launch.py speed:=1\n```\n")
    assert len(FOUND) > 40


def test_each_launch_file_and_the_unit_are_among_them() -> None:
    text = "\n".join(f"{page}: {line}" for page, line in FOUND)
    assert "docs/how-to/supervision.md: world2act up real --robot" in text
    assert {path.name.removesuffix(".launch.py") for path in LAUNCH_FILES} == set(LAUNCH_ARGUMENTS)
    assert all(f"launch/{path.name}: ros2 launch world2act {path.name}" in text for path in LAUNCH_FILES)


@pytest.mark.parametrize(
    "line",
    [
        "world2act up sim --no-such-option", "world2act fly", "python -m training vla --nope 1",
        "world2act up real --bundle models/my-bundle", "ros2 launch world2act real_robot.launch.py bundle:=models/x",
        "ros2 launch world2act sim.launch.py sped:=1", "ros2 launch world2act no.launch.py",
        "ros2 launch world2act gazebo.launch.py robot:=fr3",
    ],
)  # fmt: skip
def test_wrong_ones_are_seen(line: str) -> None:
    with pytest.raises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        parse(line)
