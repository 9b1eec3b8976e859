"""``evaluate-arm``: any policy of a comparison on the fixed episodes that all of them share; resumable.

An arm is a base policy (a bundle, or a run of ``training vla``; ``policy`` of ``post-train-pixels`` and ``merged`` of
LoRA are such runs) with or without a residual. Everything runs through :func:`training.evaluation.rollout.run_episode`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from training.common.disk import write_bytes_atomically, write_text_atomically
from training.common.errors import EvaluationError
from training.common.machine import describe_machine, git_commit
from training.data.video import encode_frames
from training.evaluation.results import Results
from training.evaluation.rollout import Episode, RolloutConfig
from training.evidence.clusters import cluster_count, clusters_of, rate_interval
from training.evidence.groups import GROUPS, GroupName, episodes_of
from training.evidence.pool import Job, Played, play
from training.evidence.probe import IMAGINED, probe_facts
from training.post_training.frozen import module_hash
from training.post_training.load import load_residual
from training.post_training.policies import BaseSource
from world2act_core.files import sha256_file

ARM = "arm.json"
FILMS = "films"
FILM_FPS = 10


@dataclass(frozen=True)
class EvaluateArmConfig:
    """Measure one policy of a comparison. Running the same command again continues; finished episodes are kept."""

    base: Path = Path("runs/tabletop-nano")
    """A bundle, or a run of `training vla`."""
    residual: Path | None = None
    """A run of `training post-train`, or one of its checkpoints (default: the base policy alone)."""
    out: Path = Path("runs/evaluation/base")
    """Its name is the arm's name."""
    text_encoder: Path = Path("models/text-encoder-minilm-l6-int8")
    groups: tuple[GroupName, ...] = ("seen", "perturbed", "unseen")
    episodes: int = 510
    """Episodes per group; fewer are the first ones of more."""
    first_seed: int = 10_000
    adapters: Path | None = None
    """Run of `training align`: with it and --imagined, episodes whose start was imagined get an alignment score."""
    imagined: Path | None = None
    films: int = 0
    """Episodes of the first group that are filmed."""
    robot: str = "Panda"
    workers: int = 2
    """Processes that run the simulator; 0: this one."""
    rollout: RolloutConfig = field(default_factory=RolloutConfig)


def evaluate_arm(config: EvaluateArmConfig) -> dict[str, Any]:
    """Entry point of ``python -m training evaluate-arm``; returns what is written to ``arm.json``."""
    _check(config)
    episodes = {name: episodes_of(name, config.episodes, config.first_seed) for name in config.groups}
    facts = _continued(arm_facts(config), config.out)
    results = Results(config.out, facts["identity"])
    filmed = set(episodes[config.groups[0]][: config.films])
    wanted = dict.fromkeys(episode for group in episodes.values() for episode in group)
    jobs = [
        Job(episode, episode in filmed)
        for episode in wanted
        if not results.has(episode) or (episode in filmed and not film_path(config, facts, episode).exists())
    ]
    with _progress() as progress:
        task = progress.add_task("evaluate", total=len(jobs), detail="starting" if jobs else "nothing left to do")
        try:
            for played in play(config, jobs):
                _keep(played, results, film_path(config, facts, played.outcome.episode))
                progress.update(task, advance=1, detail=results.summary())
        except KeyboardInterrupt:
            raise EvaluationError("interrupted; run the same command again to continue") from None
    report = _report(config, facts, episodes, results)
    write_text_atomically(config.out / ARM, json.dumps(report, indent=1) + "\n")
    for name, group in report["groups"].items():
        low, high = group["interval"]
        print(f"{config.out.name}, {name}: {group['success_rate']:.3f} [{low:.3f}, {high:.3f}], n {group['n']}")
    return report


def arm_facts(config: EvaluateArmConfig) -> dict[str, Any]:
    """Hashes of everything that decides an outcome, and ``identity``, the hash of them all."""
    source = BaseSource(config.base, config.text_encoder)
    policy = {
        "base": source.sha256() or module_hash(source.open_checkpoint().model),
        "residual": None if config.residual is None else module_hash(load_residual(config.residual).head),
        "text_encoder": None if source.is_bundle else sha256_file(config.text_encoder / "model.onnx"),
    }
    protocol = {"rollout": asdict(config.rollout), "robot": config.robot}
    scorer = None
    if config.adapters is not None and config.imagined is not None:
        scorer = probe_facts(config.adapters, config.imagined)
    parts: dict[str, Any] = {
        "policy": {**policy, "sha256": _digest(policy)},
        "protocol": {**protocol, "sha256": _digest(protocol)},
        "scorer": scorer,
    }
    return {**parts, "identity": _digest(parts)}


def _continued(facts: dict[str, Any], out: Path) -> dict[str, Any]:
    """``facts``, or those of episodes in ``out`` that were scored before a score said how its latents were imagined.

    Such episodes stay what they are and more are added to them; where there are others, those count.
    """
    if facts["scorer"] is None or Results(out, facts["identity"]).rows:
        return facts
    scorer = {name: value for name, value in facts["scorer"].items() if name != IMAGINED}
    older = {"policy": facts["policy"], "protocol": facts["protocol"], "scorer": scorer}
    older["identity"] = _digest(older)
    return older if Results(out, older["identity"]).rows else facts


def film_path(config: EvaluateArmConfig, facts: dict[str, Any], episode: Episode) -> Path:
    """Where the film of an episode is kept."""
    name = f"{episode.kind}-{episode.split}-{episode.seed}-{facts['identity'][:8]}.mp4"
    return config.out / FILMS / name


def _check(config: EvaluateArmConfig) -> None:
    unknown = [name for name in config.groups if name not in GROUPS]
    if unknown or not config.groups:
        raise EvaluationError(f"no groups {unknown or 'given'}: there are {', '.join(GROUPS)}")
    if (config.adapters is None) != (config.imagined is None):
        raise EvaluationError("an alignment score needs both --adapters and --imagined")


def _keep(played: Played, results: Results, film: Path) -> None:
    if played.frames:
        write_bytes_atomically(film, encode_frames(played.frames, FILM_FPS))
    results.add(played.outcome, {} if played.score is None else {"alignment": round(played.score, 6)})


def _report(
    config: EvaluateArmConfig, facts: dict[str, Any], episodes: dict[GroupName, tuple[Episode, ...]], results: Results
) -> dict[str, Any]:
    filmed = [
        (episode, path)
        for episode in episodes[config.groups[0]][: config.films]
        if (path := film_path(config, facts, episode)).exists()
    ]
    return {
        "arm": config.out.name,
        **facts,
        "episodes_per_group": config.episodes,
        "first_seed": config.first_seed,
        "groups": {
            name: rate_summary(group, [bool(results.rows[episode]["success"]) for episode in group])
            for name, group in episodes.items()
        },
        "films": [
            {**asdict(episode), "file": f"{FILMS}/{path.name}", **_shown(results.rows[episode])}
            for episode, path in filmed
        ],
        "commit": git_commit(),
        "machine": describe_machine(),
    }


def rate_summary(episodes: Sequence[Episode], successes: Sequence[bool]) -> dict[str, Any]:
    """Success of one or more episodes with its interval, which goes by cluster."""
    seeds, clusters = [episode.seed for episode in episodes], clusters_of(episodes)
    return {
        "n": len(episodes),
        "clusters": cluster_count(clusters),
        "success_rate": sum(successes) / len(episodes),
        "interval": list(rate_interval(successes, clusters)),
        "seeds": [min(seeds), max(seeds)],
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {"instruction": row["instruction"], "success": row["success"]}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _progress() -> Progress:
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(TextColumn("evaluate"), *columns, TextColumn("{task.fields[detail]}"))
