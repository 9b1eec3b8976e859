"""``export``: a checkpoint's averaged weights to a bundle folder that a robot loads."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.common.checkpoint import latest_checkpoint
from training.common.errors import ExportError
from training.common.machine import describe_machine, git_commit
from training.data.cache import FrameCache
from training.data.lerobot_reader import LeRobotReader
from training.export.card import write_card
from training.export.onnx_tools import infer, onnx_from_torch
from training.post_training.frozen import module_hash
from training.vla.index import build_index
from training.vla.model import NanoVla
from training.vla.normalisation import Normalisation
from training.vla.train import load_trained
from world2act_core.contract import Contract
from world2act_core.manifest import MANIFEST_NAME, write_manifest
from world2act_core.monitor_config import MONITOR_NAME

# Float32 in another order of summation; the clipped actions are at most 1 in their units.
TOLERANCE = {"actions": 2e-4, "done": 2e-4}


@dataclass(frozen=True)
class PolicyExportConfig:
    """Export a trained policy as a bundle."""

    checkpoint: Path = Path("runs/tabletop-nano")
    """A checkpoint or a run's folder (then its newest one)."""
    out: Path = Path("models/tabletop-nano")
    name: str = "tabletop-nano"
    licence: str = "Apache-2.0"
    text_encoder: Path = Path("models/text-encoder-minilm-l6-int8")
    samples: int = 16
    """Recorded and random inputs each that the graph is compared with torch on."""
    history: tuple[str, ...] = ()
    """Commands that made the checkpoint, for manifest and card; default: what the checkpoint recorded."""


class ExportedPolicy(nn.Module):
    """The model with the robot's inputs and outputs in the order of the graph."""

    def __init__(self, model: NanoVla) -> None:
        super().__init__()
        self.model = model
        self.names = tuple(camera.name for camera in model.contract.cameras)

    def forward(
        self, images: list[torch.Tensor], state: torch.Tensor, text: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """images: uint8 [B, H, W, 3] per camera; -> actions [B, T, A], done [B]."""
        actions, done = self.model.act(dict(zip(self.names, images)), state, text, noise)
        return actions, done


def export_policy(config: PolicyExportConfig) -> None:
    """Entry point of ``python -m training export``; raises :class:`ExportError` when graph and torch disagree."""
    checkpoint = latest_checkpoint(config.checkpoint)
    model, info = load_trained(checkpoint)
    config.out.mkdir(parents=True, exist_ok=True)
    inputs = random_inputs(model, config.samples, seed=0)
    recorded = recorded_inputs(model, Path(info["config"]["cache"]), config.samples)
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "policy.onnx"
        export_graph(model, graph)
        errors = check_parity(model, graph, [inputs, *([recorded] if recorded else [])])
        shutil.copyfile(graph, config.out / "policy.onnx")
    model.contract.to_yaml(config.out / "contract.yaml")
    training = training_facts(model, info)
    training["history"] = list(config.history) or list(info.get("history", []))
    write_card(config.out, config.name, training, {})
    write_bundle_manifest(config, training)
    size = (config.out / "policy.onnx").stat().st_size / 2**20
    print(f"{config.out}: {size:.1f} MiB from {checkpoint}, largest difference to torch {errors}")


def export_graph(model: NanoVla, path: Path) -> None:
    """Write the model (normalisation, denoising and decoding included) as one ONNX graph with a free batch size."""
    example = random_inputs(model, 2, seed=1)
    names = [f"image_{camera.name}" for camera in model.contract.cameras]
    tensors = {name: torch.from_numpy(value) for name, value in example.items()}
    batch = torch.export.Dim("batch", min=1, max=4096)
    shapes = ([{0: batch} for _ in names], {0: batch}, {0: batch}, {0: batch})
    arguments: Any = ([tensors[name] for name in names], tensors["state"], tensors["text"], tensors["noise"])
    inputs = [*names, "state", "text", "noise"]
    onnx_from_torch(ExportedPolicy(model).eval(), arguments, path, inputs, ["actions", "done"], shapes)


class Normalised(Protocol):
    """A network for a contract whose state it normalises: a policy, or what corrects one."""

    @property
    def contract(self) -> Contract:
        """What it sees and does."""
        ...

    @property
    def normalisation(self) -> Normalisation:
        """Where its states lie."""
        ...


def random_inputs(model: Normalised, count: int, seed: int) -> dict[str, NDArray[Any]]:
    """``count`` made-up observations with standard normal noise, by input name."""
    rng = np.random.default_rng(seed)
    contract = model.contract
    inputs: dict[str, NDArray[Any]] = {
        f"image_{c.name}": rng.integers(0, 256, (count, c.height, c.width, 3), dtype=np.uint8) for c in contract.cameras
    }
    mean, scale = model.normalisation.state_mean.numpy(), model.normalisation.state_scale.numpy()
    text = rng.normal(size=(count, contract.text_encoder.dim))
    inputs["state"] = (mean + scale * rng.normal(size=(count, contract.state_size))).astype(np.float32)
    inputs["text"] = (text / np.linalg.norm(text, axis=-1, keepdims=True)).astype(np.float32)
    inputs["noise"] = rng.normal(size=(count, contract.chunk_length, contract.action_size)).astype(np.float32)
    return inputs


def recorded_inputs(model: Normalised, cache_folder: Path, count: int) -> dict[str, NDArray[Any]] | None:
    """``count`` observations from the training data with zero noise; None when the data is not on this machine."""
    if not (cache_folder / "cache.json").exists():
        return None
    from training.vla.config import SamplingConfig

    cache = FrameCache(cache_folder)
    index = build_index(LeRobotReader(cache.dataset), len(cache), cache.contract, SamplingConfig())
    frames = index.draw(count, np.random.default_rng(0))
    inputs = random_inputs(model, count, seed=2)
    for camera in model.contract.cameras:
        inputs[f"image_{camera.name}"] = np.stack(cache.frames(camera.name, frames))
    inputs["state"] = index.state[frames]
    inputs["noise"] = np.zeros_like(inputs["noise"])
    return inputs


def check_parity(model: NanoVla, graph: Path, batches: list[dict[str, NDArray[Any]]]) -> dict[str, float]:
    """Largest difference per output between torch and the graph; raises :class:`ExportError` beyond TOLERANCE."""
    largest = dict.fromkeys(TOLERANCE, 0.0)
    for inputs in batches:
        expected = run_torch(model, inputs)
        for batch in (inputs, {name: value[:1] for name, value in inputs.items()}):
            actual = infer(graph, batch)
            for name in largest:
                difference = float(np.abs(actual[name] - expected[name][: len(actual[name])]).max())
                largest[name] = max(largest[name], difference)
    wrong = {name: value for name, value in largest.items() if not value <= TOLERANCE[name]}
    if wrong:
        raise ExportError(f"{graph} differs from torch by {wrong}, allowed {TOLERANCE}")
    return largest


def run_torch(model: NanoVla, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The model's own answer to the graph's inputs."""
    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in inputs.items()}
    images = {camera.name: tensors[f"image_{camera.name}"] for camera in model.contract.cameras}
    with torch.no_grad():
        actions, done = model.act(images, tensors["state"], tensors["text"], tensors["noise"])
    return {"actions": actions.numpy(), "done": done.numpy()}


def training_facts(model: NanoVla, info: dict[str, Any]) -> dict[str, Any]:
    """What the manifest and the card say about how the weights came to be."""
    data = info.get("data", {})
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "weights_sha256": module_hash(model),
        "steps": int(info["step"]),
        "batch": int(info["config"]["batch"]),
        "minutes": round(float(info["seconds"]) / 60, 1),
        "episodes": data.get("episodes", 0),
        "frames": data.get("frames", 0),
        "seed": int(info["config"]["seed"]),
        "machine": describe_machine(),
        "commit": git_commit(),
        "torch": str(info["torch"]),
    }


def write_bundle_manifest(config: PolicyExportConfig, training: dict[str, Any]) -> None:
    """Checksum the bundle's files; metrics and monitor of an older export do not carry over."""
    for old in (MANIFEST_NAME, MONITOR_NAME):
        (config.out / old).unlink(missing_ok=True)
    relative = Path(_relative(config.text_encoder.resolve(), config.out.resolve()))
    write_manifest(
        config.out,
        name=config.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        licence=config.licence,
        world2act_version=world2act_version(),
        text_encoder_folder=relative.as_posix(),
        training=training,
    )


def _relative(target: Path, start: Path) -> str:
    import os

    return os.path.relpath(target, start)


def world2act_version() -> str:
    """Version of the core, for the manifest."""
    try:
        return version("world2act_core")
    except PackageNotFoundError:
        return "0.1.0"
