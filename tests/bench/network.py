"""The same network twice: a bundle's ONNX graph, and the torch module it was exported from.

A bundle in git comes without its checkpoint, so the module's weights are read back out of the graph. Whether that
worked is not taken on trust: the benchmark compares both outputs.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

from tests.bench.results import BenchError
from tests.bench.settings import ROOT
from training.common.errors import CheckpointError
from training.export.policy import export_graph
from training.export.weights import load_graph_weights
from training.vla.config import ModelConfig
from training.vla.model import NanoVla
from training.vla.normalisation import Normalisation
from world2act_core.contract import Contract
from world2act_core.manifest import write_manifest
from world2act_core.tabletop import tabletop_contract

TEXT_ENCODER = ROOT / "models/text-encoder-minilm-l6-int8"


def network_of_graph(graph: Path, contract: Contract) -> NanoVla:
    """The torch network with the weights of an exported graph, in eval mode.

    Raises BenchError when the graph is not that of a NanoVla of the standard size.
    """
    network = NanoVla(contract, ModelConfig(), Normalisation(contract)).eval()
    try:
        load_graph_weights(network, graph)
    except CheckpointError as error:
        raise BenchError(str(error)) from error
    return network


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
