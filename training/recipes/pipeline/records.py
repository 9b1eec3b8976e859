"""What is known about steps that were run: one JSON file each."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from training.common.disk import write_text_atomically
from training.common.errors import TrainingError


@dataclass(frozen=True)
class Record:
    """A step that was begun, and perhaps finished."""

    step: str
    state: Literal["started", "finished"]
    settings: dict[str, Any]
    inputs: dict[str, str | None]
    """Name of a step -> which result of it was read."""
    fingerprint: str
    made: str = ""
    """Names this very result: the fingerprint and when it was finished. A result made anew has another name, one that
    was not kept and is made again has the same."""
    seconds: float = 0.0
    """Time spent, interruptions left out."""
    cpu_seconds: float | None = None
    """Processor time of the step and of the processes that it waited for; None: a part of it was not measured."""
    command_line: str = ""
    commit: str = ""
    machine: str = ""
    replaced: list[str] = field(default_factory=list)
    """Where earlier results were put aside."""


class Records:
    """The records of a recipe in ``root/steps``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / "steps"

    def read(self, name: str) -> Record | None:
        """The record of a step; TrainingError when it cannot be read."""
        path = self._folder / f"{name}.json"
        if not path.exists():
            return None
        try:
            return Record(**json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise TrainingError(f"cannot read {path}: {error}; delete it to run step {name!r} again") from error

    def write(self, record: Record) -> None:
        """Replace the record of a step."""
        write_text_atomically(self._folder / f"{record.step}.json", json.dumps(asdict(record), indent=1) + "\n")

    def why_outdated(self, name: str) -> str:
        """Why what lies in the place of a step's result is not, or no longer, made of the present results before it.

        "" when it is, or when nothing is recorded of the step: somebody made it by hand.
        """
        record = self.read(name)
        if record is None:
            return ""
        if record.state != "finished" and not record.made:  # what is being made again has a name
            return f"{name} is not finished"
        for source, made in record.inputs.items():
            if made is None:
                continue
            now = self.read(source)
            if now is None or now.made != made:
                return f"{name} is older than {source}"
            if why := self.why_outdated(source):
                return why
        return ""

    def put_aside(self, name: str, paths: tuple[Path, ...]) -> list[str]:
        """Move what exists of ``paths`` into ``root/replaced``; says where, relative to ``root``.

        Raises TrainingError for something outside ``root``: that is not the recipe's to move.
        """
        moved = []
        for path in paths:
            if not path.exists():
                continue
            if not path.resolve().is_relative_to(self.root.resolve()):
                raise TrainingError(
                    f"step {name!r} must be made anew, but {path} lies outside {self.root}; move or delete it yourself"
                )
            target = self._free(f"{name}-{path.name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
            moved.append(target.relative_to(self.root).as_posix())
        return moved

    def _free(self, name: str) -> Path:
        number = 1
        while (target := self.root / "replaced" / f"{name}-{number}").exists():
            number += 1
        return target
