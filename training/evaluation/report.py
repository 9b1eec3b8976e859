"""What an evaluation leaves behind: evaluation.json, one figure, a grid of films, a table on the screen."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from training.common.disk import write_bytes_atomically, write_text_atomically
from training.common.machine import describe_machine, git_commit
from training.data.video import encode_frames
from training.evaluation.results import Results
from training.evaluation.rollout import Episode
from world2act_core.bundle import Bundle
from world2act_core.statistics import wilson_interval

if TYPE_CHECKING:
    from training.evaluation.evaluate import EvaluateConfig

MAXIMUM_FILMS = 16
GREEN, RED = (60, 170, 80), (200, 60, 50)


def write_report(
    config: EvaluateConfig, bundle: Bundle, results: Results, episodes: list[Episode], out: Path
) -> dict[str, Any]:
    """Write everything for ``episodes`` (all finished) into ``out`` and return the content of evaluation.json."""
    rows = [results.rows[episode] for episode in episodes]
    metrics = summarise(rows)
    identity = rows[0]["identity"]
    report = {
        "bundle": {"name": bundle.manifest.name, "sha256": bundle.sha256, "files": bundle.manifest.files},
        "protocol": {**asdict(config.rollout), "robot": config.robot, "policy_and_protocol_sha256": identity},
        "commit": git_commit(),
        "machine": describe_machine(),
        "metrics": metrics,
        "episodes": [{key: value for key, value in row.items() if key != "identity"} for row in rows],
    }
    write_text_atomically(out / "evaluation.json", json.dumps(report, indent=1))
    _write_figure(metrics, bundle.manifest.name, out / "evaluation.png")
    _write_films(results, episodes, out / "episodes.mp4", config)
    _print_table(metrics)
    print(f"wrote {out}/evaluation.json, evaluation.png, episodes.mp4")
    return report


def summarise(rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """kind -> split -> success_rate, n, 95 % Wilson interval, seeds, median seconds of successes, failures."""
    metrics: dict[str, dict[str, dict[str, Any]]] = {}
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["kind"], row["split"]), []).append(row)
    for (kind, split), group in groups.items():
        good = [row for row in group if row["success"]]
        failed: dict[str, int] = {}
        for row in group:
            if not row["success"]:
                failed[row["ending"]] = failed.get(row["ending"], 0) + 1
        metrics.setdefault(kind, {})[split] = {
            "success_rate": len(good) / len(group),
            "n": len(group),
            "interval": list(wilson_interval(len(good), len(group))),
            "seeds": [min(row["seed"] for row in group), max(row["seed"] for row in group)],
            "median_seconds": float(np.median([row["seconds"] for row in good])) if good else None,
            "failures": failed,
        }
    return metrics


def _print_table(metrics: dict[str, dict[str, dict[str, Any]]]) -> None:
    table = Table("skill", "split", "success", "95 % interval", "n", "median s", "failures")
    for kind, splits in metrics.items():
        for split, metric in splits.items():
            low, high = metric["interval"]
            seconds = "-" if metric["median_seconds"] is None else f"{metric['median_seconds']:.1f}"
            failures = ", ".join(f"{name} {count}" for name, count in metric["failures"].items())
            interval = f"{100 * low:.0f} - {100 * high:.0f} %"
            table.add_row(
                kind, split, f"{100 * metric['success_rate']:.0f} %", interval, str(metric["n"]), seconds, failures
            )
    Console().print(table)


def _write_figure(metrics: dict[str, dict[str, dict[str, Any]]], name: str, path: Path) -> None:
    import io

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    splits = list(dict.fromkeys(split for by_split in metrics.values() for split in by_split))
    figure, axes = pyplot.subplots(figsize=(1.6 + 1.7 * len(metrics), 3.6), layout="constrained")
    width = 0.8 / len(splits)
    for column, split in enumerate(splits):
        kinds = [(i, by_split[split]) for i, by_split in enumerate(metrics.values()) if split in by_split]
        places = [i + (column - (len(splits) - 1) / 2) * width for i, _ in kinds]
        rates = np.array([metric["success_rate"] for _, metric in kinds])
        bounds = np.array([metric["interval"] for _, metric in kinds])
        spread = np.abs(np.stack([rates - bounds[:, 0], bounds[:, 1] - rates]))
        axes.bar(places, 100 * rates, width * 0.9, yerr=100 * spread, capsize=2, label=split)
    axes.set_xticks(range(len(metrics)), list(metrics))
    axes.set_ylim(0, 105)
    axes.set_ylabel("success (%), 95 % interval")
    axes.set_title(name)
    axes.legend(fontsize=7, ncols=min(4, len(splits)), loc="lower right")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    pyplot.close(figure)
    write_bytes_atomically(path, buffer.getvalue())


def _write_films(results: Results, episodes: list[Episode], path: Path, config: EvaluateConfig) -> None:
    films = [(results.rows[e], film) for e in episodes if (film := results.film(e)) is not None][:MAXIMUM_FILMS]
    if not films:
        return
    tiles = [_tile(film, row) for row, film in films]
    length = max(len(tile) for tile in tiles)
    columns = min(3, len(tiles))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    frames = []
    for i in range(length):
        now = [tile[min(i, len(tile) - 1)] for tile in tiles]
        rows = [np.concatenate(now[r : r + columns], axis=1) for r in range(0, len(now), columns)]
        frames.append(np.concatenate(rows, axis=0))
    write_bytes_atomically(path, encode_frames(frames, 10))


def _tile(film: NDArray[np.uint8], row: dict[str, Any]) -> NDArray[np.uint8]:
    """One film with its instruction under it; the bar below turns green or red at the end."""
    count, height, width, _ = film.shape
    tile = np.zeros((count, height + 22, width, 3), np.uint8)
    tile[:, :height] = film
    label = np.zeros((22, width, 3), np.uint8)
    cv2.putText(
        label, row["instruction"][:46], (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.29, (255, 255, 255), 1, cv2.LINE_AA
    )
    tile[:, height:] = label
    tile[-1, -4:] = GREEN if row["success"] else RED
    return tile
