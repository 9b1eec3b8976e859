"""What can be chosen about a run of the benchmark."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = ("sim", "engine", "residual", "safety", "data", "executor", "graph")
Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Settings:
    """Measure World2Act against named alternatives. Paths are relative to the repository."""

    only: str = ",".join(SECTIONS)
    """Sections to run, separated by commas: sim, engine, residual, safety, data, executor, graph."""
    out: Path = Path("build/bench.json")
    work: Path = Path("build/bench")
    """Folder for what the benchmark makes for itself: an untrained policy, a few episodes, logs."""
    bundle: Path = Path("models/tabletop-nano")
    """Policy bundle; when there is none, an untrained network of the same size is exported once."""
    dataset: Path = Path("data/tabletop")
    """LeRobot dataset; when there is none, a few episodes are collected once."""
    domain: int | None = None
    """ROS domain of the graph. Default: one derived from the process number, 60 to 99."""
    quick: bool = False
    """A few repetitions of everything: shows that it works, the figures mean little."""

    patience: float = 1.0
    """Factor on every time limit, for a machine that is busy with something else."""

    @property
    def pictures_path(self) -> Path:
        """The sheet that shows fast and stock pictures side by side."""
        return self.out.with_name("bench-pictures.png")

    def pick(self, normal: Number, quick: Number) -> Number:
        """One of two numbers of repetitions."""
        return quick if self.quick else normal

    def to_text(self) -> str:
        """As JSON, for another process."""
        return json.dumps({name: str(v) if isinstance(v, Path) else v for name, v in asdict(self).items()})

    @classmethod
    def from_text(cls, text: str) -> Settings:
        """The inverse of :meth:`to_text`."""
        values = json.loads(text)
        return cls(**{**values, **{name: Path(values[name]) for name in ("out", "work", "bundle", "dataset")}})
