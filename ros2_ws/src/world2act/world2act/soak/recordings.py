"""Keeps the folder of recordings from filling the disk: a ring of files."""

from __future__ import annotations

import contextlib
from pathlib import Path

from world2act_core.recording.layout import SUFFIX


def remove_old_recordings(folder: Path, keep: int) -> int:
    """Remove all but the `keep` newest finished recordings of each kind; returns how many were removed."""
    removed = 0
    for kind in ("episode", "buffer"):
        found = sorted(folder.glob(f"{kind}-*{SUFFIX}"), key=_modified_ns)
        for path in found[: max(0, len(found) - keep)]:
            with contextlib.suppress(OSError):
                path.unlink()
                removed += 1
    return removed


def _modified_ns(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime_ns
    return 0
