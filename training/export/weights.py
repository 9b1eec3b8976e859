"""The way back: the torch weights that a graph was exported from, so that a bundle alone can be fine-tuned or compared.

Weights keep their names in the graph, but for those of linear layers over more than two dimensions: the exporter makes
these a MatMul with the transposed weight under a made-up name, then an Add with the bias under its own. Whatever was
read is run against the graph, so a wrong reading cannot pass.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper

from training.common.errors import CheckpointError, ExportError
from training.export.policy import check_parity, random_inputs
from training.vla.model import NanoVla

NOT_EXPORTED = ("language_heads.weight", "language_heads.bias")
"""Which skill the text means, for a training loss: not part of the policy's graph."""
PREFIX = "model."
"""Name of the network inside the module that is exported."""


def load_graph_weights(model: NanoVla, path: Path) -> None:
    """Set weights and normalisation of ``model``, all but :data:`NOT_EXPORTED`, to those in the graph at ``path``.

    Raises :class:`CheckpointError` when the graph is that of another model.
    """
    stored = stored_weights(onnx.load(str(path)).graph)
    state = model.state_dict()
    for name in [name for name in state if name not in NOT_EXPORTED]:
        value = state[name]
        # The exporter leaves out a bias that is zero.
        found = stored.get(name, torch.zeros_like(value) if name.endswith(".bias") else None)
        if found is None or found.shape != value.shape:
            has = "nothing" if found is None else f"{list(found.shape)}"
            raise CheckpointError(
                f"{path} was exported from another model: it has {has} for {name} {list(value.shape)}; "
                "set --model as in the run that made it"
            )
        state[name] = found
    model.load_state_dict(state)
    mixed, model.mixed = model.mixed, False  # the graph computes in float32
    try:
        check_parity(model, path, [random_inputs(model, 4, seed=0)])
    except ExportError as error:
        raise CheckpointError(f"{path} was exported from another model: {error}") from error
    finally:
        model.mixed = mixed


def stored_weights(graph: onnx.GraphProto) -> dict[str, torch.Tensor]:
    """Weights by the name they have in torch."""
    arrays = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    weights = {
        name.removeprefix(PREFIX): torch.from_numpy(array.copy())
        for name, array in arrays.items()
        if name.startswith(PREFIX)
    }
    products = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul"}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        for bias, product in (tuple(node.input), tuple(node.input)[::-1]):
            if bias.startswith(PREFIX) and bias.endswith(".bias") and products.get(product) in arrays:
                layer = bias.removeprefix(PREFIX).removesuffix(".bias")
                weights.setdefault(f"{layer}.weight", torch.from_numpy(arrays[products[product]].T.copy()))
    return weights
