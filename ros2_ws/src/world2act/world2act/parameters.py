"""Node parameters that describe themselves: type, range, unit and meaning live with the default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, ParameterType
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from world2act.errors import ConfigurationError

ParameterValue = bool | int | float | str | tuple[str, ...] | tuple[float, ...]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a node. `low`/`high` bound numbers, `choices` bounds texts; tuples become ROS arrays.

    A parameter is fixed once the node is constructed: a changed value needs a restart, so it is read-only. One that is
    `live` may be changed at any time (`world2act set`); the node looks at it whenever it uses it.
    """

    name: str
    default: ParameterValue
    description: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False

    def descriptor(self) -> ParameterDescriptor:
        """The ROS description that `ros2 param describe` prints."""
        text = f"{self.description} [{self.unit}]" if self.unit else self.description
        constraint = f"one of: {', '.join(repr(choice) for choice in self.choices)}" if self.choices else ""
        descriptor = ParameterDescriptor(
            name=self.name, type=self._ros_type(), description=text, additional_constraints=constraint,
            read_only=not self.live,
        )  # fmt: skip
        if self.low is not None and self.high is not None and not isinstance(self.default, tuple):
            if isinstance(self.default, int):
                descriptor.integer_range = [IntegerRange(from_value=int(self.low), to_value=int(self.high), step=1)]
            else:
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=float(self.low), to_value=float(self.high), step=0.0)
                ]
        return descriptor

    def _ros_type(self) -> int:
        if isinstance(self.default, tuple):
            is_text = all(isinstance(item, str) for item in self.default)
            return ParameterType.PARAMETER_STRING_ARRAY if is_text else ParameterType.PARAMETER_DOUBLE_ARRAY
        types = {
            bool: ParameterType.PARAMETER_BOOL,
            int: ParameterType.PARAMETER_INTEGER,
            float: ParameterType.PARAMETER_DOUBLE,
            str: ParameterType.PARAMETER_STRING,
        }
        return types[type(self.default)]

    def allowed(self) -> str:
        """The allowed values in words, for error messages."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        kind = (
            type(self.default[0]).__name__ + " list" if isinstance(self.default, tuple) else type(self.default).__name__
        )
        if self.low is None or self.high is None:
            return kind
        whole = isinstance(self.default, int)
        low, high = (f"{int(value)}" if whole else f"{value:g}" for value in (self.low, self.high))
        return f"{kind} in [{low}, {high}]"


class ParameterValues:
    """Declares `parameters` on a node and gives their values with types.

    Raises ConfigurationError naming the parameter, the value given and what is allowed.
    """

    def __init__(self, node: Node, parameters: tuple[Parameter, ...]) -> None:
        self._values: dict[str, Any] = {}
        # rclpy tells nobody else what came from the command line, a file or whoever made the node.
        self._given = frozenset(node._parameter_overrides)
        self._live = {parameter.name for parameter in parameters if parameter.live}
        for parameter in parameters:
            self._values[parameter.name] = _declare(node, parameter)
        if self._live:
            node.add_post_set_parameters_callback(self._changed)

    def _changed(self, parameters: Sequence[Any]) -> None:
        # Whoever asks for a value may do so from another thread: one assignment each, nothing half done.
        self._values.update({item.name: item.value for item in parameters if item.name in self._live})

    def is_given(self, name: str) -> bool:
        """Whether somebody gave the node a value for it, if only the default's."""
        return name in self._given

    def flag(self, name: str) -> bool:
        """A boolean parameter."""
        return bool(self._values[name])

    def integer(self, name: str) -> int:
        """An integer parameter."""
        return int(self._values[name])

    def number(self, name: str) -> float:
        """A floating point parameter, in the unit of its description."""
        return float(self._values[name])

    def text(self, name: str) -> str:
        """A text parameter."""
        return str(self._values[name])

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty texts are left out, so [""] is the empty list."""
        return tuple(str(item) for item in self._values[name] if str(item))

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of numbers."""
        return tuple(float(item) for item in self._values[name])


def _declare(node: Node, parameter: Parameter) -> Any:
    default = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
    try:
        value = node.declare_parameter(parameter.name, default, parameter.descriptor()).value
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        raise ConfigurationError(
            f"parameter {parameter.name!r} of node {node.get_name()!r} is not acceptable: {error}",
            f"give it {parameter.allowed()} ({parameter.description})",
        ) from error
    if parameter.choices and value not in parameter.choices:
        raise ConfigurationError(
            f"parameter {parameter.name!r} of node {node.get_name()!r} is {value!r}",
            f"give it {parameter.allowed()} ({parameter.description})",
        )
    return value
