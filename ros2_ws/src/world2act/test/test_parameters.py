"""Every parameter of every node describes itself, and bad values are refused with a remedy."""

from __future__ import annotations

import importlib

import pytest
from rcl_interfaces.msg import ParameterType
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from world2act.base_node import COMMON_PARAMETERS
from world2act.errors import ConfigurationError
from world2act.graph import NODE_NAMES, GraphOptions, build_graph
from world2act.parameters import Parameter, ParameterValues

EVERY = [
    (name, parameter)
    for name in NODE_NAMES
    for parameter in (*COMMON_PARAMETERS, *importlib.import_module(f"world2act.nodes.{name}").PARAMETERS)
]


@pytest.mark.parametrize(("node", "parameter"), EVERY, ids=[f"{node}.{p.name}" for node, p in EVERY])
def test_is_described(node: str, parameter: Parameter) -> None:
    descriptor = parameter.descriptor()
    assert len(descriptor.description) > 10
    assert descriptor.type != ParameterType.PARAMETER_NOT_SET and descriptor.read_only != parameter.live
    if isinstance(parameter.default, int | float) and not isinstance(parameter.default, bool):
        assert descriptor.integer_range or descriptor.floating_point_range, "numbers need a range"
    if parameter.choices:
        assert parameter.default in parameter.choices and descriptor.additional_constraints


def test_the_graph_uses_only_declared_parameters() -> None:
    for spec in build_graph("sim", GraphOptions(record="runs")).nodes:
        assert set(spec.parameters) <= {parameter.name for node, parameter in EVERY if node == spec.name}


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        (Parameter("rate", 1.0, "how often", "Hz", 0.5, 2.0), 3.0, r"float in \[0.5, 2\]"),
        (Parameter("count", 1, "how many", "", 0, 9), "many", r"int in \[0, 9\]"),
        (Parameter("kind", "a", "which one", choices=("a", "b")), "c", "one of a, b"),
    ],
)
def test_bad_values_are_refused(ros, parameter: Parameter, value: object, allowed: str) -> None:
    overrides = [RosParameter(parameter.name, value=value)]
    node = ros.add(Node("picky", context=ros.context, parameter_overrides=overrides))
    with pytest.raises(ConfigurationError, match=allowed) as caught:
        ParameterValues(node, (parameter,))
    assert "picky" in caught.value.cause and parameter.name in caught.value.cause


def test_values_keep_their_types(ros) -> None:
    node = ros.add(Node("typed", context=ros.context))
    values = ParameterValues(
        node,
        (
            Parameter("flag", True, "a flag"),
            Parameter("numbers", (1.0, 2.0), "numbers"),
            Parameter("texts", ("",), "texts"),
        ),
    )
    assert values.flag("flag") is True and values.numbers("numbers") == (1.0, 2.0) and values.texts("texts") == ()


def test_only_live_parameters_can_be_changed(ros) -> None:
    node = ros.add(Node("changing", context=ros.context))
    values = ParameterValues(
        node, (Parameter("fixed", 1, "a number", "", 0, 9), Parameter("switch", True, "a switch", live=True))
    )
    refused, done = (
        node.set_parameters([RosParameter(name, value=value)])[0] for name, value in (("fixed", 2), ("switch", False))
    )
    assert not refused.successful and "read-only" in refused.reason and values.integer("fixed") == 1
    assert done.successful and values.flag("switch") is False
    wrong = node.set_parameters([RosParameter("switch", value="off")])[0]
    assert not wrong.successful and values.flag("switch") is False
