"""Whether what is there was made as it would be made now: what differs, and the error that says so.

A run, a cache or a score may only be continued with what it was begun with. What was written before a fact was kept
does not say it; that is taken as no difference, so that finished work stays usable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from training.common.errors import CheckpointError, TrainingError

LONGEST = 40
"""Characters of a value that an error message shows whole."""

Changes = dict[str, tuple[Any, Any]]
"""Name (dotted where it is inside another) -> (there, now)."""


def changes(there: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Changes:
    """Entries that differ; those that ``there`` lacks do not. Both as they come back from JSON."""
    found: Changes = {}
    for name, before in there.items():
        after = now.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found |= changes(before, after, f"{prefix}{name}.")
        elif before != after:
            found[prefix + name] = (before, after)
    return found


def refuse(what: str, found: Changes, error: type[TrainingError] = CheckpointError) -> None:
    """Raise ``error`` when there are changes; ``what``: the beginning of the message, naming the place."""
    if found:
        shown = {name: (_short(before), _short(after)) for name, (before, after) in found.items()}
        raise error(f"{what} (there, now): {shown}; choose another --out, or go back to what was there")


def _short(value: Any) -> Any:
    """Short values as they are; of long ones the beginning and a hash, which differs where only the end does."""
    text = str(value)
    if len(text) <= LONGEST:
        return value
    if isinstance(value, str) and value.isalnum():
        return text[:12]  # a hash
    return f"{text[:12]}... ({hashlib.sha256(text.encode()).hexdigest()[:8]})"
