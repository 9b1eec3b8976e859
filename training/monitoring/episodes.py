"""Evaluated episodes as the monitor would have seen them, read from what ``training evaluate`` left."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.common.errors import EvaluationError
from world2act_core.monitor_config import ScoreName, weights_of

FIELDS: dict[ScoreName, str] = {"alignment_score": "alignment_chunks", "residual_size": "residual_chunks"}
"""Score -> field of an episode's record with one number, or null, per inference."""
PRODUCER = "python -m training evaluate --bundle <bundle> --rollout.monitor off --out <a new folder>"


@dataclass(frozen=True)
class ScoredEpisode:
    """One episode. Per inference: attempt (which skill, which try), seconds since the reset, score (NaN: unknown)."""

    kind: str
    split: str
    seed: int
    success: bool
    attempts: tuple[int, ...]
    seconds: tuple[float, ...]
    scores: tuple[float, ...]

    @property
    def mean_score(self) -> float:
        """Mean of the known scores."""
        known = [score for score in self.scores if math.isfinite(score)]
        return sum(known) / len(known)

    @property
    def end_s(self) -> float:
        """When the episode ended: the time of its last inference."""
        return self.seconds[-1]


@dataclass(frozen=True)
class Evaluation:
    """Episodes of one policy under one protocol. unscored: how many others no score is known of."""

    bundle_name: str
    bundle_sha256: str
    weights: dict[str, str]
    protocol: dict[str, Any]
    episodes: tuple[ScoredEpisode, ...]
    unscored: int


def read_evaluations(paths: Sequence[Path], score: ScoreName) -> Evaluation:
    """Read evaluations of one policy and put their episodes together.

    Raises EvaluationError when one is missing or has no scores, when they are of different policies or protocols, or
    when a monitor has already changed what happened.
    """
    reports = [(path, _read_report(path)) for path in paths]
    if not reports:
        raise EvaluationError(f"--evaluations is empty: give the folder of an evaluation, made by `{PRODUCER}`")
    first_path, first = reports[0]
    weights = weights_of(first["bundle"]["files"])
    for path, report in reports[1:]:
        _check_same(first_path, path, weights, weights_of(report["bundle"]["files"]), "weights")
        _check_same(first_path, path, _protocol(first), _protocol(report), "protocol")
    rows = _distinct(row for path, report in reports for row in _checked_rows(path, report["episodes"], score))
    episodes = [_episode(row, score) for row in rows]
    scored = tuple(episode for episode in episodes if any(map(math.isfinite, episode.scores)))
    if not scored:
        raise EvaluationError(_nothing_known(paths, len(rows), score))
    bundle = first["bundle"]
    return Evaluation(bundle["name"], bundle["sha256"], weights, first["protocol"], scored, len(rows) - len(scored))


def _read_report(folder: Path) -> dict[str, Any]:
    path = folder / "evaluation.json" if folder.is_dir() else folder
    try:
        report: dict[str, Any] = json.loads(path.read_text())
        _ = report["bundle"]["files"], report["bundle"]["sha256"], report["protocol"], report["episodes"]
    except FileNotFoundError as error:
        raise EvaluationError(f"there is no {path}; make it with `{PRODUCER}`") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(f"{path} is not an evaluation ({error!r}); make one with `{PRODUCER}`") from error
    return report


def _protocol(report: dict[str, Any]) -> dict[str, Any]:
    # Whether a monitor acted is seen in the rows; "auto" without one is the same as "off".
    return {name: value for name, value in report["protocol"].items() if name != "monitor"}


def _checked_rows(path: Path, rows: list[dict[str, Any]], score: ScoreName) -> list[dict[str, Any]]:
    wanted = (FIELDS[score], "chunk_attempts", "chunk_seconds", "retries")
    for row in rows:
        name = f"{path}: episode {row['kind']}/{row['split']}/{row['seed']}"
        missing = [field for field in wanted if field not in row]
        if missing:
            raise EvaluationError(f"{name} has no {', '.join(missing)}; evaluate again: `{PRODUCER}`")
        if row["retries"] or row["ending"] == "stopped":
            raise EvaluationError(f"{name} was changed by a monitor; evaluate without one: `{PRODUCER}`")
        lengths = {len(row[field]) for field in wanted[:3] if row[field] is not None}
        if len(lengths) > 1:
            raise EvaluationError(f"{name}: {', '.join(wanted[:3])} differ in length; evaluate again: `{PRODUCER}`")
    # An instruction that could not be planned has no inference: a monitor has nothing to do with it.
    return [row for row in rows if row["chunk_seconds"]]


def _distinct(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({(row["kind"], row["split"], row["seed"]): row for row in rows}.values())


def _episode(row: dict[str, Any], score: ScoreName) -> ScoredEpisode:
    scores = row[FIELDS[score]] or [None] * len(row["chunk_seconds"])
    return ScoredEpisode(
        kind=row["kind"],
        split=row["split"],
        seed=int(row["seed"]),
        success=bool(row["success"]),
        attempts=tuple(map(int, row["chunk_attempts"])),
        seconds=tuple(map(float, row["chunk_seconds"])),
        scores=tuple(math.nan if value is None else float(value) for value in scores),
    )


def _check_same(first: Path, other: Path, ours: dict[str, Any], theirs: dict[str, Any], what: str) -> None:
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            raise EvaluationError(
                f"{first} and {other} differ in {what}: {name} is {ours.get(name)} and {theirs.get(name)}; "
                "calibrate on evaluations of one policy under one protocol, with one set of imagined codes"
            )


def _nothing_known(paths: Sequence[Path], count: int, score: ScoreName) -> str:
    where = ", ".join(map(str, paths))
    if score == "residual_size":
        return f"none of the {count} episodes in {where} has a residual size: the evaluated bundle has no residual head"
    return (
        f"none of the {count} episodes in {where} has an alignment score: nothing was imagined for their initial "
        "states, or the bundle gives no code of what it executes. Evaluate with imagined codes of these seeds, or "
        "watch the residual's size instead: --score residual_size"
    )
