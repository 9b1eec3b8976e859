"""Fast DDS's shared memory: how much there is, and removal of what killed processes left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
_OURS = re.compile(r"^(sem\.)?fast(dds|rtps)_")


def segments(folder: Path = SHARED_MEMORY) -> list[Path]:
    """Every Fast DDS file in shared memory that belongs to this user, of living and of dead processes."""
    found = []
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        with contextlib.suppress(FileNotFoundError):
            if _OURS.match(path.name) and path.stat().st_uid == os.getuid():
                found.append(path)
    return found


def dead_segments(folder: Path = SHARED_MEMORY) -> list[Path]:
    """This user's Fast DDS files that no process has open or mapped.

    A file that is locked belongs to somebody, even if that process cannot be seen from here (another container).
    """
    found = segments(folder)
    alive = _used_files()
    return [
        path
        for path in found
        if not (str(path) in alive or _locked(path) or _locked(path.with_name(f"{path.name}_el")))
    ]


def remove_dead_segments(folder: Path = SHARED_MEMORY) -> list[Path]:
    """Remove the files of `dead_segments`; returns what was removed."""
    removed = []
    for path in dead_segments(folder):
        with contextlib.suppress(OSError):
            path.unlink()
            removed.append(path)
    return removed


def free_bytes(folder: Path = SHARED_MEMORY) -> int:
    """Space left in shared memory; 0 when there is none."""
    return shutil.disk_usage(folder).free if folder.is_dir() else 0


def _used_files() -> set[str]:
    """Files in shared memory that some visible process has mapped or open."""
    used: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for line in (process / "maps").read_text().splitlines():
                if str(SHARED_MEMORY) in line:
                    used.add(line.split(maxsplit=5)[-1])
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    target = os.readlink(descriptor)
                    if target.startswith(str(SHARED_MEMORY)):
                        used.add(target)
    return used


def _locked(path: Path) -> bool:
    """Whether some process, here or in another container, holds the file's lock."""
    try:
        with open(path, "rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
