"""Full definitions of message types, so that a recording can be read by people who do not have our workspace."""

from __future__ import annotations

import importlib
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from world2act.errors import ConfigurationError

SEPARATOR = "=" * 80
_ELEMENT = re.compile(r"^(?:sequence<)?([^,<>\[\]]+)")


@cache
def message_class(type_name: str) -> Any:
    """The Python class of "std_msgs/msg/String". ConfigurationError when there is none."""
    package, _, name = type_name.partition("/msg/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"there is no message type {type_name!r} here", "write it as package/msg/Name, and install its package"
        ) from error


def type_name_of(message_type: Any) -> str:
    """The reverse of `message_class`."""
    return f"{message_type.__module__.partition('.')[0]}/msg/{message_type.__name__}"


@cache
def full_definition(type_name: str) -> str:
    """The .msg text of a type followed by those of all types in it, in MCAP's "ros2msg" form.

    Raises ConfigurationError when a type is not installed.
    """
    parts = [_text(type_name)]
    for nested in _nested(type_name):
        parts.append(f"{SEPARATOR}\nMSG: {nested.replace('/msg/', '/')}\n{_text(nested)}")
    return "\n".join(parts)


def _nested(type_name: str) -> list[str]:
    """Every message type inside `type_name`, each once, in order of appearance."""
    found: dict[str, None] = {}
    waiting = [type_name]
    while waiting:
        for kind in message_class(waiting.pop(0)).get_fields_and_field_types().values():
            match = _ELEMENT.match(kind)
            element = match[1].strip() if match else ""
            if "/" not in element:
                continue
            package, name = element.split("/")
            nested = f"{package}/msg/{name}"
            if nested not in found:
                found[nested] = None
                waiting.append(nested)
    return list(found)


def _text(type_name: str) -> str:
    package, _, name = type_name.partition("/msg/")
    for prefix in _prefixes(package):
        path = prefix / "share" / package / "msg" / f"{name}.msg"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise ConfigurationError(
        f"the definition of {type_name} is not installed: no share/{package}/msg/{name}.msg",
        f"install package {package} with its share folder, or source the workspace",
    )


def _prefixes(package: str) -> list[Path]:
    """Where a package may be installed: beside its Python module, and where ROS's environment says."""
    module = importlib.import_module(package)
    own = [Path(entry).parents[3] for entry in module.__path__ if len(Path(entry).parents) > 3]
    return [*own, *(Path(entry) for entry in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if entry)]
