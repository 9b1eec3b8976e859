"""`world2act set vla_policy residual off`: change a parameter of a node that runs."""

from __future__ import annotations

from dataclasses import dataclass

import tyro
import yaml
from rich.console import Console

from world2act.cli.options import check_domain
from world2act.client import GraphClient
from world2act.supervision.session import Session, prepare_environment


@dataclass(frozen=True)
class Set:
    """Change a live parameter of a running node."""

    node: tyro.conf.Positional[str]
    """Which node, as vla_policy."""
    parameter: tyro.conf.Positional[str]
    """Which parameter, as residual."""
    value: tyro.conf.Positional[str]
    """Its new value: on, off, a number or a text."""
    domain: int | None = None
    """ROS domain of the graph. Default: ROS_DOMAIN_ID, or 0."""

    def run(self) -> int:
        """Returns the exit status."""
        prepare_environment(check_domain(self.domain))
        value = parse(self.value)
        with Session("world2act_set") as session:
            GraphClient(session).set_parameter(self.node, self.parameter, value)
        Console().print(f"{self.node}: {self.parameter} is {value!r} now", markup=False, highlight=False)
        return 0


def parse(text: str) -> bool | int | float | str:
    """A value as YAML reads it ("off" is false, "3" a number); whatever is neither is a text."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, bool | int | float | str) else text
