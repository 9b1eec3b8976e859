"""`world2act clear`: clear latched faults, so that the arm may move again."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from world2act.cli.options import check_domain
from world2act.client import GraphClient
from world2act.supervision.session import Session, prepare_environment


@dataclass(frozen=True)
class Clear:
    """Clear latched faults: the arm may move again. Look at the arm first; exits with 0 when nothing is left."""

    domain: int | None = None
    """ROS domain of the graph. Default: ROS_DOMAIN_ID, or 0."""

    def run(self) -> int:
        """Returns the exit status."""
        prepare_environment(check_domain(self.domain))
        console = Console()
        with Session("world2act_clear") as session:
            answers = GraphClient(session).clear_faults()
        for answer in answers:
            if answer.ok:
                text = f"{answer.fault} is cleared" if answer.fault else "had no fault"
            else:
                text = f"{answer.fault} stays: {answer.message}"
            console.print(f"{answer.node}: {text}", markup=False, highlight=False)
        return 0 if all(answer.ok for answer in answers) else 1
