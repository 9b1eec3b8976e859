"""The finished recordings in a folder: which are there before a fault, and whether each can still be read after it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from world2act_core.files import sha256_file
from world2act_core.recording.layout import RecordingError, finished
from world2act_core.recording.reader import Recording

KEEP_BYTES = 64 << 20
"""So much of what was found readable is left in the folder, which is a small disk."""
_SMALL = ("skill",)
"""Messages that are read as a sample. No pictures: to decode a whole minute takes longer than a fault lasts."""


@dataclass(frozen=True)
class Finished:
    """A finished recording: its content, and when it was finished."""

    path: Path
    size: int
    changed_ns: int
    sha256: str


def finished_recordings(folder: Path) -> tuple[Finished, ...]:
    """Everything that is finished in `folder` now, by name."""
    return tuple(_look(path) for path in finished(folder))


def episodes(folder: Path) -> int:
    """How many episodes are finished in `folder`; saved minutes are none."""
    return sum(_is_episode(path) for path in finished(folder))


def _is_episode(path: Path) -> bool:
    return path.name.startswith("episode-")


def lost(before: tuple[Finished, ...]) -> list[str]:
    """What of `before` is gone, changed or cannot be read: one sentence for each, with the file's name."""
    return [text for found in before if (text := _trouble(found))]


def move_away(folder: Path, keep_bytes: int = KEEP_BYTES) -> None:
    """Delete the oldest recordings in `folder`, so that `keep_bytes` at most are left, and the newest episode."""
    oldest_first = sorted(finished(folder), key=lambda path: path.stat().st_mtime_ns)
    newest = next((path for path in reversed(oldest_first) if _is_episode(path)), None)
    left = sum(path.stat().st_size for path in oldest_first)
    for path in oldest_first:
        if left > keep_bytes and path != newest:
            left -= path.stat().st_size
            path.unlink()


def _look(path: Path) -> Finished:
    known = path.stat()
    return Finished(path, known.st_size, known.st_mtime_ns, sha256_file(path))


def _trouble(found: Finished) -> str:
    try:
        now = _look(found.path)
    except OSError as error:
        return f"{found.path.name}, finished before the fault, is gone: {error.strerror}"
    if (now.size, now.sha256) != (found.size, found.sha256):
        return f"{found.path.name}, finished before the fault, was changed: {found.size} bytes, now {now.size}"
    try:
        recording = Recording(found.path)
        for _ in recording.messages(_SMALL):
            pass
    except RecordingError as error:
        return f"{found.path.name}, finished before the fault, cannot be read: {error}"
    return ""
