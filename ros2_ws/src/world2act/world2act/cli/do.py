"""`world2act do "..."`: have a running graph carry out an instruction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import tyro
from rich.console import Console

from world2act.cli.options import check_domain
from world2act.client import GraphClient
from world2act.supervision.session import Session, prepare_environment


@dataclass(frozen=True)
class Do:
    """Carry out an instruction with the graph that is running; exits with 0 only when every skill was done."""

    instruction: tyro.conf.Positional[str]
    """Plain language: "put the can in the bin, then stack the red cube on the green one"."""
    domain: int | None = None
    """ROS domain of the graph. Default: ROS_DOMAIN_ID, or 0."""
    timeout: float = 0.0
    """Give up after this many seconds; 0: each skill has its own limit."""

    def run(self) -> int:
        """Returns the exit status."""
        prepare_environment(check_domain(self.domain))
        console = Console()
        with Session("world2act_do") as session, console.status("looking for the graph") as status:

            def show(feedback: Any) -> None:
                where = f"skill {feedback.skill_index + 1} of {feedback.skills_total}"
                done = f"done {feedback.progress:.0%}"
                watched = "" if math.isnan(feedback.score) else f", score {feedback.score:.2f}"
                watched += f", retry {feedback.retries}" if feedback.retries else ""
                status.update(f"{where}: {feedback.prompt}  ({done}, {feedback.elapsed_seconds:.1f} s{watched})")

            outcome = GraphClient(session).execute(self.instruction, show, timeout_s=self.timeout)
        if outcome.success:
            console.print(f"Done: {outcome.skills_total} skill(s) in {outcome.seconds:.1f} s.", style="green")
            return 0
        console.print(f"{outcome.error}: {outcome.message}", style="red", highlight=False, markup=False)
        if outcome.skills_total:
            console.print(f"{outcome.skills_completed} of {outcome.skills_total} skills were done.")
        return 1
