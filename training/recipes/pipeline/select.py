"""Which steps of a recipe a run is about."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from training.common.errors import TrainingError
from training.recipes.pipeline.step import Step


def with_inputs(steps: Sequence[Step], names: Iterable[str]) -> set[str]:
    """The named steps and everything that they need, directly or not."""
    by_name = {step.name: step for step in steps}
    found: set[str] = set()
    open_names = [known_name(steps, name) for name in names]
    while open_names:
        name = open_names.pop()
        if name not in found:
            found.add(name)
            open_names += by_name[name].needs
    return found


def known_name(steps: Sequence[Step], name: str) -> str:
    """``name`` itself; TrainingError with what was perhaps meant when no step is called so."""
    names = [step.name for step in steps]
    if name not in names:
        near = difflib.get_close_matches(name, names, 3) or names[:5]
        raise TrainingError(f"there is no step {name!r}; did you mean {', '.join(near)}? --list shows all")
    return name
