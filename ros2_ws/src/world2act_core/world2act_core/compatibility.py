"""Do two contracts mean the same? Every difference is an error that names both sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel

from world2act_core.contract import Contract, ContractError

# Pictures are resized to the policy's size, so their size may differ; nothing else that changes meaning may.
_IMAGE_SIZE_FIELDS = frozenset({"width", "height"})
# How many actions a policy predicts and executes at once is its own affair: every node reads it from the bundle.
_SCALARS = ("robot", "control_hz", "observation_hz", "hold", "schema_version")


class ContractMismatch(ContractError):
    """Two contracts that do not fit; `differences` holds one line for each."""

    def __init__(self, ours_name: str, theirs_name: str, differences: Sequence[str]) -> None:
        self.differences = tuple(differences)
        listed = "\n".join(f"  - {line}" for line in self.differences)
        super().__init__(
            f"the contracts of {ours_name} and {theirs_name} do not fit together:\n{listed}\n"
            f"Use a bundle made for this robot and these cameras, or change the profile so that both agree."
        )


def check_compatible(ours: Contract, theirs: Contract, ours_name: str = "ours", theirs_name: str = "theirs") -> None:
    """Raise ContractMismatch, listing every difference with both sides' names and values.

    Allowed to differ: image sizes (pictures are resized), chunk_length and execute_steps, and which skills and objects
    each side knows (the planner uses the bundle's). An object known to both must have the same uses on both sides.
    """
    differences = list(_differences(ours, theirs, ours_name, theirs_name))
    if differences:
        raise ContractMismatch(ours_name, theirs_name, differences)


def _differences(ours: Contract, theirs: Contract, ours_name: str, theirs_name: str) -> Iterator[str]:
    def line(where: str, left: Any, right: Any) -> str:
        return f"{where}: {ours_name} has {_show(left)}, {theirs_name} has {_show(right)}"

    for name in _SCALARS:
        if not _same(getattr(ours, name), getattr(theirs, name)):
            yield line(name, getattr(ours, name), getattr(theirs, name))
    pairs: tuple[tuple[str, Sequence[Any], Sequence[Any]], ...] = (
        ("cameras", ours.cameras, theirs.cameras),
        ("state", ours.state, theirs.state),
        ("action", ours.action, theirs.action),
    )
    for part, left, right in pairs:
        # The order of cameras carries no meaning (they are named inputs); that of state and action entries does.
        left_names, right_names = [item.name for item in left], [item.name for item in right]
        if part != "cameras" and sorted(left_names) == sorted(right_names) and left_names != right_names:
            yield line(f"{part} order", left_names, right_names)
        for where, mine, yours in _by_name(part, left, right):
            yield line(where, mine, yours)
    for field in ("name", "dim"):
        mine, yours = getattr(ours.text_encoder, field), getattr(theirs.text_encoder, field)
        if mine != yours:
            yield line(f"text_encoder.{field}", mine, yours)
    for entry in ours.vocabulary.objects:
        other = theirs.vocabulary.find(entry.name)
        for field in ("graspable", "supports", "preposition") if other is not None else ():
            if getattr(entry, field) != getattr(other, field):
                yield line(f"vocabulary.{entry.name}.{field}", getattr(entry, field), getattr(other, field))


def _by_name(part: str, left: Sequence[BaseModel], right: Sequence[BaseModel]) -> Iterator[tuple[str, Any, Any]]:
    """Differences of two lists of named models: (where, left value, right value)."""
    mine = {_name(item): item for item in left}
    yours = {_name(item): item for item in right}
    for name in [*mine, *(name for name in yours if name not in mine)]:
        if name not in mine or name not in yours:
            yield f"{part}.{name}", "it" if name in mine else None, "it" if name in yours else None
            continue
        for field in type(mine[name]).model_fields:
            a, b = getattr(mine[name], field), getattr(yours[name], field)
            if field not in _IMAGE_SIZE_FIELDS and not _same(a, b):
                yield f"{part}.{name}.{field}", a, b


def _name(item: BaseModel) -> str:
    return str(getattr(item, "name"))  # noqa: B009 - the models share no base with a name


def _same(left: Any, right: Any) -> bool:
    numbers = (int, float)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, numbers) and isinstance(right, numbers):
        return bool(np.isclose(left, right, rtol=1e-6, atol=1e-9))
    return bool(left == right)


def _show(value: Any) -> str:
    if value is None:
        return "none"
    return str(list(value)) if isinstance(value, tuple) else str(value)
