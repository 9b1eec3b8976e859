"""`world2act doctor`: what is here, what is missing, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from world2act.checks import Check, all_checks
from world2act.cli.options import check_domain
from world2act.graph import DEFAULT_BUNDLE
from world2act.supervision.session import prepare_environment

STYLE = {"ok": "green", "warning": "yellow", "missing": "red"}


@dataclass(frozen=True)
class Doctor:
    """Check this machine and say what to do; exits with 0 when nothing that is needed is missing."""

    bundle: Path = Path(DEFAULT_BUNDLE)
    """Bundle to verify."""
    domain: int | None = None
    """ROS domain to look at. Default: ROS_DOMAIN_ID, or 0."""

    def run(self) -> int:
        """Returns the exit status."""
        prepare_environment(check_domain(self.domain))
        console = Console()
        table = Table("", "what", "found", "what to do", box=None, pad_edge=False)
        results: list[Check] = []
        with console.status("checking"):
            for check in all_checks(self.bundle):
                results.append(check)
                table.add_row(f"[{STYLE[check.level]}]{check.level}[/]", check.name, check.found, check.remedy)
        console.print(table)
        missing = [check.name for check in results if check.level == "missing"]
        if missing:
            console.print(f"Missing: {', '.join(missing)}.", style="red")
            return 1
        console.print("Everything that is needed is here.", style="green")
        return 0
