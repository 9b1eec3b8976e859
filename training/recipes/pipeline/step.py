"""One step of a recipe: which command with which configuration, what it needs and what it leaves."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.cli import COMMANDS, Command
from training.common.errors import TrainingError


@dataclass(frozen=True)
class Step:
    """A step of a recipe."""

    name: str
    command: str
    """Subcommand of ``python -m training``; one that is not there yet is reported, not run."""
    config: Any
    """The command's configuration, or a mapping of its options where the command may be missing."""
    produces: tuple[Path, ...]
    """Files or folders that exist once the step is finished; put aside before it is made anew."""
    needs: tuple[str, ...] = ()
    """Steps whose results it reads; without them it cannot run."""
    uses: tuple[str, ...] = ()
    """Steps whose results it reads where there are any."""
    overwrites: bool = False
    """The command itself replaces what is there, or tells it from its own: put aside only when asked to start anew."""
    extends: tuple[str, ...] = ()
    """Fields of the configuration that may change while the command keeps what is there and adds to it."""
    minutes: float = 1.0
    """About how long it takes on two CPU cores."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Everything it reads."""
        return (*self.needs, *self.uses)


def check_steps(steps: Sequence[Step]) -> None:
    """Raise TrainingError unless names are unique and every input stands before the step that reads it."""
    known: set[str] = set()
    for step in steps:
        if step.name in known:
            raise TrainingError(f"step {step.name!r} is in the list twice")
        late = [name for name in step.inputs if name not in known]
        if late:
            raise TrainingError(f"step {step.name!r} reads {', '.join(late)}, which no step before it makes")
        known.add(step.name)


def options_of(step: Step) -> set[str]:
    """Names of the options that the step's command has here; none when there is no such command."""
    if step.command not in COMMANDS:
        return set()
    return {field.name for field in dataclasses.fields(_config_class(COMMANDS[step.command]))}


def why_not(step: Step) -> str:
    """Why the step cannot run in this checkout: its command, or an option of it, is not there; "" when it can."""
    if step.command not in COMMANDS:
        return f"there is no `python -m training {step.command}` here"
    if isinstance(step.config, Mapping):
        unknown = sorted(step.config.keys() - options_of(step))
        if unknown:
            return f"`python -m training {step.command}` has no option {', '.join(unknown)}"
    return ""


def open_command(step: Step) -> tuple[Any, Any]:
    """(function, config) of a step that can run."""
    command = COMMANDS[step.command]
    config = step.config
    if isinstance(config, Mapping):
        config = _config_class(command)(**config)
    return getattr(importlib.import_module(command.module), command.function), config


def _config_class(command: Command) -> Any:
    return getattr(importlib.import_module(command.module), command.config)
