"""Everything that was measured under one folder, as claims ask for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from training.common.errors import EvaluationError
from training.evaluation.rollout import Episode
from training.evidence.arms import Arm, shared_episodes
from training.evidence.groups import GroupName
from training.evidence.row import Row
from training.evidence.verdict import Rules
from training.recipes.pipeline.records import Records


@dataclass(frozen=True)
class Measurements:
    """The arms and reports of a run of the recipe, and the rules to judge them by."""

    runs: Path
    preset: str
    arms: dict[str, Arm]
    rules: Rules
    outdated: dict[str, str] = field(default_factory=dict)
    """Arms that were measured before something that they are made of was made anew, which do not count, and why."""

    def command(self, *steps: str) -> str:
        """What a person types to have these steps made."""
        usual = self.runs == Path("runs") / f"world2act-{self.preset}"
        out = "" if usual else f" --out {self.runs.as_posix()}"
        return f"python -m training reproduce world2act --preset {self.preset}{out} --only {' '.join(steps)}"

    def shared(self, names: Sequence[str], group: GroupName) -> list[Episode]:
        """Episodes that all the named arms have finished; none when one of them was not measured."""
        if any(name not in self.arms for name in names):
            return []
        return shared_episodes([self.arms[name] for name in names], group)

    def absent(self, names: Sequence[str]) -> str:
        """A note about arms that are missing."""
        missing = [name for name in names if name not in self.arms and name not in self.outdated]
        older = [self.outdated[name] for name in names if name in self.outdated]
        notes = ([f"not measured: {', '.join(missing)}"] if missing else []) + [f"outdated: {why}" for why in older]
        return "; ".join(notes) or "not measured on these episodes"

    def training_time(self, arm: str) -> dict[str, float | None]:
        """How long post-training of an arm took, on the clock and on processors; None where it is not known.

        Only processor time says something of the method: the clock also counts whatever else the machine did.
        """
        record = Records(self.runs).read(f"train-{arm}")
        if record is None or record.state != "finished":
            return {"training_minutes": None, "training_cpu_minutes": None}
        used = record.cpu_seconds
        return {
            "training_minutes": round(record.seconds / 60, 2),
            "training_cpu_minutes": None if used is None else round(used / 60, 2),
        }

    def report(self, step: str, file: str) -> dict[str, Any] | None:
        """A JSON file of some step; None when it is not there, or of results that were made anew since."""
        path = self.runs / file
        if not path.exists() or Records(self.runs).why_outdated(step):
            return None
        try:
            content: dict[str, Any] = json.loads(path.read_text())
        except ValueError as error:
            raise EvaluationError(f"cannot read {path}: {error}; make it again") from error
        return content

    def no_report(self, step: str, file: str) -> str:
        """A note about a report that :meth:`report` does not give."""
        why = Records(self.runs).why_outdated(step) if (self.runs / file).exists() else ""
        return f"outdated: {why}" if why else f"{file} is not there"


class Claim(Protocol):
    """Anything that gives a row of evidence; one without numbers when its measurements are not there."""

    @property
    def claim(self) -> str:
        """In words."""
        ...

    def judge(self, measured: Measurements) -> Row:
        """The row."""
        ...
