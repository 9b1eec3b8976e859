"""A checkpoint goes on only under the contract that it was trained under."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.common.errors import CheckpointError
from world2act_core.contract import Contract

SHOWN = 6


def require_same_contract(checkpoint: Path, theirs: Contract, ours: Contract, where: str, advice: str) -> None:
    """Raise :class:`CheckpointError`, naming what differs and both values, unless the contracts are equal.

    theirs: the checkpoint's; ours: that of ``where`` ("the cache"); advice: what to do about it.
    """
    if theirs == ours:
        return
    left, right = (dict(_entries("", contract.model_dump(mode="json"))) for contract in (theirs, ours))
    changed = [name for name in {**left, **right} if left.get(name) != right.get(name)]
    shown = [f"{name}: {left.get(name, 'none')} there, {right.get(name, 'none')} now" for name in changed[:SHOWN]]
    shown += [f"{len(changed) - SHOWN} more"] if len(changed) > SHOWN else []
    raise CheckpointError(
        f"{checkpoint} was trained under another contract than {where} has ({'; '.join(shown) or 'another order'}); "
        f"{advice}"
    )


def _entries(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every plain value with where it stands: dicts by key, lists of named things by name."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _entries(f"{name}.{key}" if name else str(key), item)
    elif isinstance(value, list) and all(isinstance(item, dict) and "name" in item for item in value):
        for item in value:
            yield from _entries(f"{name}.{item['name']}", item)
    else:
        yield name, value
