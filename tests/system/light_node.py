"""A node that starts in a moment and does nothing but live: what supervision is tested with, as a real process.

One that is called `arm_commander` also takes `set_hold` and says on `arm_command` whether it holds. Text on the topic
`<name>/order` makes it misbehave: "exit", or "refuse" (the next configuration is refused).
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from std_msgs.msg import String

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.errors import ConfigurationError
from world2act.graph import GraphSpec, NodeSpec, graph_environment
from world2act.parameters import Parameter
from world2act.runner import run_node
from world2act_interfaces.msg import ArmCommand
from world2act_interfaces.srv import SetHold

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class LightNodeSpec(NodeSpec):
    """A node of this file."""

    @property
    def module(self) -> str:
        """This file."""
        return "tests.system.light_node"


def light_graph(*names: str, refuse: Path | None = None) -> GraphSpec:
    """A graph of light nodes; while the file `refuse` is there, the last of them refuses to be configured."""
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    specs = [LightNodeSpec(name, "light", {"health_period": 0.2}, environment) for name in names]
    if refuse is not None:
        last = specs[-1]
        specs[-1] = LightNodeSpec(last.name, "light", {**last.parameters, "refuse": str(refuse)}, environment)
    return GraphSpec("real", tuple(specs), graph_environment())


class LightNode(ManagedNode):
    """Lives; holds when asked to."""

    PARAMETERS = (Parameter("refuse", "", "While this file is there, the node refuses to be configured"),)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("light", **kwargs)

    def setup(self) -> None:
        """Refuse, or be what the name says."""
        path = self.values.text("refuse")
        if path and os.path.exists(path):
            raise ConfigurationError(f"{path} is there", "remove it")
        self._log = self.create_publisher(String, "calls", topics.latched(10))
        if self.get_name() == "arm_commander":
            self._reason = ""
            self._commands = self.publisher(ArmCommand, topics.ARM_COMMAND, topics.reliable(1))
            service = self.create_service(SetHold, topics.SET_HOLD, self._on_set_hold)
            self.own(lambda: self.destroy_service(service))
            self.every(0.02, self._command)

    def stop(self) -> None:
        """Say so."""
        self._log.publish(String(data=f"{self.get_name()} stop"))

    def _on_set_hold(self, request: SetHold.Request, response: SetHold.Response) -> SetHold.Response:
        self._log.publish(String(data=f"{self.get_name()} {'hold' if request.hold else 'release'}"))
        self._reason = request.reason if request.hold else ""
        response.ok = self.active
        return response

    def _command(self) -> None:
        self._commands.publish(ArmCommand(holding=bool(self._reason), hold_reason=self._reason))


if __name__ == "__main__":
    sys.exit(run_node(LightNode))
