"""Publishers that faults can be injected into; without a request they only publish."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import SetParametersResult

from world2act.errors import ConfigurationError
from world2act.parameters import Parameter
from world2act.simulation.fault_injection import Fault, FaultRequestError, FaultyStream, parse_faults
from world2act_sim.world import CAMERAS

INJECT = Parameter(
    "inject",
    "",
    "What goes wrong, for tests: scene=frozen, joint_states=delayed:0.5 and the like; empty: nothing",
    live=True,
)


class FaultRequest:
    """The live parameter `inject`, read again whenever it has changed.

    read: gives its present text. changed_s: since when what it gives is in force [wall clock, s]; 0: from the start.
    Raises ConfigurationError when the text that the node starts with is wrong.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._text = ""
        self._faults: dict[str, Fault] = {}
        self.changed_s = 0.0
        try:
            self.of("")
        except FaultRequestError as error:
            raise ConfigurationError(f"parameter inject: {error}", "correct it, or leave it empty") from error
        self.changed_s = 0.0

    def of(self, stream: str) -> Fault | None:
        """What is wrong with a stream now."""
        text = self._read()
        if text != self._text:
            self._faults = parse_faults(text, tuple(CAMERAS))
            self._text = text
            self.changed_s = time.time()
        return self._faults.get(stream)


class FaultPublisher:
    """Publishes one stream, or what the request leaves of it."""

    def __init__(self, publisher: Any, stream: str, request: FaultRequest) -> None:
        self._publisher, self._stream, self._request = publisher, stream, request
        self._faulty = FaultyStream()

    def publish(self, message: Any) -> None:
        """Send a message on."""
        for sent in self._faulty.pass_on(message, self._request.of(self._stream), time.monotonic()):
            self._publisher.publish(sent)


def refuse_wrong_request(parameters: Sequence[Any]) -> SetParametersResult:
    """For `add_on_set_parameters_callback`: a request that cannot be read is refused, and the reason says why."""
    for parameter in parameters:
        if parameter.name == INJECT.name:
            try:
                parse_faults(str(parameter.value), tuple(CAMERAS))
            except FaultRequestError as error:
                return SetParametersResult(successful=False, reason=str(error))
    return SetParametersResult(successful=True)
