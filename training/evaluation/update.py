"""Puts measured success into a bundle's manifest and card, so that the number travels with the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.export.card import write_card
from world2act_core.manifest import SplitMetric, read_manifest, write_manifest


def update_bundle(folder: Path, report: dict[str, Any]) -> None:
    """Merge the metrics of ``report`` (see :func:`training.evaluation.report.write_report`) into the bundle."""
    manifest = read_manifest(folder)
    metrics = {skill: dict(splits) for skill, splits in manifest.metrics.items()}
    for skill, splits in report["metrics"].items():
        for split, metric in splits.items():
            low, high = metric["interval"]
            measured = SplitMetric(success_rate=metric["success_rate"], n=metric["n"], interval=(low, high))
            metrics.setdefault(skill, {})[split] = measured
    write_card(folder, manifest.name, manifest.training, metrics)
    write_manifest(
        folder,
        name=manifest.name,
        created=manifest.created,
        licence=manifest.licence,
        world2act_version=manifest.world2act_version,
        text_encoder_folder=manifest.text_encoder.folder,
        training=manifest.training,
        metrics=metrics,
        policy_graph=manifest.policy_graph,
        residual=manifest.residual,
    )
