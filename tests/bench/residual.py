"""Section "residual": what the World2Act residual adds to the policy's latency, as one graph with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from tests.bench.bundles import usable_bundle
from tests.bench.results import Check, Row, Section
from tests.bench.settings import Settings
from tests.bench.timing import compare, interleave, timed
from training.alignment.adapters import ActionAdapter
from training.export.join import join_graphs
from training.export.policy import random_inputs
from training.export.residual_graph import export_residual_graph
from training.post_training.config import ResidualConfig
from training.post_training.residual import ResidualHead
from world2act_core.bundle import Bundle, load_bundle
from world2act_core.engine import OnnxEngine
from world2act_core.residual import GAIN

ADDED = 0.10
"""Largest share of the policy's own latency that the residual may add; the paper's is 11 %."""
BLOCK = 10
VARIANTS: tuple[Literal["action", "latent"], ...] = ("action", "latent")
Inputs = dict[str, NDArray[Any]]


def run(settings: Settings) -> Section:
    """Measure both variants with made-up weights: the time does not depend on them."""
    section = Section("residual")
    folder, note = usable_bundle(settings.bundle, settings.work)
    bundle = load_bundle(folder)
    torch.set_num_threads(1)
    alone = bundle.engine(threads=1, batch=1)
    for variant in VARIANTS:
        head = made_up_head(bundle, variant)
        residual, fused = _graphs(bundle, head, settings.work / "residual" / variant)
        inputs = random_inputs(head, 1, seed=0)
        joined = OnnxEngine(fused, threads=1, batch=1)
        section.checks.append(_off_is_the_policy(alone, joined, inputs, variant))
        section.rows.append(_row(alone, joined, inputs, variant, settings))
        section.notes.append(
            f"variant {variant}: {residual.stat().st_size / 1e6:.2f} MB of {fused.stat().st_size / 1e6:.1f}"
        )
    section.notes.append(f"{note}; random residual weights; batch 1, one thread")
    return section


def made_up_head(bundle: Bundle, variant: Literal["action", "latent"]) -> ResidualHead:
    """A residual of the standard size with random weights for the bundle's contract."""
    torch.manual_seed(0)
    adapter = ActionAdapter(bundle.contract.action_size)
    head = ResidualHead(bundle.contract, adapter, ResidualConfig(variant=variant))
    with torch.no_grad():
        for parameter in head.network.head[-1].parameters():
            parameter.normal_(std=0.05)
    return head.eval()


def _graphs(bundle: Bundle, head: ResidualHead, folder: Path) -> tuple[Path, Path]:
    """The residual by itself and joined with the policy."""
    residual, fused = folder / "residual.onnx", folder / "fused.onnx"
    folder.mkdir(parents=True, exist_ok=True)
    export_residual_graph(head, residual)
    joined = join_graphs(onnx.load(str(bundle.graph_path)), onnx.load(str(residual)), head.steps)
    onnx.save(joined, str(fused))
    return residual, fused


def _off_is_the_policy(alone: OnnxEngine, joined: OnnxEngine, inputs: Inputs, variant: str) -> Check:
    expected, off = alone.infer(inputs), joined.infer(inputs | {GAIN: np.zeros(1, np.float32)})
    same = all(off[name].tobytes() == expected[name].tobytes() for name in expected)
    return Check(f"{variant}: off is the policy bit for bit", float(same), "", "1", same)


def _row(alone: OnnxEngine, joined: OnnxEngine, inputs: Inputs, variant: str, settings: Settings) -> Row:
    corrected = inputs | {GAIN: np.ones(1, np.float32)}
    for _ in range(10):
        alone.infer(inputs)
        joined.infer(corrected)
    # Blocks, because two networks of 13 MB that take turns push each other out of the cache; a robot runs one.
    found = interleave(
        {
            "ours": lambda: timed(lambda: joined.infer(corrected), BLOCK),
            "theirs": lambda: timed(lambda: alone.infer(inputs), BLOCK),
        },
        settings.pick(150, 5),
    )
    row = compare(
        f"policy with the {variant} residual in one graph, batch 1, one thread",
        "the policy alone",
        found["ours"],
        found["theirs"],
        unit="ms",
        rate=False,
    )
    added = row.ours / row.theirs - 1
    return replace(row, target=f"<= {ADDED:.0%} added", met=added <= ADDED, facts={"added": added})
