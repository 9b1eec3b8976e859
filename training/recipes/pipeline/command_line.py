"""A step as the command that a person would type."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from training.recipes.pipeline.step import Step

MISSING = dataclasses.MISSING


def command_line(step: Step) -> str:
    """ "python -m training ..." with every option that is not the default."""
    return shlex.join(["python", "-m", "training", step.command, *arguments(step.config)])


def arguments(config: Any) -> list[str]:
    """Options that make ``config`` out of its class's defaults, as tyro reads them."""
    if isinstance(config, Mapping):
        return [word for name, value in config.items() for word in _option(name, value)]
    return list(_differences(config, None, ""))


def _differences(config: Any, default: Any, prefix: str) -> Iterator[str]:
    """default: what the surrounding configuration has by default in this place (None: the class's own defaults)."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        usual = _default(field) if default is None else getattr(default, field.name)
        if dataclasses.is_dataclass(value):
            yield from _differences(value, None if usual is MISSING else usual, f"{prefix}{field.name}.")
        elif value != usual:
            yield from _option(prefix + field.name, value)


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _option(name: str, value: Any) -> list[str]:
    name = name.replace("_", "-")
    if isinstance(value, bool):
        parent, _, last = name.rpartition(".")
        return [f"--{name}"] if value else [f"--{parent + '.' if parent else ''}no-{last}"]
    if isinstance(value, (tuple, list)):
        return [f"--{name}", *map(_word, value)]
    return [f"--{name}", _word(value)]


def _word(value: Any) -> str:
    return value.as_posix() if isinstance(value, Path) else str(value)
