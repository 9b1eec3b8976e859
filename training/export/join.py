"""Policy and residual as one ONNX graph: the policy's own nodes stay as they are, the residual's come after them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper

from training.common.errors import ExportError
from world2act_core.residual import GAIN

PREFIX = "residual/"
"""Before every name of the residual inside the joined graph."""
BASE = "base_actions"


def join_graphs(policy: onnx.ModelProto, residual: onnx.ModelProto, steps: int) -> onnx.ModelProto:
    """One graph with the policy's inputs and ``residual_gain``; outputs actions, done, base_actions and code.

    policy: inputs image_<camera>, state, text, noise; outputs actions [B, T, A] and done [B]. residual: inputs
    image_<camera>, state, base_actions [B, M, A] and residual_gain [B]; outputs actions [B, M, A] and code [B, C].
    steps: M. Raises ExportError when the two do not fit together.
    """
    _check(policy, residual)
    base = onnx.ModelProto()
    base.CopyFrom(policy)
    _rename(base.graph, {"actions": BASE})
    head = compose.add_prefix(residual, PREFIX).graph
    shared = {f"{PREFIX}{item.name}": item.name for item in policy.graph.input}
    _rename(head, shared | {f"{PREFIX}{name}": name for name in (GAIN, "code")})

    graph = base.graph
    graph.initializer.extend(head.initializer)
    graph.initializer.extend(_numbers({"zero": 0, "axis": 1, "steps": steps, "end": np.iinfo(np.int64).max}))
    graph.value_info.extend(head.value_info)
    graph.node.append(_slice([BASE, f"{PREFIX}zero", f"{PREFIX}steps", f"{PREFIX}axis"], f"{PREFIX}{BASE}"))
    graph.node.append(_slice([BASE, f"{PREFIX}steps", f"{PREFIX}end", f"{PREFIX}axis"], f"{PREFIX}rest"))
    graph.node.extend(head.node)
    graph.node.append(helper.make_node("Concat", [f"{PREFIX}actions", f"{PREFIX}rest"], ["actions"], axis=1))
    graph.input.extend(_named(head.input, [GAIN]))
    actions = onnx.ValueInfoProto()
    actions.CopyFrom(_named(graph.output, [BASE])[0])
    actions.name = "actions"
    outputs = [actions, *_named(graph.output, ["done", BASE]), *_named(head.output, ["code"])]
    del graph.output[:]
    graph.output.extend(outputs)
    # A later intermediate representation holds everything that an earlier one does.
    base.ir_version = max(policy.ir_version, residual.ir_version)
    onnx.checker.check_model(base)
    return base


def _check(policy: onnx.ModelProto, residual: onnx.ModelProto) -> None:
    ours, theirs = (sorted((item.domain, item.version) for item in model.opset_import) for model in (policy, residual))
    if ours != theirs:
        raise ExportError(
            f"the policy's graph uses operator sets {ours}, the residual's {theirs}: they cannot be joined; export "
            "with --no-fused, and the robot runs both one after the other"
        )
    inputs = {item.name: _shape(item) for item in policy.graph.input}
    for item in residual.graph.input:
        if item.name not in (BASE, GAIN) and inputs.get(item.name) != _shape(item):
            raise ExportError(
                f"the residual takes {item.name} {_shape(item)}, the policy {inputs.get(item.name, 'does not')}: they "
                "cannot be joined; export with --no-fused, and the robot fits the pictures for each"
            )
    names = {name for node in policy.graph.node for name in (*node.input, *node.output)} | set(inputs)
    taken = sorted(name for name in names if name in (BASE, GAIN, "code") or name.startswith(PREFIX))
    if taken:
        raise ExportError(f"the policy's graph already has {', '.join(taken)}: give one without a residual as --base")


def _shape(item: onnx.ValueInfoProto) -> list[int | str]:
    return [size.dim_value or "any" for size in item.type.tensor_type.shape.dim]


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Give values other names, wherever they are made, used or described."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for item in (*graph.input, *graph.output, *graph.value_info):
        item.name = names.get(item.name, item.name)


def _numbers(values: Mapping[str, int]) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(np.array([value], np.int64), f"{PREFIX}{name}") for name, value in values.items()]


def _slice(inputs: list[str], output: str) -> onnx.NodeProto:
    return helper.make_node("Slice", inputs, [output])


def _named(items: Iterable[onnx.ValueInfoProto], names: list[str]) -> list[onnx.ValueInfoProto]:
    by_name = {item.name: item for item in items}
    return [by_name[name] for name in names]
