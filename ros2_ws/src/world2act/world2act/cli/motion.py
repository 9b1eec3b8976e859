"""`world2act motion`: how smooth the arm's commands are, and what that costs in success. No graph is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from world2act.cli.options import check_bundle
from world2act.errors import GraphError
from world2act.graph import DEFAULT_BUNDLE


@dataclass(frozen=True)
class Motion:
    """Run the same episodes with and without blending, delays emulated in simulated time; results in runs/motion."""

    bundle: Path = Path(DEFAULT_BUNDLE)
    """Folder of the policy bundle."""
    episodes: int = 12
    """Episodes per commander: the demonstration's instructions in turn."""
    first_seed: int = 1000
    """Episode i has seed first_seed + i."""
    delay: float = 0.15
    """Seconds from a picture to the arrival of its chunk."""
    jitter: float = 0.05
    """Up to this much longer, drawn from the episode's seed."""
    blend: float = 0.2
    """Shortest duration of a seam (s); 0 switches."""
    seam_acceleration: float = 6.0
    """What a seam may add to the motion's own acceleration (m/s^2)."""
    output: Path = Path("runs/motion")
    """Folder for motion.json and motion.png."""

    def run(self) -> int:
        """Returns the exit status, 0."""
        # Imported only now: `world2act --help` needs neither simulator nor engine.
        from world2act.demo.episodes import INSTRUCTIONS
        from world2act.demo.results import environment_facts
        from world2act.episode import EpisodeRequest
        from world2act.smooth.commanders import commanders
        from world2act.smooth.figure import draw_figure
        from world2act.smooth.late_inference import Timing
        from world2act.smooth.report import report, run_all, write_report
        from world2act_core.bundle import load_bundle
        from world2act_core.motion import Blend
        from world2act_core.policy import BundlePolicy
        from world2act_sim.world import TabletopWorld, WorldConfig

        self._check()
        bundle = load_bundle(check_bundle(self.bundle))
        policy = BundlePolicy(bundle)
        size = policy.contract.cameras[0].width
        world = TabletopWorld(WorldConfig(robot=policy.contract.robot, image_size=size))
        timing, blend = Timing(self.delay, self.jitter), Blend(self.blend, self.seam_acceleration)
        requests = [
            EpisodeRequest(self.first_seed + i, INSTRUCTIONS[i % len(INSTRUCTIONS)]) for i in range(self.episodes)
        ]
        console = Console()
        total = len(requests) * len(commanders(0.01, blend))
        every = run_all(world, policy, requests, timing, blend)
        runs = list(track(every, "episodes", total=total, console=console))
        world.close()
        facts = environment_facts() | {"bundle": str(self.bundle), "manifest_sha256": bundle.sha256}
        content = report(runs, timing, blend, facts)
        write_report(self.output / "motion.json", content)
        draw_figure(self.output / "motion.png", [run for run in runs if run.request == requests[0]])
        console.print(_table(content))
        console.print(f"Written: {self.output / 'motion.json'} and {self.output / 'motion.png'}")
        return 0

    def _check(self) -> None:
        if self.episodes < 1 or self.first_seed < 0:
            raise GraphError(
                f"--episodes {self.episodes} --first-seed {self.first_seed}: need episodes >= 1, seed >= 0"
            )
        if not (0 <= self.delay <= 5 and 0 <= self.jitter <= 5):
            raise GraphError(f"--delay {self.delay} --jitter {self.jitter}: both must be 0 to 5 s")
        if not (0 <= self.blend <= 5 and self.seam_acceleration > 0):
            raise GraphError(
                f"--blend {self.blend} --seam-acceleration {self.seam_acceleration}: need 0 to 5 s and more than 0"
            )


def _table(content: dict[str, object]) -> Table:
    table = Table("commander", "success", "jumps", "peak jerk [m/s³]", "RMS jerk", "arm's RMS jerk", "seconds")
    for name, found in content["commanders"].items():  # type: ignore[attr-defined]
        told, was = found["commanded_linear"], found["measured_linear"]
        success = f"{found['success']['successes']}/{found['success']['n']}"
        jerks = f"{told['peak_jerk']:.0f}", f"{told['rms_jerk']:.1f}", f"{was['rms_jerk']:.1f}"
        table.add_row(name, success, str(told["jumps"]), *jerks, f"{found['seconds']:.1f}")
    return table
