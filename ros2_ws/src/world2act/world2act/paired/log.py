"""Outcomes on disk: one line each, appended as they come, so that an interrupted run goes on where it ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from world2act.errors import GraphError
from world2act.paired.outcome import Outcome
from world2act_core.files import atomic_write_text

Key = tuple[str, str, int]


class OutcomeLog:
    """`episodes.jsonl` beside the `protocol.json` that it was made with, in one folder."""

    def __init__(self, folder: Path, protocol: dict[str, Any]) -> None:
        """Raises GraphError when the folder holds outcomes of another protocol, or lines that cannot be read."""
        self.path = folder / "episodes.jsonl"
        self._check_protocol(folder / "protocol.json", protocol)
        self.outcomes: dict[Key, Outcome] = {}
        whole = self._whole_lines()
        for number, line in enumerate(whole, start=1):
            try:
                outcome = Outcome.from_line(line)
            except ValueError as error:
                raise GraphError(
                    f"{self.path}, line {number}: {error}; repair it, or choose another --output"
                ) from error
            self.outcomes[outcome.key] = outcome
        atomic_write_text(self.path, "".join(f"{line}\n" for line in whole))

    def add(self, outcome: Outcome) -> None:
        """Written at once."""
        with self.path.open("a") as stream:
            stream.write(outcome.to_line() + "\n")
        self.outcomes[outcome.key] = outcome

    def _whole_lines(self) -> list[str]:
        """Every line but an unfinished last one: its episode is run again."""
        if not self.path.exists():
            return []
        return self.path.read_text().split("\n")[:-1]

    def _check_protocol(self, path: Path, protocol: dict[str, Any]) -> None:
        if path.exists() and self.path.exists():
            try:
                before = json.loads(path.read_text())
            except ValueError as error:
                raise GraphError(f"{path} cannot be read ({error}): choose another --output") from error
            differs = [name for name in protocol if before.get(name) != protocol[name]]
            if differs:
                name = differs[0]
                raise GraphError(
                    f"{self.path} was made with {name} {before.get(name)!r}, now it is {protocol[name]!r}: "
                    "choose another --output, or delete that folder"
                )
        atomic_write_text(path, json.dumps(protocol, indent=1) + "\n")
