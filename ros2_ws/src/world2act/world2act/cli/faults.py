"""`world2act faults`: break things on purpose while a simulated arm moves, and see what the arm does."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from world2act.cli.options import check_bundle, check_domain
from world2act.commander.thresholds import Number, default_numbers
from world2act.errors import GraphError
from world2act.faults.bench import Bench
from world2act.faults.fault import Fault, Result
from world2act.faults.language_model import MODEL, TIMEOUT_S, LanguageModel
from world2act.faults.matrix import FAULTS
from world2act.faults.run import run_fault
from world2act.faults.scratch import copy_of, scratch_folder
from world2act.graph import DEFAULT_BUNDLE, DEFAULT_SIM_PROFILE, GraphOptions, GraphSpec, build_graph
from world2act.supervision.session import prepare_environment
from world2act.supervision.supervisor import Supervisor, run_folder
from world2act_core.files import atomic_write_text
from world2act_core.robot.find import find_profile

DISK_MIB = 256
"""Room for what one row records (three episodes, two saved minutes of 37 MB) beside what is kept of the rows before
(faults.recordings.KEEP_BYTES), so that this disk is full only when it is made full."""

MOST_FACTOR = 10.0
"""A fault is there for 1.5 s: with more patience nothing could come too late."""


@dataclass(frozen=True)
class Faults:
    """Break things on purpose while a simulated arm moves; exits with 0 when every fault was survived."""

    bundle: Path = Path(DEFAULT_BUNDLE)
    """Folder of the policy bundle; a copy of it is damaged, not this one."""
    short: bool = False
    """A few faults instead of all; with --only, those of them that are named."""
    only: tuple[str, ...] = ()
    """Names of faults to make, all by default."""
    json: Path | None = None
    """File for the table."""
    patience: float = 1.0
    """The arm may take this many times as long to hold; above 1 for a machine that has other work."""
    timeouts: float = 1.0
    """The graph waits this many times as long for pictures, joint states and nodes; the same."""
    seed: int = 0
    """Seed of the first episode."""
    domain: int | None = None
    """ROS domain, 0 to 101. Default: ROS_DOMAIN_ID, or 0."""

    def run(self) -> int:
        """Returns the exit status."""
        bundle = Path(check_bundle(self.bundle))
        chosen = self._chosen()
        for option, factor in (("--patience", self.patience), ("--timeouts", self.timeouts)):
            if not 1.0 <= factor <= MOST_FACTOR:
                raise GraphError(f"{option} {factor:g}: give 1 to {MOST_FACTOR:g}")
        prepare_environment(check_domain(self.domain))
        console = Console()
        results: list[Result] = []
        with scratch_folder() as folder, small_disk(folder) as disk:
            results = self._run_all(chosen, copy_of(bundle, folder), disk, console)
        console.print(table(results))
        survived = sum(result.survived for result in results)
        console.print(f"{survived} of {len(results)} survived")
        if self.json is not None:
            rows = [asdict(result) for result in results]
            found = {
                "command": "world2act faults", "cores": os.cpu_count(), "patience": self.patience,
                "timeouts": self.timeouts, "faults": rows,
            }  # fmt: skip
            atomic_write_text(self.json, json.dumps(found, indent=1) + "\n")
        return 0 if survived == len(chosen) else 1

    def _chosen(self) -> list[Fault]:
        unknown = [name for name in self.only if name not in {fault.name for fault in FAULTS}]
        if unknown:
            raise GraphError(f"--only {unknown[0]!r}: there are: {', '.join(fault.name for fault in FAULTS)}")
        wanted = [fault for fault in FAULTS if not self.only or fault.name in self.only]
        chosen = [fault for fault in wanted if fault.in_short or not self.short]
        if not chosen:
            short = ", ".join(fault.name for fault in FAULTS if fault.in_short)
            raise GraphError(
                f"--short has none of --only {', '.join(map(repr, self.only))}: leave --short out, or name some of "
                f"these: {short}"
            )
        return chosen

    def _run_all(self, chosen: list[Fault], bundle: Path, disk: Path, console: Console) -> list[Result]:
        results = []
        with LanguageModel() as llm, Supervisor(_graph(bundle, disk, llm, self.timeouts), run_folder()) as supervisor:
            supervisor.bring_up(lambda name, state: console.print(f"  {name:<15} {state}"))
            bench = Bench(supervisor, self.seed, lambda name, text: None, llm)
            for fault in chosen:
                console.print(f"{fault.name}: {fault.what} ...", end=" ")
                try:
                    results.append(run_fault(bench, fault, self.patience))
                except GraphError as error:
                    console.print(str(error), markup=False)
                    break
                console.print(results[-1].problem or "survived", markup=False)
        return results


def _graph(bundle: Path, disk: Path, llm: LanguageModel, timeouts: float) -> GraphSpec:
    options = GraphOptions(
        bundle=str(bundle), profile=DEFAULT_SIM_PROFILE, reduced="never", record=str(disk),
        planner="llm", llm_base_url=llm.base_url, llm_model=MODEL, llm_timeout=TIMEOUT_S,
    )  # fmt: skip
    graph = build_graph("sim", options).with_parameters("recorder", min_free=0)
    return with_timeouts(graph, default_numbers(find_profile(DEFAULT_SIM_PROFILE)), timeouts)


def with_timeouts(graph: GraphSpec, usual: Number, factor: float) -> GraphSpec:
    """The graph, waiting `factor` times as long until something is missing or too old.

    usual: what arm_commander waits by its profile, by the names of its parameters [s].
    """
    ages = {name: factor * usual(name) for name in ("stale_observation", "stale_state", "peer_timeout")}
    inputs = graph.node("camera_ingest").parameters["input_timeout"]
    assert isinstance(inputs, float)
    graph = graph.with_parameters("arm_commander", **ages)
    return graph.with_parameters("camera_ingest", input_timeout=factor * inputs)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of DISK_MIB for recordings, so that it can be full; a plain folder when this user may not mount one."""
    disk = folder / "recordings"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    try:
        yield disk
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", str(disk)], capture_output=True, check=False)


def table(results: list[Result]) -> Table:
    """The matrix for people."""
    shown = Table("fault", "survived", "hold [ms]", "at rest [ms]", "reason", "problem")
    for result in results:
        shown.add_row(
            result.name, "yes" if result.survived else "NO", _ms(result.hold_ms), _ms(result.rest_ms), result.reason,
            result.problem,
        )  # fmt: skip
    return shown


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
