"""`world2act soak`: let a simulated graph work for hours, and see whether anything grows, leaks or stalls."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from world2act.cli.options import check_bundle, check_domain
from world2act.errors import GraphError
from world2act.graph import DEFAULT_BUNDLE, DEFAULT_SIM_PROFILE, GraphOptions, build_graph
from world2act.soak.figure import draw_figure
from world2act.soak.leftovers import find_leftovers, look_before
from world2act.soak.result import Ending, Paths, conclusion, result, story, summary
from world2act.soak.run import RECORDINGS, SoakRun, clock
from world2act.soak.sampler import columns
from world2act.soak.settings import WARM_UP_SHARE, Settings
from world2act.soak.table import SampleWriter, Series, read_samples
from world2act.supervision.interrupts import EXIT_INTERRUPTED, uninterrupted
from world2act.supervision.session import prepare_environment
from world2act.supervision.supervisor import Supervisor, run_folder
from world2act_core.files import atomic_write_text

LONGEST_WARM_UP_S = 600.0
TABLE_WIDTH = 148


@dataclass(frozen=True)
class Soak:
    """Let a simulated graph work for hours; exits with 0 when nothing grew, leaked or stalled. Ctrl-C ends it early."""

    bundle: Path = Path(DEFAULT_BUNDLE)
    """Folder of the policy bundle."""
    hours: float = 0.0
    """How long, in hours; added to --minutes. Neither given: two hours."""
    minutes: float = 0.0
    """How long, in minutes."""
    warm_up: float | None = None
    """Minutes at the beginning that are not judged. Default: a fifth of the time, at most ten."""
    sample: float = 10.0
    """Seconds between two samples."""
    record: Literal["on", "off"] = "on"
    """Whether the recorder works too; only its newest recordings are kept."""
    keep: int = 10
    """So many episodes, and as many saved ring buffers, are kept."""
    output: Path | None = None
    """Folder for everything below (default: a new one in runs/)."""
    json: Path | None = None
    """File for the result (default: soak.json in the folder)."""
    csv: Path | None = None
    """File for the samples, written as they come (default: samples.csv in the folder)."""
    plot: Path | None = None
    """File for the picture (default: soak.png in the folder)."""
    seed: int = 0
    """Seed of the first episode."""
    domain: int | None = None
    """ROS domain, 0 to 101. Default: ROS_DOMAIN_ID, or 0."""

    def run(self) -> int:
        """Returns the exit status."""
        bundle = check_bundle(self.bundle)
        settings = self._settings()
        prepare_environment(check_domain(self.domain))
        folder = (self.output or run_folder()).absolute()
        paths = Paths(
            self.json or folder / "soak.json", self.csv or folder / "samples.csv", self.plot or folder / "soak.png"
        )
        console = Console()
        ending = self._work(bundle, settings, folder, paths, console)
        settings = settings.ended_after(ending.seconds)
        with uninterrupted():
            samples = read_samples(paths.csv)
            found = result(ending, samples, settings, bundle)
            atomic_write_text(paths.json, json.dumps(found, indent=1))
            drawn = self._draw(paths.plot, samples, settings)
        Console(width=max(console.width, TABLE_WIDTH)).print(summary(found))
        for line in story(found):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        style = "red" if found["problems"] else "green"
        for line in conclusion(found):
            console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
        console.print(f"Written: {paths.json}, {paths.csv}{drawn}", highlight=False, soft_wrap=True)
        if ending.interrupted:
            return EXIT_INTERRUPTED
        return 1 if found["problems"] else 0

    def _draw(self, path: Path, samples: Series, settings: Settings) -> str:
        """The picture, unless what draws it is missing: nobody loses two hours' work to that. What to say about it."""
        try:
            draw_figure(path, samples, settings.warm_up_s)
        except ImportError:
            return "; no picture: matplotlib is not installed (pip install matplotlib)"
        return f", {path}"

    def _settings(self) -> Settings:
        """Everything that was chosen, checked. Raises GraphError."""
        seconds = 3600.0 * self.hours + 60.0 * self.minutes or 7200.0
        if self.hours < 0 or self.minutes < 0 or not 1.0 <= seconds <= 30 * 86400.0:
            raise GraphError(f"--hours {self.hours:g} --minutes {self.minutes:g}: give a second to 30 days together")
        warm_up_s = min(LONGEST_WARM_UP_S, WARM_UP_SHARE * seconds) if self.warm_up is None else 60.0 * self.warm_up
        if not 0 <= warm_up_s < seconds:
            raise GraphError(f"--warm-up {self.warm_up:g}: give minutes from 0 to less than the whole time")
        if not 0.2 <= self.sample <= seconds / 4:
            raise GraphError(f"--sample {self.sample:g}: give 0.2 s to a quarter of the whole time, {seconds / 4:g} s")
        if self.keep < 1 or self.seed < 0:
            raise GraphError(f"--keep {self.keep} --seed {self.seed}: need keep >= 1 and seed >= 0")
        return Settings(seconds, self.sample, warm_up_s, seed=self.seed, keep=self.keep)

    def _work(self, bundle: str, settings: Settings, folder: Path, paths: Paths, console: Console) -> Ending:
        """Bring the graph up, work it, end it, and look at what is left."""

        def tell(text: str) -> None:
            console.print(text, markup=False, highlight=False, soft_wrap=True)

        folders = {"log": folder / "log"} | ({RECORDINGS: folder / RECORDINGS} if self.record == "on" else {})
        options = GraphOptions(
            bundle=bundle, profile=DEFAULT_SIM_PROFILE, reduced="never", seed=self.seed,
            record=str(folders.get(RECORDINGS, "")),
        )  # fmt: skip
        spec = build_graph("sim", options)
        names = tuple(node.name for node in spec.nodes)
        before, soak, interrupted = look_before(), None, False
        with SampleWriter(paths.csv, columns(names, folders)) as table:
            try:
                with Supervisor(spec, folder) as supervisor:
                    supervisor.bring_up(lambda name, state: tell(f"  {name:<15} {state}"))
                    soak = SoakRun(supervisor, settings, table, folders, before.shm_files, tell)
                    tell(f"Works for {clock(settings.seconds)}; samples in {paths.csv}   (Ctrl-C ends it early)")
                    soak.run()
            except KeyboardInterrupt:
                interrupted = True
        if soak is None:
            raise KeyboardInterrupt
        sampler = soak.sampler
        leftovers = find_leftovers(before, sampler.processes_seen, sampler.shm_seen)
        return Ending(soak.seconds, interrupted, soak.problem, soak.counts.to_dict(), leftovers)
