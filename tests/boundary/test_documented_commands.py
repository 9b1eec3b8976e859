"""Every command in the documentation is one that exists, with options that exist."""

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
from world2act.cli.main import Command

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = ("world2act", "python -m training")


def commands(text: str) -> list[str]:
    """Whole commands: the lines of code blocks, and inline code that ends in an option with its value."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.M | re.S)
    lines = [line for block in blocks for line in re.sub(r" *\\\n\s*", " ", block).splitlines()]
    rest = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    inline = [code for code in re.findall(r"`([^`\n]+)`", rest) if re.search(r" --\S+ [^-\s]\S*$", code)]
    cleaned = [re.split(r"\s+#|;|\s&&|\s&$|\s\|\s", line.strip())[0].strip() for line in (*lines, *inline)]
    found = [line for line in cleaned if line.startswith(tuple(f"{program} " for program in PROGRAMS))]
    return [line for line in found if "..." not in line and "COMMAND" not in line]


FOUND = [(page.relative_to(ROOT).as_posix(), line) for page in PAGES for line in commands(page.read_text())]


@functools.cache
def training_config(name: str) -> Any:
    command = COMMANDS[name]
    return getattr(importlib.import_module(command.module), command.config)


def parse(line: str) -> None:
    """Raises SystemExit as the command itself would for a wrong option, KeyError for an unknown training step."""
    if line.startswith("world2act "):
        config = (tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff)
        tyro.cli(Command, args=shlex.split(line)[1:], config=config)  # type: ignore[arg-type]
    else:
        _, _, _, name, *arguments = shlex.split(line)
        tyro.cli(training_config(name), args=arguments)


@pytest.mark.parametrize(("page", "line"), FOUND, ids=[f"{page}: {line[:60]}" for page, line in FOUND])
def test_the_command_exists(page: str, line: str) -> None:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parse(line)
    except SystemExit as error:
        assert error.code == 0 and "--help" in line, f"{page}: `{line}`\n{said.getvalue()}"
    except KeyError as error:
        pytest.fail(f"{page}: `{line}`: there is no training step {error}")


def test_commands_are_found() -> None:
    block = "```\nworld2act up sim \\\n    --seed 3   # why\nls\n```\n"
    text = f"{block}Use `world2act do x --timeout 3`, `world2act up --seed` or `world2act set`.\n"
    assert commands(text) == ["world2act up sim --seed 3", "world2act do x --timeout 3"]
    assert len(FOUND) > 40


@pytest.mark.parametrize(
    "line", ["world2act up sim --no-such-option", "world2act fly", "python -m training vla --nope 1"]
)
def test_wrong_ones_are_seen(line: str) -> None:
    with pytest.raises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        parse(line)
