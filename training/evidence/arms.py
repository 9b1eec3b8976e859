"""What ``evaluate-arm`` left, read back: arms by name, and the episodes that two of them share."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.common.errors import EvaluationError
from training.evaluation.results import Results
from training.evaluation.rollout import Episode
from training.evidence.arm import ARM
from training.evidence.groups import GroupName, episodes_of


@dataclass(frozen=True)
class Arm:
    """One measured policy: its description (``arm.json``) and the rows of its finished episodes."""

    name: str
    facts: dict[str, Any]
    rows: dict[Episode, dict[str, Any]]

    def episodes(self, group: GroupName) -> list[Episode]:
        """The finished episodes of a group; none when the arm was not measured on it."""
        if group not in self.facts["groups"]:
            return []
        count, first_seed = int(self.facts["episodes_per_group"]), int(self.facts["first_seed"])
        return [episode for episode in episodes_of(group, count, first_seed) if episode in self.rows]

    def successes(self, episodes: Sequence[Episode]) -> list[bool]:
        """Whether each episode succeeded."""
        return [bool(self.rows[episode]["success"]) for episode in episodes]

    def scores(self, episodes: Sequence[Episode]) -> list[float | None]:
        """Each episode's alignment score, where it has one."""
        return [self.rows[episode].get("alignment") for episode in episodes]


def read_arm(folder: Path) -> Arm | None:
    """The arm in ``folder``; None when it was not measured. Rows of another policy or protocol do not count."""
    path = folder / ARM
    if not path.exists():
        return None
    try:
        facts: dict[str, Any] = json.loads(path.read_text())
        arm = Arm(folder.name, facts, Results(folder, facts["identity"]).rows)
        lost = {name: int(group["n"]) - len(arm.episodes(name)) for name, group in facts["groups"].items()}
    except (ValueError, KeyError) as error:
        raise EvaluationError(f"cannot read {path}: {error!r}; delete it and measure that arm again") from error
    if any(lost.values()):
        raise EvaluationError(
            f"{folder / 'episodes.jsonl'} is damaged: of the episodes that {ARM} counts "
            f"{', '.join(f'{count} in {name!r}' for name, count in lost.items() if count)} cannot be read; run the "
            f"arm's `python -m training evaluate-arm --out {folder.as_posix()} ...` again (in a run of the recipe: "
            f"command_line in steps/evaluate-{folder.name}.json), which plays only these"
        )
    return arm


def read_arms(folder: Path, without: Collection[str] = ()) -> dict[str, Arm]:
    """Every arm under ``folder`` by name, but those in ``without``.

    EvaluationError when they were not measured under one protocol.
    """
    paths = [path for path in sorted(folder.glob("*")) if path.name not in without]
    arms = {path.name: arm for path in paths if (arm := read_arm(path)) is not None}
    protocols: dict[str, list[str]] = {}
    for name, arm in arms.items():
        protocols.setdefault(arm.facts["protocol"]["sha256"], []).append(name)
    if len(protocols) > 1:
        sides = "; ".join(f"{sha[:12]}: {', '.join(names)}" for sha, names in protocols.items())
        raise EvaluationError(
            f"the arms in {folder} were measured under different protocols ({sides}); measure them again under one"
        )
    return arms


def shared_episodes(arms: Sequence[Arm], group: GroupName) -> list[Episode]:
    """Episodes of a group that every arm has finished, in the group's order."""
    if not arms:
        return []
    others = [set(arm.episodes(group)) for arm in arms[1:]]
    return [episode for episode in arms[0].episodes(group) if all(episode in known for known in others)]


def seed_range(episodes: Sequence[Episode]) -> str:
    """ "10000-10509"; "" without episodes."""
    seeds = [episode.seed for episode in episodes]
    return f"{min(seeds)}-{max(seeds)}" if seeds else ""
