"""Writing so that a reader sees a whole file or none, and a full disk says so."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.common.errors import DatasetDiskFullError

MEBIBYTE = 1 << 20


def free_bytes(path: Path) -> int:
    """Free bytes on the disk that holds ``path`` (or its nearest existing parent)."""
    existing = path
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    return shutil.disk_usage(existing).free


def disk_full_error(path: Path) -> DatasetDiskFullError:
    """The error for a disk with no room for ``path``."""
    return DatasetDiskFullError(
        f"no space left for {path}: {free_bytes(path) / MEBIBYTE:.0f} MiB free on that disk. Finished episodes are "
        "kept; free some space or choose another --out, then run the same command again to continue."
    )


def require_free_space(path: Path, minimum_bytes: int) -> None:
    """Raise :class:`DatasetDiskFullError` when fewer than ``minimum_bytes`` are free at ``path``."""
    if free_bytes(path) < minimum_bytes:
        raise disk_full_error(path)


@contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Turn "no space left" and "quota exceeded" raised inside into an error that names ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full_error(path) from error
        raise


def write_bytes_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path`` and rename it there; a failure leaves no partial file behind."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with naming_full_disk(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text_atomically(path: Path, text: str) -> None:
    """:func:`write_bytes_atomically` for UTF-8 text."""
    write_bytes_atomically(path, text.encode())
