"""Making, rewriting, quantising and running ONNX graphs during export."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from world2act_core.engine import session_options

OPSET = 18


def onnx_from_torch(
    model: torch.nn.Module,
    example: tuple[torch.Tensor, ...],
    path: Path,
    inputs: list[str],
    outputs: list[str],
    dynamic_shapes: Any,
) -> None:
    """Export ``model`` (in eval mode) to one self-contained file at ``path``."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            example,
            str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=dynamic_shapes,
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def gemm_to_matmul(path: Path) -> int:
    """Rewrite plain Gemm nodes to MatMul + Add in place; returns how many.

    Dynamic quantisation breaks when several Gemm nodes share a weight, as unrolled steps do.
    """
    model = onnx.load(str(path))
    constants = {item.name: item for item in model.graph.initializer}
    transposed: dict[str, str] = {}
    nodes: list[onnx.NodeProto] = []
    count = 0
    for node in model.graph.node:
        options = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        plain = options.get("alpha", 1.0) == 1.0 and options.get("beta", 1.0) == 1.0 and not options.get("transA")
        if node.op_type != "Gemm" or not plain or node.input[1] not in constants:
            nodes.append(node)
            continue
        weight = node.input[1]
        if options.get("transB"):
            if weight not in transposed:
                transposed[weight] = f"{weight}_transposed"
                array = np.ascontiguousarray(numpy_helper.to_array(constants[weight]).T)
                model.graph.initializer.append(numpy_helper.from_array(array, transposed[weight]))
            weight = transposed[weight]
        product = f"{node.output[0]}_product" if len(node.input) > 2 else node.output[0]
        nodes.append(helper.make_node("MatMul", [node.input[0], weight], [product]))
        if len(node.input) > 2:
            nodes.append(helper.make_node("Add", [product, node.input[2]], list(node.output)))
        count += 1
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    _drop_unused_constants(model)
    onnx.save(model, str(path))
    return count


def fusable_gelu(model: onnx.ModelProto) -> int:
    """Reorder x * (0.5 * (1 + erf(x / sqrt 2))), as torch exports it, to 0.5 * (x * (1 + ...)); returns how many.

    A factor of a half is exact wherever it stands, so the bits stay; ONNX Runtime runs this order as one operation.
    """
    made = {output: node for node in model.graph.node for output in node.output}

    def behind(node: onnx.NodeProto | None, kind: str, place: int) -> onnx.NodeProto | None:
        """The node of a kind that makes an input of ``node``."""
        found = made.get(node.input[place]) if node is not None else None
        return found if found is not None and found.op_type == kind else None

    count = 0
    for node in model.graph.node:
        inner = behind(node, "Mul", 1) if node.op_type == "Mul" else None
        sum_ = behind(inner, "Add", 1)
        scaled = behind(behind(sum_, "Erf", 0), "Div", 0)
        if inner is None or sum_ is None or scaled is None or scaled.input[0] != node.input[0]:
            continue
        half = inner.input[0]
        inner.input[:] = [node.input[0], sum_.output[0]]
        node.input[:] = [inner.output[0], half]
        count += 1
    return count


def _drop_unused_constants(model: onnx.ModelProto) -> None:
    used = {name for node in model.graph.node for name in node.input} | {item.name for item in model.graph.output}
    kept = [item for item in model.graph.initializer if item.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def quantize_weights(source: Path, target: Path) -> None:
    """Dynamic int8 quantisation of matrix products and embedding tables."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().setLevel(logging.ERROR)
    model = onnx.load(str(source))
    del model.graph.value_info[:]  # shapes of rewritten nodes are stale; the quantiser infers them again
    onnx.save(model, str(source))
    quantize_dynamic(
        str(source),
        str(target),
        op_types_to_quantize=["MatMul", "Gather"],
        weight_type=QuantType.QInt8,
        per_channel=True,
    )
    unshare_integer_weights(target)


def unshare_integer_weights(path: Path) -> None:
    """Give every integer matrix product weights and zero points of its own.

    ONNX Runtime rewrites them for x86 processors without VNNI and fails over those that it has rewritten already.
    """
    model = onnx.load(str(path))
    known = {item.name: item for item in model.graph.initializer}
    used: set[str] = set()
    for node in model.graph.node:
        if node.op_type != "MatMulInteger":
            continue
        for place in (1, 3):
            name = node.input[place] if place < len(node.input) else ""
            if name in used and name in known:
                node.input[place] = f"{name}/{node.output[0]}"
                copy = model.graph.initializer.add()
                copy.CopyFrom(known[name])
                copy.name = node.input[place]
            used.add(name)
    onnx.save(model, str(path))


def infer(path: Path, inputs: dict[str, NDArray[Any]], threads: int = 2) -> dict[str, NDArray[Any]]:
    """Run a graph once on the CPU."""
    options = session_options(threads)
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))
