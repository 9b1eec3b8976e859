"""What decides a step's result, as JSON and as a hash: its command, its configuration, and which results it reads."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.recipes.pipeline.step import Step

FREE_FIELDS = ("workers", "threads", "device")
"""Say how a step is run and not what comes out of it."""
ROOT = "<root>"


def settings(step: Step, root: Path) -> dict[str, Any]:
    """Command and configuration as they come back from JSON; paths inside ``root`` are relative to it."""
    config = step.config
    values = dict(config) if isinstance(config, Mapping) else dataclasses.asdict(config)
    kept = {key: value for key, value in values.items() if key not in FREE_FIELDS}
    return {"command": step.command, "config": _jsonable(kept, root)}


def fingerprint(values: Mapping[str, Any], inputs: Mapping[str, str | None]) -> str:
    """Hash of :func:`settings` and of the results that are read (name of a step -> which result of it)."""
    text = json.dumps({"settings": values, "inputs": inputs}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def changed_fields(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of configuration fields that differ between two :func:`settings`; "command" when that does."""
    if before.get("command") != now["command"]:
        return ["command"]
    old, new = before.get("config", {}), now["config"]
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def _jsonable(value: Any, root: Path) -> Any:
    if isinstance(value, Path):
        return f"{ROOT}/{value.relative_to(root).as_posix()}" if value.is_relative_to(root) else value.as_posix()
    if isinstance(value, Mapping):
        return {str(key): _jsonable(entry, root) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(entry, root) for entry in value]
    return value
