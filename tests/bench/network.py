"""The same network twice: a bundle's ONNX graph, and the torch module it was exported from.

A bundle in git comes without its checkpoint, so the module's weights are read back out of the graph. Whether that
worked is not taken on trust: the benchmark compares both outputs.
"""

from __future__ import annotations

import os
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper

from tests.bench.results import BenchError
from tests.bench.settings import ROOT
from training.export.policy import export_graph
from training.vla.config import ModelConfig
from training.vla.model import NanoVla
from training.vla.normalisation import Normalisation
from world2act_core.contract import Contract
from world2act_core.manifest import write_manifest
from world2act_core.tabletop import tabletop_contract

PREFIX = "model."
"""Name of the network inside the module that is exported."""
TEXT_ENCODER = ROOT / "models/text-encoder-minilm-l6-int8"
# Predicts which skill the text means: a training loss, not part of the policy's graph.
NOT_EXPORTED = ("language_heads.weight", "language_heads.bias")


def network_of_graph(graph: Path, contract: Contract) -> NanoVla:
    """The torch network with the weights of an exported graph, in eval mode.

    Raises BenchError when the graph is not that of a NanoVla of the standard size.
    """
    network = NanoVla(contract, ModelConfig(), Normalisation(contract)).eval()
    stored = stored_weights(onnx.load(str(graph)).graph)
    state = network.state_dict()
    for name, value in state.items():
        found = stored.get(name)
        if found is None and name.endswith(".bias") and name not in NOT_EXPORTED:
            found = torch.zeros_like(value)  # the exporter leaves out a bias that is zero
        if found is None and name not in NOT_EXPORTED:
            raise BenchError(f"{graph} lacks the weight {name}: it was exported from another network than NanoVla")
        if found is not None and found.shape != value.shape:
            sizes = f"{list(found.shape)}, a NanoVla of standard size has {list(value.shape)}"
            raise BenchError(f"{graph}: the weight {name} is {sizes}")
        if found is not None:
            state[name] = found
    network.load_state_dict(state)
    return network


def stored_weights(graph: onnx.GraphProto) -> dict[str, torch.Tensor]:
    """Weights by the name they have in torch.

    The exporter keeps names, but turns a linear layer over more than two dimensions into MatMul with the transposed
    weight under a made-up name, then Add with the bias under its own: the bias tells whose weight it is.
    """
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


def export_untrained(folder: Path) -> None:
    """A bundle whose network has random weights. It moves slowly and never says that it is done."""
    torch.manual_seed(0)
    contract = tabletop_contract()
    network = NanoVla(contract, ModelConfig(), Normalisation(contract)).eval()
    with torch.no_grad():
        network.get_parameter("done_head.2.bias").fill_(-8.0)
        for name, parameter in network.named_parameters():
            # A zero bias is left out of the graph, or shared with another one: give each its own values.
            if name.endswith(".bias") and not parameter.any():
                parameter.normal_(std=1e-3)
    network.normalisation.action_scale.fill_(0.01)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.yaml").unlink(missing_ok=True)
    export_graph(network, folder / "policy.onnx")
    contract.to_yaml(folder / "contract.yaml")
    write_manifest(
        folder,
        name="untrained",
        created="1970-01-01T00:00:00Z",
        licence="Apache-2.0",
        world2act_version="0.1.0",
        text_encoder_folder=os.path.relpath(TEXT_ENCODER, folder.resolve()),
    )
