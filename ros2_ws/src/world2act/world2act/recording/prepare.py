"""Before anything is recorded: a folder that can be written, and nothing unfinished in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from world2act.errors import ConfigurationError
from world2act_core.files import StorageError
from world2act_core.recording.layout import RecordingError, unfinished
from world2act_core.recording.recover import StillWrittenError, recover


def make_folder(folder: Path) -> None:
    """Make `folder`. ConfigurationError when it cannot be written."""
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"the folder {folder} cannot be written: {error}", "give parameter 'folder' another one"
        ) from error


def recover_all(folder: Path) -> Iterator[str]:
    """Finish what a crash has left in `folder`; says what was done, one line for each."""
    for part in unfinished(folder):
        try:
            found = recover(part)
            yield f"recovered {found.path} with {found.messages} messages"
        except StillWrittenError:
            continue
        except (RecordingError, StorageError) as error:
            yield f"not recovered: {error}"
