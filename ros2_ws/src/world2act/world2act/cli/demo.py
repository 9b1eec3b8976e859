"""`world2act demo`: start the simulated graph, have it carry out a dozen instructions, leave video and numbers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from world2act.cli.options import check_bundle, check_domain
from world2act.demo.episodes import EPISODES, demo_episodes
from world2act.errors import GraphError
from world2act.graph import DEFAULT_BUNDLE, GraphOptions, build_graph
from world2act.supervision.session import prepare_environment
from world2act.supervision.supervisor import Supervisor

FRAMES_PER_SECOND = 20
"""Pictures come at 10 Hz: the video runs at twice the speed."""


@dataclass(frozen=True)
class Demo:
    """Watch the simulated arm carry out a dozen instructions; results in runs/demo."""

    episodes: int = EPISODES
    """How many episodes."""
    bundle: Path = Path(DEFAULT_BUNDLE)
    """Folder of the policy bundle."""
    realtime: bool = False
    """Follow the wall clock instead of going as fast as the machine allows."""
    domain: int | None = None
    """ROS domain. Default: ROS_DOMAIN_ID, or 0."""
    output: Path = Path("runs/demo")
    """Folder for summary.json, demo.mp4, demo.png and the logs."""

    def run(self) -> int:
        """Returns the exit status: 0 when every episode was run, whether it succeeded or not."""
        if self.episodes < 1:
            raise GraphError(f"--episodes {self.episodes}: run at least one")
        prepare_environment(check_domain(self.domain))
        options = GraphOptions(bundle=check_bundle(self.bundle), lockstep=not self.realtime)
        console = Console()
        began = time.monotonic()
        with Supervisor(build_graph("sim", options), self.output) as supervisor:
            with console.status("starting five nodes") as status:
                supervisor.bring_up(lambda name, state: status.update(f"{name}: {state}"))
            console.print(f"The graph is up after {time.monotonic() - began:.1f} s.")
            self._show(supervisor, options, console)
        console.print(f"{time.monotonic() - began:.0f} s in all. Watch {self.output / 'demo.mp4'}")
        return 0

    def _show(self, supervisor: Supervisor, options: GraphOptions, console: Console) -> None:
        # Imported only now: reading OpenCV and PyAV while five nodes start would slow all of them down.
        from world2act.demo.results import DemoResult, draw_figure, environment_facts, write_summary
        from world2act.demo.show import Show
        from world2act.demo.video import VideoWriter

        with VideoWriter(self.output / "demo.mp4", FRAMES_PER_SECOND) as video:
            show = Show(supervisor, video, options.lockstep, console)
            show.run(demo_episodes(self.episodes))
        seen = show.observer
        result = DemoResult(
            show.results, seen.latencies_ms, seen.inference_ms, options.lockstep, str(self.bundle), seen.bundle_hash,
            environment_facts(),
        )  # fmt: skip
        write_summary(self.output / "summary.json", result)
        draw_figure(self.output / "demo.png", result)
        good = sum(episode.success for episode in show.results)
        console.print(f"{good} of {len(show.results)} episodes succeeded: {self.output / 'summary.json'}")
