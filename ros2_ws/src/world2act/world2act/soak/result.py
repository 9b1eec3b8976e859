"""The result of a soak: for a file, and for people."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.table import Table

from world2act.soak.leftovers import Leftovers
from world2act.soak.report import analyse
from world2act.soak.settings import Settings
from world2act.soak.table import Series

ENOUGH_INSTRUCTIONS = 10
"""Of so many one should succeed."""
COLUMNS = (
    "process", "own memory [MiB]", "MiB/h", "95 % interval", "of maxima", "Theil-Sen", "floor", "memory",
    "threads", "fds", "CPU",
)  # fmt: skip


@dataclass(frozen=True)
class Paths:
    """Where everything is written."""

    json: Path
    csv: Path
    plot: Path


@dataclass(frozen=True)
class Ending:
    """How the work ended: after how long, whether somebody ended it, why the graph did ("": it did not), what was done
    (`Counts`), and what was left."""

    seconds: float
    interrupted: bool
    problem: str
    counts: Mapping[str, Any]
    leftovers: Leftovers


def result(ending: Ending, samples: Series, settings: Settings, bundle: str) -> dict[str, Any]:
    """Everything as plain values; `problems` is empty when nothing grew, leaked, stalled or was left."""
    findings = analyse(samples, settings)
    problems = [*_work_problems(ending), *findings.problems, *ending.leftovers.problems]
    return {
        "seconds": ending.seconds,
        "interrupted": ending.interrupted,
        "problems": problems,
        "settings": asdict(settings),
        "bundle": Path(bundle).name,
        "machine": {
            "system": f"{platform.system()} {platform.release()}", "python": platform.python_version(),
            "cores": psutil.cpu_count(), "memory_mib": psutil.virtual_memory().total >> 20,
        },
        "work": dict(ending.counts),
        "leftovers": asdict(ending.leftovers),
        **{name: value for name, value in findings.to_dict().items() if name != "problems"},
    }  # fmt: skip


def _work_problems(ending: Ending) -> list[str]:
    """What went wrong with the work itself, in words."""
    counts = ending.counts
    found = [ending.problem] if ending.problem else []
    found += [f"{name} was lost and started again {times} times" for name, times in counts["restarts"].items()]
    if counts["problem_count"]:
        found.append(f"{counts['problem_count']} steps went wrong; the newest: {counts['problems'][-1]}")
    if counts["instructions"] >= ENOUGH_INSTRUCTIONS and not counts["succeeded"]:
        found.append(f"none of {counts['instructions']} instructions was carried out: this was no operation")
    return found


def summary(found: Mapping[str, Any]) -> Table:
    """One line per process."""
    table = Table(*COLUMNS)
    for name, process in found["processes"].items():
        memory, counted = process["memory_mib"], process["counted"]
        slope = memory["slope"]
        shown = ("", "", "", "", "")
        if slope is not None:
            interval = f"{slope['low']:+.2f} to {slope['high']:+.2f}"
            maxima = f"{slope['ceiling_low']:+.2f} to {slope['ceiling_high']:+.2f}"
            shown = (f"{slope['slope']:+.2f}", interval, maxima, f"{slope['theil_sen']:+.2f}", f"{slope['floor']:+.2f}")
        table.add_row(
            name, f"{memory['first_mib']:.1f} to {memory['last_mib']:.1f}", *shown, memory["verdict"],
            *(f"{leak['first']:g} to {leak['last']:g}" for leak in counted.values()),
            f"{process['cpu_percent']:.0f} %",
        )  # fmt: skip
    return table


def story(found: Mapping[str, Any]) -> list[str]:
    """What was done and said, in a few lines."""
    work, gaps, rates = found["work"], found["longest_gap_s"], found["rates_hz"]
    return [
        f"{work['instructions']} instructions: {work['succeeded']} done ({work['achieved']} says the simulator), "
        f"{work['cancelled']} cancelled, {work['e_stops']} e-stops; failed: {_named(work['failed'])}",
        f"{work['holds']} holds under way, {work['clears']} clears; faults: {_named(work['faults'])}",
        *(f"{name}: {rates[name]:.1f} Hz, longest gap {gaps[name]:.3f} s" for name in rates),
        *(
            f"{name}: median {values['median']:.2f} ms, at most {values['most']:.2f} ms"
            for name, values in found["timing_ms"].items()
        ),
        f"longest time without progress {gaps['progress']:.1f} s",
        *(f"{name}: {leak['first']:g} to {leak['last']:g}" for name, leak in found["graph"].items()),
        ", ".join(f"{name}: {size:.1f} MiB" for name, size in found["sizes_mib"].items()),
    ]


def conclusion(found: Mapping[str, Any]) -> list[str]:
    """What is wrong; one line that says what is not when nothing is."""
    if found["problems"]:
        return list(found["problems"])
    verdicts = {process["memory_mib"]["verdict"] for process in found["processes"].values()}
    if "too short" in verdicts:
        return ["no leak, no stall, nothing left; too short a time to judge the growth of memory"]
    return ["no growth, no leak, no stall, nothing left"]


def _named(counts: Mapping[str, int]) -> str:
    most_first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in most_first) or "none"
