"""`world2act paired-success`: what the safety filter and blending do to success, seed by seed. No graph is started."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from world2act.cli.evaluate import Kind
from world2act.cli.options import check_bundle
from world2act.errors import GraphError
from world2act.graph import DEFAULT_BUNDLE, DEFAULT_SIM_PROFILE

Condition = Literal["lockstep", "stepped", "safe", "unfiltered"]


@dataclass(frozen=True)
class PairedSuccess:
    """Run the same episodes with and without filter and blending, in simulated time; results in runs/paired-success."""

    bundle: Path = Path(DEFAULT_BUNDLE)
    """Folder of the policy bundle."""
    robot: str = DEFAULT_SIM_PROFILE
    """Robot profile of the simulated arm, a name or a path."""
    conditions: tuple[Condition, ...] = ("lockstep", "safe")
    """What is compared, each with the first: lockstep (no filter, no blending), stepped (that with late chunks), safe
    (both, late chunks), unfiltered (blending, late chunks)."""
    kinds: tuple[Kind, ...] = ("pick", "place", "stack", "composite")
    """Kinds of task."""
    episodes: int = 25
    """Episodes per kind; episode i has seed first_seed + i."""
    first_seed: int = 3000
    """Seed of the first episode of every kind."""
    delay: float = 0.15
    """Seconds from a picture to the arrival of its chunk; in lockstep there is none."""
    jitter: float = 0.05
    """Up to this much longer, drawn from the episode's seed."""
    reduced: bool = False
    """Keep to the profile's reduced speed, as in the first run with a bundle."""
    workers: int = 1
    """Processes."""
    output: Path = Path("runs/paired-success")
    """Folder for episodes.jsonl and summary.json; what is there already is not run again."""
    json: Path | None = None
    """Another file for the summary."""

    def run(self) -> int:
        """Returns the exit status, 0: also when success falls."""
        # Imported only now: `world2act --help` needs neither simulator nor engine.
        from world2act.demo.results import environment_facts
        from world2act.paired.log import OutcomeLog
        from world2act.paired.report import report
        from world2act.paired.run import Arm, Job, run_jobs
        from world2act.smooth.late_inference import Timing
        from world2act_core.files import atomic_write_text

        self._check()
        arm = Arm(check_bundle(self.bundle), self.robot, Timing(self.delay, self.jitter), self.reduced)
        protocol = self._protocol()
        log = OutcomeLog(self.output, protocol)
        seeds = range(self.first_seed, self.first_seed + self.episodes)
        # Seed by seed, so that a run that is ended early has whole pairs of every kind.
        jobs = [Job(name, kind, seed) for seed in seeds for kind in self.kinds for name in self.conditions]
        missing = [job for job in jobs if job.key not in log.outcomes]
        console = Console()
        if len(missing) < len(jobs):
            console.print(f"{len(jobs) - len(missing)} of {len(jobs)} episodes are in {log.path} already")
        with _progress(console) as progress:
            task = progress.add_task("episodes", total=len(jobs), completed=len(jobs) - len(missing))
            for outcome in run_jobs(arm, missing, self.workers) if missing else ():
                log.add(outcome)
                progress.advance(task)
        outcomes = [log.outcomes[job.key] for job in jobs]
        figures = report(outcomes, self.conditions)
        content = {
            "protocol": protocol, "first_seed": self.first_seed, "episodes_per_kind": self.episodes,
            "conditions": figures, "environment": environment_facts(),
        }  # fmt: skip
        for path in (self.output / "summary.json", *([self.json] if self.json is not None else [])):
            atomic_write_text(path, json.dumps(content, indent=1) + "\n")
            console.print(f"Written: {path}")
        console.print(_table(figures))
        return 0

    def _check(self) -> None:
        if self.episodes < 1 or self.first_seed < 0:
            text = f"--episodes {self.episodes} --first-seed {self.first_seed}: need episodes >= 1, seed >= 0"
            raise GraphError(text)
        if not (0 <= self.delay <= 5 and 0 <= self.jitter <= 5):
            raise GraphError(f"--delay {self.delay} --jitter {self.jitter}: both must be 0 to 5 s")
        if not 1 <= self.workers <= 64:
            raise GraphError(f"--workers {self.workers}: need 1 to 64")
        for name, given in (("--conditions", self.conditions), ("--kinds", self.kinds)):
            if not given or len(set(given)) < len(given):
                raise GraphError(f"{name} {' '.join(given)}: give at least one, and none twice")

    def _protocol(self) -> dict[str, Any]:
        """What an outcome depends on besides condition, kind and seed. Raises GraphError for an unknown robot."""
        from world2act.commander.parameters import JOINT_COMMANDER
        from world2act_core.files import sha256_file
        from world2act_core.robot.find import find_profile
        from world2act_core.robot.profile import ProfileError

        try:
            profile = find_profile(self.robot)
        except ProfileError as error:
            raise GraphError(f"--robot: {error}") from error
        if profile.command.interface != "joint_trajectory":
            text = (
                f"--robot {self.robot}: it takes {profile.command.interface}, here only joint_trajectory is simulated"
            )
            raise GraphError(text)
        return {
            "bundle": str(self.bundle), "manifest_sha256": sha256_file(self.bundle / "manifest.yaml"),
            "robot": profile.model_dump(mode="json"), "delay_s": self.delay, "jitter_s": self.jitter,
            "reduced": self.reduced,
            "arm_commander": {
                parameter.name: parameter.default
                for parameter in JOINT_COMMANDER
                if isinstance(parameter.default, int | float)
            },
        }  # fmt: skip


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console)


def _table(conditions: dict[str, Any]) -> Table:
    columns = ("kind", "condition", "success", "rate [95 %]", "difference [95 %]", "p", "mean s")
    table = Table(*columns, title="success; differences are to the first condition")
    first = next(iter(conditions))
    for kind in conditions[first]["success"]:
        for name, found in conditions.items():
            figures = found["success"][kind]
            paired = figures.get("against_first")
            table.add_row(
                kind if name == first else "", name, f"{figures['successes']}/{figures['n']}",
                _with_interval(figures["rate"], figures["interval"], ""),
                _with_interval(paired["difference"], paired["interval"], "+") if paired else "",
                f"{paired['p_value']:.3f}" if paired else "", f"{figures['mean_seconds']:.1f}",
            )  # fmt: skip
        table.add_section()
    return table


def _with_interval(value: float, interval: list[float], sign: str) -> str:
    return f"{value:{sign}.3f} ({interval[0]:{sign}.3f} to {interval[1]:{sign}.3f})"
