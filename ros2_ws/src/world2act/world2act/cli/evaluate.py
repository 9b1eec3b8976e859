"""`world2act evaluate`: success through the whole graph, over the same seeds as the in-process evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import track

from world2act.cli.options import check_bundle, check_codes, check_domain
from world2act.errors import GraphError
from world2act.graph import DEFAULT_BUNDLE, GraphOptions, build_graph
from world2act.supervision.session import prepare_environment
from world2act.supervision.supervisor import Supervisor
from world2act_core.manifest import ResidualChoice

Kind = Literal["pick", "place", "stack", "composite"]


@dataclass(frozen=True)
class Evaluate:
    """Measure a bundle through the whole graph, in lockstep, over fixed seeds; results in runs/graph-evaluation."""

    bundle: Path = Path(DEFAULT_BUNDLE)
    """Folder of the policy bundle."""
    kinds: tuple[Kind, ...] = ("pick", "place", "stack", "composite")
    """Kinds of task."""
    episodes: int = 25
    """Episodes per kind; episode i has seed first_seed + i."""
    first_seed: int = 0
    """As `python -m training evaluate` counts."""
    split: str = "seen"
    """Evaluation split of the simulator."""
    repeat: int = 0
    """Run this many episodes of each kind a second time and compare every picture and command bit for bit."""
    compare: Path | None = None
    """episodes.jsonl of `python -m training evaluate --rollout.prompts planner`: adds a paired test per kind."""
    residual: ResidualChoice = "auto"
    """Whether the bundle's residual corrects the policy; auto: as the bundle says."""
    imagined_codes: Path | None = None
    """What a world model imagined from the same initial states, for the alignment score (default: the bundle's own)."""
    monitor: Literal["auto", "off", "warn", "retry"] = "auto"
    """What an alarm of the bundle's monitor does; see `world2act up`."""
    domain: int | None = None
    """ROS domain. Default: ROS_DOMAIN_ID, or 0."""
    output: Path = Path("runs/graph-evaluation")
    """Folder for evaluation.json and the logs."""

    def run(self) -> int:
        """Returns the exit status: 1 when a repeated episode was not identical."""
        if self.episodes < 1 or not 0 <= self.repeat <= self.episodes:
            raise GraphError(
                f"--episodes {self.episodes} --repeat {self.repeat}: need episodes >= 1, repeat <= episodes"
            )
        if self.compare is not None and not self.compare.is_file():
            raise GraphError(f"--compare {self.compare}: no such file; make it with `python -m training evaluate`")
        prepare_environment(check_domain(self.domain))
        console = Console()
        options = GraphOptions(
            bundle=check_bundle(self.bundle), lockstep=True, monitor=self.monitor, residual=self.residual,
            imagined_codes=check_codes(self.imagined_codes),
        )  # fmt: skip
        with Supervisor(build_graph("sim", options), self.output) as supervisor:
            with console.status("starting five nodes") as status:
                supervisor.bring_up(lambda name, state: status.update(f"{name}: {state}"))
            # Imported only now: reading OpenCV while five nodes start would slow all of them down.
            from world2act.demo.measure import GraphMeasurement, write_evaluation

            measurement = GraphMeasurement(supervisor, self.split)
            wanted = [(kind, self.first_seed + i) for kind in self.kinds for i in range(self.episodes)]
            episodes = [
                measurement.run(kind, seed) for kind, seed in track(wanted, "episodes", console=console, transient=True)
            ]
            again = [episode for episode in episodes if episode.seed < self.first_seed + self.repeat]
            differing = [e for e in again if measurement.run(e.kind, e.seed).trajectory_sha256 != e.trajectory_sha256]
            report = write_evaluation(self.output / "evaluation.json", episodes, again, differing, self, measurement)
        for line in report:
            console.print(line, markup=False, highlight=False)
        return 1 if differing else 0
