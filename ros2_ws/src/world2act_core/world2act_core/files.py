"""Files written whole or not at all, and their checksums."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from pathlib import Path


class StorageError(OSError):
    """A file could not be written; the message says which one, why and what to do."""


class DiskFullError(StorageError):
    """The disk (or the user's quota) is full."""


_FULL = (errno.ENOSPC, errno.EDQUOT)


def sha256_file(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def storage_error(path: str | Path, error: OSError) -> StorageError:
    """The clear form of `error` for somebody who was writing `path`: DiskFullError when no space is left."""
    if error.errno in _FULL:
        message = f"no space left while writing {path}: free some space or choose another folder, then run again"
        return DiskFullError(error.errno, message)
    return StorageError(error.errno or 0, f"cannot write {path}: {error.strerror or error}")


def atomic_write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` so that `path` holds either its old or its whole new content; makes missing folders.

    Raises DiskFullError or StorageError, and then leaves no partial file behind.
    """
    target = Path(path)
    partial: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files only the owner may read; a finished file gets the permissions an ordinary one would.
        os.chmod(partial, 0o666 & ~_umask())
        os.replace(partial, target)
    except OSError as error:
        if partial is not None:
            with contextlib.suppress(OSError):
                os.unlink(partial)
        raise storage_error(target, error) from error


def atomic_write_text(path: str | Path, text: str) -> None:
    """`atomic_write_bytes` for text, encoded as UTF-8."""
    atomic_write_bytes(path, text.encode("utf-8"))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
