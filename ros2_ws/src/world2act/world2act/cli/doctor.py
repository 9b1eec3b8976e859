"""`world2act doctor`: what is here, what is missing, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from world2act.checks import Check, LanguageModel, all_checks
from world2act.cli.options import check_domain
from world2act.graph import DEFAULT_BUNDLE, DEFAULT_LLM_BASE_URL
from world2act.supervision.session import prepare_environment

STYLE = {"ok": "green", "warning": "yellow", "missing": "red"}


@dataclass(frozen=True)
class Doctor:
    """Check this machine and say what to do; exits with 0 when nothing that is needed is missing."""

    bundle: Path = Path(DEFAULT_BUNDLE)
    """Bundle to verify, and to compare with the robot."""
    robot: str = ""
    """Also check a live graph against this robot's profile: its name, or the path of its file."""
    domain: int | None = None
    """ROS domain to look at. Default: ROS_DOMAIN_ID, or 0."""
    llm_base_url: str = ""
    """Also look at the language model that is to plan: the server's address, up to /v1."""
    llm_model: str = ""
    """Name of the model there."""
    llm_api_key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds its key; the key itself is never shown."""

    def run(self) -> int:
        """Returns the exit status."""
        prepare_environment(check_domain(self.domain))
        console = Console()
        table = Table("", "what", "found", "what to do", box=None, pad_edge=False)
        results: list[Check] = []
        with console.status("checking"):
            for check in self._checks():
                results.append(check)
                level = f"[{STYLE[check.level]}]{check.level}[/]"
                # What was found may be anybody's words, and brackets in them mean nothing.
                table.add_row(level, check.name, escape(check.found), escape(check.remedy))
        console.print(table)
        missing = [check.name for check in results if check.level == "missing"]
        if missing:
            console.print(f"Missing: {', '.join(dict.fromkeys(missing))}.", style="red")
            return 1
        doubtful = [check.name for check in results if check.level == "warning"]
        also = f" Look at the warnings: {', '.join(dict.fromkeys(doubtful))}." if doubtful else ""
        console.print(f"Everything that is needed is here.{also}", style="green")
        return 0

    def _checks(self) -> Iterator[Check]:
        yield from all_checks(self.bundle, self._language_model())
        if self.robot:
            from world2act.robot_doctor.checks import robot_checks

            yield from robot_checks(self.robot, self.bundle)

    def _language_model(self) -> LanguageModel | None:
        if not (self.llm_base_url or self.llm_model):
            return None
        return LanguageModel(self.llm_base_url or DEFAULT_LLM_BASE_URL, self.llm_model, self.llm_api_key_variable)
