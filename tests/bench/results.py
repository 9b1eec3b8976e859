"""What a benchmark says: rows (ratios), checks (equalities) and stages (where the time goes), and their JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from world2act_core.files import atomic_write_text

Better = Literal["higher", "lower"]


class BenchError(RuntimeError):
    """A section could not be measured; the text says why and what to do."""


@dataclass(frozen=True)
class Row:
    """One comparison.

    ours, theirs: medians in `unit` (or the percentile that the name says). better: which direction is good.
    spread_ours, spread_theirs: quartiles [q25, q75] in `unit`. ratio_quartiles: of the ratios round by round.
    target: in words; met: whether it was reached, None when there is no target. facts: whatever else belongs to it.
    """

    name: str
    alternative: str
    unit: str
    ours: float
    theirs: float
    better: Better
    n_ours: int
    n_theirs: int
    spread_ours: tuple[float, float]
    spread_theirs: tuple[float, float]
    ratio_quartiles: tuple[float, float] | None = None
    target: str = ""
    met: bool | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """How many times better ours is: above 1 is better, whatever the unit."""
        return self.ours / self.theirs if self.better == "higher" else self.theirs / self.ours

    def as_dict(self) -> dict[str, Any]:
        """For JSON, the ratio included."""
        return {**asdict(self), "ratio": self.ratio, "n": min(self.n_ours, self.n_theirs)}


@dataclass(frozen=True)
class Check:
    """Something that must hold for the rows to mean anything, for instance equal output."""

    name: str
    value: float
    unit: str
    target: str
    met: bool


@dataclass(frozen=True)
class Stage:
    """A part of something that was measured: median milliseconds, and its share of the whole (0 to 1)."""

    of: str
    name: str
    ms: float
    share: float | None = None


@dataclass
class Section:
    """Everything one section found. notes: what a reader must know to judge the figures. error: why it failed."""

    name: str
    rows: list[Row] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    def save(self, path: Path) -> None:
        """Write as JSON; :meth:`load` reads it back."""
        atomic_write_text(path, json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> Section:
        """Read what :meth:`save` wrote."""
        content = json.loads(path.read_text())
        content["rows"] = [Row(**_with_tuples(row)) for row in content["rows"]]
        content["checks"] = [Check(**check) for check in content["checks"]]
        content["stages"] = [Stage(**stage) for stage in content["stages"]]
        return cls(**content)


def _with_tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


def bench_json(sections: list[Section], environment: dict[str, Any]) -> str:
    """The content of build/bench.json."""
    content = {
        "environment": environment,
        "rows": [{"section": section.name, **row.as_dict()} for section in sections for row in section.rows],
        "checks": [{"section": section.name, **asdict(check)} for section in sections for check in section.checks],
        "stages": [{"section": section.name, **asdict(stage)} for section in sections for stage in section.stages],
        "sections": [
            {"name": s.name, "seconds": round(s.seconds, 1), "error": s.error, "notes": s.notes} for s in sections
        ],
    }
    return json.dumps(content, indent=2) + "\n"
