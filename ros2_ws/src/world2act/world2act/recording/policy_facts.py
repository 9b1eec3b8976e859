"""What vla_policy's chunks depend on besides the bundle, asked of it when an episode begins."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python

PARAMETERS = (
    "lockstep", "provider", "threads", "residual", "residual_graph", "imagined_codes", "imagined_start",
)  # fmt: skip


class PolicyFacts:
    """A client of vla_policy's parameters. Nothing waits for its answer, and there may be none."""

    def __init__(self, node: Node) -> None:
        self._client = node.create_client(GetParameters, "vla_policy/get_parameters")
        self.destroy = partial(node.destroy_client, self._client)

    def ask(self, then: Callable[[dict[str, str]], None]) -> None:
        """Call `then` with parameter -> value (JSON) when vla_policy answers."""

        def answered(future: Any) -> None:
            if future.result() is not None:
                values = (parameter_value_to_python(value) for value in future.result().values)
                then({name: json.dumps(value) for name, value in zip(PARAMETERS, values)})

        if self._client.service_is_ready():
            self._client.call_async(GetParameters.Request(names=list(PARAMETERS))).add_done_callback(answered)
