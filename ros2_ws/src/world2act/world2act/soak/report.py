"""What a soak has found: everything that was judged, and what is wrong, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from world2act.errors import GraphError
from world2act.soak.meters import MEMORY
from world2act.soak.settings import Settings
from world2act.soak.table import TIME, Series
from world2act.soak.timing import summarise
from world2act.soak.verdict import Growth, Leak, judge_growth, judge_leak

COUNTED = ("threads", "fds")
WHOLE_GRAPH = ("graph.processes", "graph.shm_files")
SHM_FREE = "machine.shm_free_mib"


@dataclass(frozen=True)
class ProcessFindings:
    """One process: its memory, what it has open, and its mean share of one core [%]."""

    memory: Growth
    counted: Mapping[str, Leak]
    cpu_percent: float

    def problems(self, name: str) -> list[str]:
        """In words."""
        found = []
        if self.memory.failed and self.memory.slope is not None:
            slope = self.memory.slope
            found.append(f"{name}: memory grows by {slope.slope:.2f} MiB/h, its maxima by {slope.ceiling:.2f}")
        for quantity, leak in self.counted.items():
            if leak.failed:
                found.append(f"{name}: {quantity} went from {leak.first:g} to {leak.last:g}")
        return found


@dataclass(frozen=True)
class Findings:
    """Of the samples after the warm-up; the gaps are of the whole time. timing_ms: see `timing.py`.

    graph: what all of it has; gaps_s: the longest time without commands, observations and any progress; sizes_mib: of
    folders in the end; shm_free_mib: the least that was left of the machine's shared memory.
    """

    processes: Mapping[str, ProcessFindings]
    graph: Mapping[str, Leak]
    gaps_s: Mapping[str, float]
    rates_hz: Mapping[str, float]
    timing_ms: Mapping[str, Mapping[str, float]]
    sizes_mib: Mapping[str, float]
    shm_free_mib: float
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "processes": {
                name: {
                    "memory_mib": found.memory.to_dict(),
                    "counted": {quantity: leak.to_dict() for quantity, leak in found.counted.items()},
                    "cpu_percent": found.cpu_percent,
                }
                for name, found in self.processes.items()
            },
            "graph": {name: leak.to_dict() for name, leak in self.graph.items()},
            "longest_gap_s": dict(self.gaps_s),
            "rates_hz": dict(self.rates_hz),
            "timing_ms": {name: dict(values) for name, values in self.timing_ms.items()},
            "sizes_mib": dict(self.sizes_mib),
            "shm_free_mib": self.shm_free_mib,
            "problems": list(self.problems),
        }


def analyse(samples: Series, settings: Settings) -> Findings:
    """Judge the samples. Raises GraphError when there is none after the warm-up."""
    judged = samples[TIME] >= settings.warm_up_s
    if not judged.any():
        raise GraphError(f"there is no sample after the warm-up of {settings.warm_up_s:g} s: nothing to judge")
    late = {name: values[judged] for name, values in samples.items()}
    names = [column.removesuffix(MEMORY) for column in late if column.endswith(MEMORY)]
    processes = {name: _process(name, late, settings) for name in names if np.isfinite(late[name + MEMORY]).any()}
    graph = {name: judge_leak(late[name]) for name in WHOLE_GRAPH}
    gaps = {name: _most(samples[f"{name}.gap_s"]) for name in ("commands", "observations", "progress")}
    rates = {name: float(np.nanmean(late[f"{name}.hz"])) for name in ("commands", "observations")}
    sizes = {name.removesuffix(".size_mib"): float(late[name][-1]) for name in late if name.endswith(".size_mib")}
    problems = [problem for name, found in processes.items() for problem in found.problems(name)]
    problems += [f"no sample of {name}" for name in names if name not in processes]
    problems += [f"{name} went from {leak.first:g} to {leak.last:g}" for name, leak in graph.items() if leak.failed]
    problems += _gap_problems(gaps, settings)
    shm_free_mib = float(np.nanmin(late[SHM_FREE]))
    return Findings(processes, graph, gaps, rates, summarise(late), sizes, shm_free_mib, tuple(problems))


def _gap_problems(gaps_s: Mapping[str, float], settings: Settings) -> list[str]:
    limits = {
        "commands": settings.command_gap_s, "observations": settings.observation_gap_s, "progress": settings.stall_s
    }  # fmt: skip
    return [
        f"no {name} for {gaps_s[name]:.2f} s; at most {limit_s:g} s" for name, limit_s in limits.items()
        if gaps_s[name] > limit_s
    ]  # fmt: skip


def _process(name: str, samples: Series, settings: Settings) -> ProcessFindings:
    memory = judge_growth(samples[TIME], samples[name + MEMORY], settings.growth_mib_per_h)
    counted = {quantity: judge_leak(samples[f"{name}.{quantity}"]) for quantity in COUNTED}
    return ProcessFindings(memory, counted, float(np.nanmean(samples[f"{name}.cpu_percent"])))


def _most(values: NDArray[np.float64]) -> float:
    return float(np.nanmax(values))
