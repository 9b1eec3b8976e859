"""`world2act recordings`: what is in a folder of recordings, and recovery of what a crash has left there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from world2act.errors import GraphError
from world2act_core.files import StorageError
from world2act_core.recording.layout import RecordingError, finished, unfinished
from world2act_core.recording.reader import Recording
from world2act_core.recording.recover import recover


@dataclass(frozen=True)
class Recordings:
    """List recordings; --recover makes readable what a crash or a full disk has left unfinished."""

    path: tyro.conf.Positional[Path] = Path("runs/recordings")
    """Folder of recordings, or one of them."""
    recover: bool = False
    """Recover unfinished recordings (*.mcap.part) first. The recorder does the same when it starts."""

    def run(self) -> int:
        """Returns the exit status: 1 when something cannot be read or recovered."""
        console = Console()
        if not self.path.exists():
            raise GraphError(f"there is nothing at {self.path.absolute()}: give the recorder's folder")
        parts = unfinished(self.path) if self.path.is_dir() else [self.path] if _is_part(self.path) else []
        failed = False
        for part in parts if self.recover else []:
            failed |= not _recover(part, console)
        files = finished(self.path) if self.path.is_dir() else [] if _is_part(self.path) else [self.path]
        for file in files:
            failed |= not _show(file, console)
        if parts and not self.recover:
            names = ", ".join(part.name for part in parts)
            console.print(
                f"unfinished: {names} (being recorded, or --recover)", highlight=False, markup=False, soft_wrap=True
            )
        if not files and not parts:
            console.print("no recordings")
        return 1 if failed else 0


def _is_part(path: Path) -> bool:
    return path.name.endswith(".part")


def _recover(part: Path, console: Console) -> bool:
    try:
        found = recover(part)
    except (RecordingError, StorageError) as error:
        console.print(str(error), highlight=False, markup=False, soft_wrap=True)
        return False
    # A crash leaves a file that ends too soon; anything else is worth a word.
    told = found.damage and not found.damage.startswith("EndOfFile")
    damage = f", up to a damage: {found.damage}" if told else ""
    text = f"recovered {found.path}: {found.messages} messages{damage}"
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    return True


def _show(file: Path, console: Console) -> bool:
    try:
        recording = Recording(file)
    except RecordingError as error:
        console.print(str(error), highlight=False, markup=False, soft_wrap=True)
        return False
    outcome = recording.outcome
    what = recording.instruction or recording.header.note or recording.header.kind
    events = f", {len(outcome.safety_events)} safety events" if outcome.safety_events else ""
    lost = f", {outcome.dropped} lost" if outcome.dropped else ""
    line = f"{file.name}  {what!r}  {outcome.goal}: {outcome.end}; {outcome.messages} messages{lost}{events}"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
    return True
