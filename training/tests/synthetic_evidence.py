"""Made-up arms as evaluations leave them, and the evidence of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.evaluation.rollout import Episode
from training.evidence.command import EvidenceConfig
from training.evidence.groups import GroupName, episodes_of
from training.evidence.table import markers

GROUP_NAMES: tuple[GroupName, ...] = ("seen", "perturbed", "unseen", "unseen-tasks")
Success = Callable[[int], bool]


def made_up_arm(
    runs: Path,
    name: str,
    success: Success,
    groups: tuple[GroupName, ...] = GROUP_NAMES,
    count: int = 600,
    score: Callable[[int], float] | None = None,
    protocol: str = "p" * 64,
) -> None:
    """An arm as ``evaluate-arm`` leaves it; success and score by the place of an episode in its group."""
    folder = runs / "evaluation" / name
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({**row(Episode("pick", "seen", 1), True), "identity": "of another policy"})]
    for group in groups:
        for place, episode in enumerate(episodes_of(group, count, 10_000)):
            more = {"alignment": score(place)} if score and group == "seen" else {}
            lines.append(json.dumps({**row(episode, success(place)), **more, "identity": name}))
    (folder / "episodes.jsonl").write_text("\n".join(lines) + "\n")
    rate = {"n": count, "success_rate": 0.6, "interval": [0.56, 0.64]}
    facts = {
        "arm": name, "identity": name, "policy": {"sha256": f"weights of {name}"}, "scorer": None,
        "protocol": {"robot": "Panda", "sha256": protocol}, "episodes_per_group": count, "first_seed": 10_000,
        "groups": dict.fromkeys(groups, rate), "commit": "abc", "machine": "made up",
    }  # fmt: skip
    (folder / "arm.json").write_text(json.dumps(facts))


def row(episode: Episode, success: bool) -> dict[str, Any]:
    return {"kind": episode.kind, "split": episode.split, "seed": episode.seed, "success": success}


def settings(tmp_path: Path, **changes: Any) -> EvidenceConfig:
    values: dict[str, Any] = {"runs": tmp_path / "run", "out": tmp_path / "evidence/world2act.json", **changes}
    (tmp_path / "run").mkdir(exist_ok=True)
    return EvidenceConfig(**values)


def claims(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {claim["claim"]: claim for claim in report["claims"]}


def page_for_the_table(tmp_path: Path) -> Path:
    """A page of documentation that has the table's markers and no table."""
    page = tmp_path / "experiments.md"
    page.write_text("{}\n{}\n".format(*markers("world2act")))
    return page
