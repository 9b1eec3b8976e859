"""`world2act reset --seed N`: put the simulator of a running graph into the initial state of a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rich.console import Console

from world2act.cli.options import check_domain
from world2act.client import GraphClient
from world2act.supervision.session import Session, prepare_environment


@dataclass(frozen=True)
class Reset:
    """Put the simulated table into the initial state of a seed."""

    seed: int
    """0 or more; the same seed gives the same table."""
    instruction: str = ""
    """What is going to be asked for; the objects it needs will be there. Empty: drawn from the seed."""
    kind: Literal["", "pick", "place", "stack", "composite"] = ""
    """Kind of the drawn task."""
    split: str = "seen"
    """Evaluation split."""
    domain: int | None = None
    """ROS domain of the graph. Default: ROS_DOMAIN_ID, or 0."""

    def run(self) -> int:
        """Returns the exit status."""
        prepare_environment(check_domain(self.domain))
        with Session("world2act_reset") as session:
            answer = GraphClient(session).reset(self.seed, self.instruction, self.kind, self.split)
        console = Console()
        console.print(f"On the table: {', '.join(answer.objects)}")
        console.print(f"Task: {answer.instruction}", markup=False)
        return 0
